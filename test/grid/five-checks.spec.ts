import { expect } from "chai";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { automaticScaling, jobSubmission, manualControlAndLongJob, SHORT, type CheckOutcome, type Grid } from "../../demo/checks";
import type { LocalCloudProcess } from "../../demo/cloud";
import { isEmptyChange, Stack } from "../../demo/pulumi";
import { openSession, type Session } from "../../demo/session";
import type { Master } from "../../demo/ssh";
import { Watcher } from "../../demo/watch";
import { engineEnvironment } from "../../tools/engine-env";
import { secretValues, watchProcessList } from "../support/secrets";
import { packageDir } from "../support/stack";
import { freePort, needGrid } from "../support/lane";


/** The whole way: real engine, real hosts, real HTCondor, in the sizes of `SHORT`. */
describe("a grid on real hosts", function () {
  this.timeout(600_000);
  this.bail(true); // one grid, one story: what comes after a failure would only repeat it
  let dir: string, session: Session<LocalCloudProcess>, master: Master, watcher: Watcher, grid: Grid;
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);

  before(async function () {
    await needGrid(this);
    dir = mkdtempSync(join(tmpdir(), "elastigrid-grid-"));
    const port = await freePort();
    const configFile = join(dir, "documented.yaml");
    writeFileSync(configFile, readFileSync(join(packageDir, "stacks", "Pulumi.local.yaml"), "utf8").replace("127.0.0.1:9931", `127.0.0.1:${port}`));
    session = await openSession({ packageDir, stateDir: dir, stack: "lane", configFile, port, keep: false, print });
  });

  after(async () => {
    watcher?.unfollow();
    await master?.close();
    await session?.cloud.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  const holds = (outcome: CheckOutcome): void => {
    expect(outcome.ok, `${outcome.ours} ${outcome.why ?? ""}\n${lines.slice(-30).join("\n")}`).to.equal(true);
  };

  it("comes up, with no secret on any command line", async () => {
    const processes = watchProcessList();
    let said = "";
    await session.stack.up((line) => (said += `${line}\n`));
    const commandLines = processes.stop();
    const secrets = await allSecrets(session);
    expect(secrets.length, "the scan knows what to look for").to.be.greaterThan(5);
    expectAbsent(secrets, { "command lines": commandLines, "the engine's output": said, "state": await session.stack.exported() });
    master = await session.connect();
    watcher = new Watcher(print, Date.now());
    watcher.follow(master);
    grid = { stack: session.stack, master, watcher, scale: SHORT, print };
  });

  it("keeps secrets out of user data, journals and logs of the master, and of the cloud's log", async () => {
    const secrets = await allSecrets(session);
    const places: Record<string, string> = { "local-cloud's log": lines.join("\n") };
    for (const server of await serversOf(session)) places[`meta of ${server.name}`] = Buffer.from(JSON.stringify(server.meta)).toString() + decode(server.meta);
    places["the master's files"] = await master.run("cat /var/lib/cloud/instance/user-data.txt /var/log/cloud-init*.log /var/lib/elastigrid/*.json* /var/log/condor/* 2>/dev/null | tr -d '\\000'; journalctl --no-pager 2>/dev/null | tail -n 5000");
    places["the master's command lines"] = await master.run("cat /proc/[0-9]*/cmdline | tr '\\000' ' '");
    expectAbsent(secrets, places);
  });

  it("gives files with secrets to root alone", async () => {
    const modes = await master.run("stat -c '%a %U %n' /etc/elastigrid/credentials.json /etc/condor/passwords.d/POOL");
    for (const line of modes.trim().split("\n")) expect(line).to.match(/^600 root /);
  });

  it("1: runs trivial jobs, each result verified", async () => holds(await jobSubmission(grid)));
  it("3: grows with the queue and goes back", async () => holds(await automaticScaling(grid)));
  it("4 and 5: follows the operator, and a long job lives through it", async () => {
    for (const outcome of await manualControlAndLongJob(grid)) holds(outcome);
  });

  it("shows an empty preview after all that scaling, and a second up writes nothing", async () => {
    expect(isEmptyChange((await session.stack.preview()).changes)).to.equal(true);
    expect(isEmptyChange((await session.stack.up()).changes)).to.equal(true);
  });

  it("deploys from another project that imports the packed package", async () => {
    const project = join(dir, "tiny");
    mkdirSync(project);
    const tarball = execFileSync("npm", ["pack", "--silent", "--pack-destination", dir], { cwd: packageDir, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim().split("\n").at(-1) ?? "";
    cpSync(join(packageDir, "test", "fixtures", "tiny-project"), project, { recursive: true });
    execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", join(dir, tarball)], { cwd: project, stdio: ["ignore", "ignore", "inherit"] });
    const engine = engineEnvironment();
    if (!engine.available) throw new Error(engine.reason);
    const { endpoint, username, password } = session.cloud.access;
    const env = { ...engine.env, CLOUDSIGMA_ENDPOINT: endpoint, CLOUDSIGMA_USERNAME: username, CLOUDSIGMA_PASSWORD: password };
    const tiny = new Stack({ projectDir: project, stateDir: join(dir, "tiny-state"), stack: "tiny", configFile: join(project, "Pulumi.tiny.yaml"), pulumi: engine.pulumi, env });
    await tiny.open();
    await tiny.up();
    const out = await tiny.outputs();
    expect(out["address"]).to.match(/^127\.66\./);
    expect(isEmptyChange((await tiny.preview()).changes)).to.equal(true);
    await tiny.destroy();
  });

  it("is destroyed without a leak", async () => {
    watcher.unfollow();
    await master.close();
    await session.stack.destroy();
    expect((await session.cloud.leaks()).leaks).to.deep.equal([]);
  });
});

interface ServerRow {
  readonly name: string;
  readonly meta: Readonly<Record<string, string>>;
}

async function serversOf(session: Session<LocalCloudProcess>): Promise<ServerRow[]> {
  const { endpoint, username, password } = session.cloud.access;
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const answer = await fetch(new URL("servers/detail/?limit=0", endpoint), { headers: { authorization } });
  return ((await answer.json()) as { objects: ServerRow[] }).objects;
}

const decode = (meta: Readonly<Record<string, string>>): string =>
  (meta["base64_fields"] ?? "").split(",").filter(Boolean).map((key) => Buffer.from(meta[key] ?? "", "base64").toString()).join("\n");

async function allSecrets(session: Session<LocalCloudProcess>): Promise<string[]> {
  const shown = (await session.stack.run(["stack", "export", "--show-secrets", "--stack", "lane"])).stdout;
  return [...new Set([...secretValues(shown), session.cloud.access.password])];
}

function expectAbsent(secrets: readonly string[], places: Readonly<Record<string, string>>): void {
  for (const [place, text] of Object.entries(places)) {
    const found = secrets.filter((secret) => text.includes(secret)).map((secret) => `${secret.slice(0, 4)}...`);
    expect(found, `secrets in ${place}`).to.deep.equal([]);
  }
}
