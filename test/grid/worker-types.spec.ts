import { expect } from "chai";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GridStatus, WorkerStatus } from "../../controller/status";
import { Master } from "../../demo/ssh";
import { startLocalCloud, type LocalCloud } from "../../local-cloud";
import { cacheDir } from "../../tools/paths";
import { needGrid } from "../support/lane";
import { openTestStack, type TestStack } from "../support/stack";

const PORT = 2222;
/** The long job sleeps for ever, until the test ends its sleep: then it ends by itself, with this code. */
const FOR_EVER = 50_000 + process.pid, LONG_JOB_CODE = 7;
const grid = (memory: string): Record<string, unknown> => ({
  name: "kinds", ssh: { port: PORT }, master: { memory: "1 GiB", disk: "4 GiB" },
  workers: { min: 1, max: 4, memory, disk: "2 GiB", types: { large: { vcpus: 2, memory: "1 GiB", disk: "2 GiB", price: 0.5, labels: { FastDisk: true }, max: 2 } } },
  scaling: { intervalSeconds: 1, cooldownSeconds: 5, idleSeconds: 120 }, timeouts: { masterReadySeconds: 180, workersReadySeconds: 180 },
});

interface Job {
  readonly name: string;
  /** Shell text. @default ends at once */
  readonly script?: string;
  readonly cpus?: number;
  readonly memoryMiB?: number;
  readonly requirements?: string;
}
interface JobRow {
  readonly JobStatus: number;
  readonly ExitCode?: number;
  readonly NumJobStarts?: number;
  readonly RemoteHost?: string;
  readonly LastRemoteHost?: string;
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it has just ended
  }
}

