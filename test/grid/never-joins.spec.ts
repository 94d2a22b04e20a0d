import { expect } from "chai";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GridStatus } from "../../controller/status";
import type { PulumiError } from "../../demo/pulumi";
import { startLocalCloud, type LocalCloud } from "../../local-cloud";
import { openTestStack, packageDir, type TestStack } from "../support/stack";
import { cacheDir as cacheDirOf } from "../../tools/paths";
import { needGrid } from "../support/lane";

const cacheDir = cacheDirOf();
/** Asks the master for a token where there is none. */
const broken = (userData: string): string => userData.replaceAll("/v1/enrol", "/v1/nothing-here");
const JOIN_SECONDS = 30;
const grid = (min: number): Record<string, unknown> => ({
  name: "late", ssh: { port: 2222 }, master: { memory: "1 GiB", disk: "4 GiB" }, workers: { min, max: 3, memory: "512 MiB", disk: "2 GiB" },
  scaling: { intervalSeconds: 2, joinTimeoutSeconds: JOIN_SECONDS }, timeouts: { masterReadySeconds: 60, workersReadySeconds: 10 },
});

interface TemplateRow {
  readonly uuid: string;
  readonly meta: Record<string, string>;
}

/** Real hosts that boot and never come: what the operator gets to see, what the controller does, and how it goes on. */
describe("workers that never join", function () {
  this.timeout(120_000);
  this.bail(true);
  let stateDir: string, cloud: LocalCloud, test: TestStack, outputsFile: string;

  before(async function () {
    await needGrid(this);
    stateDir = mkdtempSync(join(tmpdir(), "elastigrid-late-"));
    outputsFile = join(stateDir, "outputs.json");
    cloud = await startLocalCloud({ backend: "hosts", stateDir, cacheDir, instance: "late-spec", publishPorts: [2222], log: () => undefined });
    test = await openTestStack(cloud, grid(0), "late");
    await test.stack.up();
    writeFileSync(outputsFile, JSON.stringify(await test.stack.outputs()), { mode: 0o600 });
  });

  after(async () => {
    await cloud?.stop();
    test?.close();
    if (stateDir !== undefined) rmSync(stateDir, { recursive: true, force: true });
  });

  const api = async <T>(path: string, body?: object): Promise<T> => {
    const authorization = `Basic ${Buffer.from(`${cloud.username}:${cloud.password}`).toString("base64")}`;
    const answer = await fetch(new URL(path, cloud.endpoint), { method: body === undefined ? "GET" : "PUT", headers: { authorization, "content-type": "application/json" }, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  const template = async (): Promise<TemplateRow> => {
    const found = (await api<{ objects: TemplateRow[] }>("servers/detail/?limit=0")).objects.find((s) => s.meta["elastigrid-template"] === s.uuid);
    if (found === undefined) throw new Error("no template server");
    return found;
  };
  /** The command line from the project's folder, as an operator calls it. */
  const elastigrid = (...args: string[]): Promise<{ code: number | null; out: string; err: string }> =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [join(packageDir, "dist", "cli", "main.js"), ...args], { env: { ...process.env, ELASTIGRID_OUTPUTS: outputsFile }, stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
      let out = "", err = "";
      child.stdout.on("data", (d: Buffer) => (out += d.toString()));
      child.stderr.on("data", (d: Buffer) => (err += d.toString()));
      child.on("error", reject).on("close", (code) => resolve({ code, out, err }));
    });
  let good: TemplateRow;

  it("fail the up within its time limit, with what each does and the last lines of its console", async () => {
    good = await template();
    const key = "cloudinit-user-data", stored = good.meta[key] ?? "";
    const inBase64 = good.meta["base64_fields"]?.includes(key) === true;
    const wrong = broken(inBase64 ? Buffer.from(stored, "base64").toString() : stored);
    expect(wrong).to.include("/v1/nothing-here");
    await api(`servers/${good.uuid}/`, { ...good, meta: { ...good.meta, [key]: inBase64 ? Buffer.from(wrong).toString("base64") : wrong } });
    await test.configure(grid(3));
    const from = Date.now();
    const failure = await test.stack.up().then(() => undefined, (e: PulumiError) => e);
    expect(failure?.message, "what npm start would show").to.match(/0 of 3 workers joined within 10 s/);
    const said = failure?.finished.stdout;
    expect(said?.match(/w-[0-9a-f]{8} +joining .*runs, has not asked for its token yet/g)).to.have.length.at.least(3);
    expect(said?.match(/console of w-[0-9a-f]{8}, last lines:/g)).to.have.length.at.least(3);
    expect(Date.now() - from).to.be.below(45_000);
  });

  it("are replaced when their time is up; three in a row hold the next ones back", async () => {
    let status: GridStatus | undefined;
    const consoles = (): number => status?.decisions.filter((d) => d.what === "console").length ?? 0;
    for (const end = Date.now() + (JOIN_SECONDS + 20) * 1000; status?.createBlocked === undefined || consoles() < 3; ) {
      if (Date.now() > end) throw new Error(`not held back: ${JSON.stringify(status?.decisions.slice(-10), undefined, 1)}`);
      status = JSON.parse((await elastigrid("status", "--json")).out) as GridStatus;
      await new Promise((r) => setTimeout(r, 500));
    }
    expect(status.createBlocked.why).to.match(/^3 workers in a row did not join/);
    const journal = (await elastigrid("journal")).out;
    expect(journal.match(/ replace w-[0-9a-f]{8}: it has run for \d+ s and did not join/g)).to.have.length(3);
    expect(journal.match(/ console w-[0-9a-f]{8}: last lines:\n/g)).to.have.length(3);
    expect(journal).to.match(/elastigrid: still no token from the master: curl: \(22\) .* 404/);
    expect((await elastigrid("status")).out).to.match(/^! no worker is created until /);
  });

  it("come at once when somebody has mended them and waits", async () => {
    await api(`servers/${good.uuid}/`, good);
    const waited = await elastigrid("wait", "--workers", "3", "--timeout", "45");
    expect(waited.err + waited.out).to.match(/3 workers in the pool after/);
    expect(waited.code).to.equal(0);
  });
});