/** Real hosts of two sizes: jobs choose, and a changed size reaches workers by drain while a long job runs on. */
describe("worker types on real hosts", function () {
  this.timeout(400_000);
  this.bail(true);
  let stateDir: string, cloud: LocalCloud, test: TestStack, master: Master;

  before(async function () {
    await needGrid(this);
    stateDir = mkdtempSync(join(tmpdir(), "elastigrid-kinds-"));
    cloud = await startLocalCloud({ backend: "hosts", stateDir, cacheDir: cacheDir(), instance: "kinds-spec", publishPorts: [PORT], log: () => undefined });
    test = await openTestStack(cloud, grid("512 MiB"), "kinds");
    await test.stack.up();
    const outputs = await test.stack.outputs();
    master = new Master({ address: String(outputs["masterAddress"]), port: PORT, user: "root", privateKey: String(outputs["sshPrivateKey"]) }, stateDir);
  });

  after(async () => {
    await master?.close();
    await cloud?.stop();
    test?.close();
    if (stateDir !== undefined) rmSync(stateDir, { recursive: true, force: true });
  });

  const status = async (): Promise<GridStatus> => JSON.parse(await master.run("elastigrid status --json")) as GridStatus;
  const workersOf = async (type: string): Promise<readonly WorkerStatus[]> => (await status()).workers.filter((w) => w.type === type);
  const submit = async ({ name, script = "exit 0", cpus = 1, memoryMiB = 64, requirements }: Job): Promise<number> => {
    const text = [
      "universe = vanilla", "executable = /bin/sh", "transfer_executable = false", "should_transfer_files = NO", "initialdir = /tmp", `arguments = "-c '${script}'"`, `log = /home/grid/${name}.log`,
      `request_cpus = ${cpus}`, `request_memory = ${memoryMiB}MB`, "request_disk = 1MB", ...(requirements === undefined ? [] : [`requirements = ${requirements}`]), "queue 1", "",
    ].join("\n");
    return Number(/^(\d+)\./m.exec(await master.run("cd /tmp && runuser -u grid -- condor_submit -terse -", text))?.[1]);
  };
  const rows = async (tool: string, cluster: number): Promise<readonly JobRow[]> =>
    JSON.parse((await master.run(`${tool} -json -attributes JobStatus,ExitCode,NumJobStarts,RemoteHost,LastRemoteHost ${cluster}`)).trim() || "[]") as readonly JobRow[];
  const ended = (cluster: number): Promise<JobRow> => until(`job ${cluster} has ended`, async () => (await rows("condor_history", cluster))[0]);
  const runs = (cluster: number): Promise<string> => until(`job ${cluster} runs`, async () => (await rows("condor_q -allusers", cluster)).find((j) => j.JobStatus === 2)?.RemoteHost);
  /** Of `slot1_1@w-1a2b3c4d.kinds.internal`. */
  const workerIn = (host: string | undefined): string => host?.replace(/^[^@]*@/, "").split(".")[0] ?? "";
  /** Guests are processes of this computer. */
  const letItEnd = (): void => {
    const found = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && commandLine(pid) === `sleep\0${FOR_EVER}\0`);
    expect(found, "the long job's sleep").to.have.length(1);
    process.kill(Number(found[0]), "SIGTERM");
  };
  async function until<T>(what: string, look: () => Promise<T | undefined>, limitSeconds = 120): Promise<T> {
    for (const end = Date.now() + limitSeconds * 1000; ; await new Promise((r) => setTimeout(r, 500))) {
      const found = await look();
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`not so after ${limitSeconds} s: ${what}\n${JSON.stringify((await status()).decisions.slice(-15), undefined, 1)}\n${await master.run("condor_q -allusers -better-analyze 2>&1 | tail -40; condor_status")}`);
    }
  }
  let large: string;

  it("gives a job that only the larger type fits one worker of it, and the other jobs none", async () => {
    const [small, big] = [await submit({ name: "small" }), await submit({ name: "big", cpus: 2 })];
    const [onSmall, onBig] = [await ended(small), await ended(big)];
    // When both its cores are free again.
    const onLabelled = await ended(await submit({ name: "labelled", requirements: 'TARGET.FastDisk && TARGET.ElastigridWorkerType == "large"' }));
    const types = new Map((await status()).workers.map((w) => [w.name, w.type]));
    expect([onSmall, onBig, onLabelled].map((j) => [types.get(workerIn(j.LastRemoteHost)), j.ExitCode, j.NumJobStarts])).to.deep.equal([["worker", 0, 1], ["large", 0, 1], ["large", 0, 1]]);
    expect([...types.values()].sort()).to.deep.equal(["large", "worker"]);
    large = workerIn(onBig.LastRemoteHost);
    expect((await master.run(`condor_status -af TotalCpus TotalMemory ElastigridWorkerType FastDisk -constraint 'Machine == "${large}.kinds.internal" && PartitionableSlot'`)).trim()).to.match(/^2(\.0)? 896 large true$/);
  });

  it("renews workers of a changed size by drain: a long job ends on the old one, and one that needs the new size gets it", async () => {
    const long = await submit({ name: "long", script: `sleep ${FOR_EVER}; exit ${LONG_JOB_CODE}`, requirements: 'TARGET.ElastigridWorkerType == "worker"' });
    const old = workerIn(await runs(long));
    await test.configure(grid("768 MiB"));
    await test.stack.up();
    const needs = await submit({ name: "needs", memoryMiB: 500, requirements: 'TARGET.ElastigridWorkerType == "worker"' });
    const onNew = await ended(needs);
    expect(workerIn(onNew.LastRemoteHost)).to.not.equal(old);
    await until("the old one is closed to new work while its job runs", async () => (await workersOf("worker")).find((w) => w.name === old && w.phase === "draining"));
    expect(workerIn(await runs(long)), "the long job is still there").to.equal(old);
    letItEnd();
    const done = await ended(long);
    expect([workerIn(done.LastRemoteHost), done.ExitCode, done.NumJobStarts]).to.deep.equal([old, LONG_JOB_CODE, 1]);
    await until("the old worker is gone", async () => ((await workersOf("worker")).some((w) => w.name === old) ? undefined : true));
    expect((await master.run("condor_status -af ElastigridWorkerType TotalMemory -constraint PartitionableSlot | sort")).trim().split("\n")).to.deep.equal(["large 896", "worker 640"]);
    expect((await workersOf("large")).map((w) => w.name), "the other type was left alone").to.deep.equal([large]);
    expect(await master.run("grep -hc '^004 ' /home/grid/*.log || true").then((t) => t.trim().split("\n").every((n) => n === "0")), "nobody was evicted").to.equal(true);
  });
});
