import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { LocalCloudProcess } from "../../demo/cloud";
import { outcome, submit, waitForJobs } from "../../demo/jobs";
import { isEmptyChange, Stack } from "../../demo/pulumi";
import { Master } from "../../demo/ssh";
import { Watcher } from "../../demo/watch";
import { seeded } from "../../local-cloud/http/faults";
import { alive, family, inventory, killAll, long, pause, processes, say, secondsSince, seed, until, type Process } from "../support/chaos";
import { packageDir } from "../support/stack";
import { engineEnvironment } from "../../tools/engine-env";
import { freePort, needGrid } from "../support/lane";


/** What a killed local-cloud must not leave: its processes, and everything that shares a namespace of theirs. */
interface Marks {
  readonly processes: readonly Process[];
  readonly namespaces: ReadonlySet<string>;
}

const namespacesOf = (pid: number | "self"): string[] =>
  ["net", "mnt", "pid"].flatMap((kind) => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/${kind}`)];
    } catch {
      return []; // it has just ended
    }
  });

function marksOf(pid: number): Marks {
  const ours = new Set(namespacesOf("self"));
  const found = family(pid);
  return { processes: found, namespaces: new Set(found.flatMap((p) => namespacesOf(p.pid)).filter((n) => !ours.has(n))) };
}

describe("a grid on real hosts, killed here and there", function () {
  this.timeout(900_000);
  this.bail(true); // one grid, one story
  const random = seeded(seed);
  const log: string[] = [];
  let dir = "", port = 0;
  let cloud: LocalCloudProcess | undefined, stack: Stack | undefined, master: Master | undefined, watcher: Watcher | undefined;

  const start = async (): Promise<LocalCloudProcess> =>
    (cloud = await LocalCloudProcess.start({ program: join(packageDir, "dist", "cli", "main.js"), stateDir: join(dir, "cloud"), port, keep: false, onLine: (l) => log.push(l) }));
  const theCloud = (): LocalCloudProcess => cloud as LocalCloudProcess;
  const theStack = (): Stack => stack as Stack;
  const theMaster = (): Master => master as Master;
  const theWatcher = (): Watcher => watcher as Watcher;

  /** Kills local-cloud alone and sees to it that the rest goes by itself. */
  const killCloud = async (): Promise<void> => {
    const { pid } = theCloud().access;
    const marks = marksOf(pid);
    if (marks.namespaces.size === 0) throw new Error("nothing ran in a namespace of its own: the kill would prove nothing");
    process.kill(pid, "SIGKILL");
    cloud = undefined;
    // the numbers of namespaces that are gone are given anew: what began later is somebody else's
    const endTicks = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 100 + 2;
    const left = (): string[] => [
      ...marks.processes.filter(alive).map((p) => `process ${p.pid} ${p.command.slice(0, 60)}`),
      ...processes().filter((p) => Number(p.started) <= endTicks && namespacesOf(p.pid).some((n) => marks.namespaces.has(n))).map((p) => `in its namespaces: ${p.pid} ${p.command.slice(0, 60)}`),
      ...readFileSync("/proc/mounts", "utf8").split("\n").filter((line) => line.includes(dir)).map((line) => `mount ${line}`),
    ];
    await until("the end of all that the killed local-cloud had", 15_000, () => left().length === 0).catch((e: Error) => {
      throw new Error(`${e.message}: ${left().join("; ")}`);
    });
    say(`killed local-cloud with ${marks.processes.length} processes in ${marks.namespaces.size} namespaces; all gone`);
  };
  const cgroups = (): string[] => {
    const unique = createHash("sha256").update(join(dir, "cloud", "hosts")).digest("hex").slice(0, 8);
    const roots = [...new Set(readFileSync("/proc/mounts", "utf8").split("\n").filter((l) => /^\S+ \S+ cgroup2? /.test(l)).map((l) => l.split(" ")[1] ?? ""))];
    return roots.filter((r) => existsSync(r)).flatMap((root) => readdirSync(root).filter((n) => n.startsWith("elastigrid-") && n.includes(unique)).map((n) => join(root, n)));
  };
  const connect = async (): Promise<void> => {
    await disconnect();
    const out = await theStack().outputs();
    master = new Master({ address: String(out["masterAddress"]), port: Number(out["sshPort"]), user: String(out["sshUser"]), privateKey: String(out["sshPrivateKey"]) }, join(dir, "ssh"));
    watcher = new Watcher((line) => log.push(line), Date.now());
    watcher.follow(master);
  };
  const disconnect = async (): Promise<void> => {
    watcher?.unfollow();
    await master?.close();
    master = watcher = undefined;
  };
  const clones = async (): Promise<string[]> => (await inventory(theCloud().access)).filter((l) => /^servers grid-worker-/.test(l));
  const settled = (n: number, limitSeconds: number): Promise<unknown> =>
    theWatcher().until(`${n} workers, all ready`, (s) => s.workers.length === n && s.workers.every((w) => w.phase === "idle" || w.phase === "busy"), limitSeconds);
  /** The cloud, the controller and HTCondor agree on how many workers there are; HTCondor forgets one whose removal a kill cut short after CLASSAD_LIFETIME. */
  const agreed = async (n: number): Promise<void> => {
    for (const end = Date.now() + 90_000; ; await pause(2_000)) {
      const servers = await clones();
      const machines = (await theMaster().run("condor_status -af Machine")).trim().split("\n").filter(Boolean);
      if (servers.length === n && new Set(machines).size === n) return;
      if (Date.now() > end || servers.length > n) throw new Error(`wanted ${n} workers: the cloud has ${servers.join(", ")}, HTCondor ${machines.join(", ")}`);
    }
  };

  before(async function () {
    await needGrid(this);
    const engine = engineEnvironment();
    if (!engine.available) return;
    say(`seed ${seed}`);
    dir = mkdtempSync(join(tmpdir(), "elastigrid-killed-"));
    port = await freePort();
    const configFile = join(dir, "documented.yaml");
    writeFileSync(configFile, readFileSync(join(packageDir, "stacks", "Pulumi.local.yaml"), "utf8").replace("127.0.0.1:9931", `127.0.0.1:${port}`));
    const { access } = await start();
    const env = { ...engine.env, CLOUDSIGMA_USERNAME: access.username, CLOUDSIGMA_PASSWORD: access.password };
    stack = new Stack({ projectDir: packageDir, stateDir: join(dir, "pulumi"), stack: "lane", configFile, pulumi: engine.pulumi, env });
    await stack.open();
  });

  after(async () => {
    for (const pid of stack?.pids ?? []) killAll(family(pid));
    await disconnect();
    if (dir === "") return;
    await (cloud ?? (await start())).stop(); // after a kill only a next start sweeps the cgroup folders
    rmSync(dir, { recursive: true, force: true });
    const left = cgroups();
    if (left.length > 0) throw new Error(`cgroup folders left: ${left.join(", ")}`);
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") for (const line of log.slice(-25)) say(line);
  });

  /** Where a half-done first boot hurt: cloud-init notes each of these before it does it. */
  const notes = ["config_scripts_user", "config_write_files", "config_runcmd", "config_ssh"];
  const noted = (note: string): boolean => {
    const drives = join(dir, "cloud", "hosts", "drives");
    return readdirSync(drives, { encoding: "utf8" }).some((drive) => {
      const instances = join(drives, drive, "upper", "var", "lib", "cloud", "instances");
      return existsSync(instances) && readdirSync(instances, { encoding: "utf8" }).some((uuid) => existsSync(join(instances, uuid, "sem", note)));
    });
  };
  const moments = long ? 6 : 2;

  for (let i = 1; i <= moments; i += 1)
    it(`local-cloud during up, moment ${i}: nothing of it stays, and the next up works`, async () => {
      let ended = false;
      const running = theStack().up((l) => log.push(l)).then(() => "got through", () => "failed").finally(() => (ended = true));
      await until("the first server that runs", 60_000, async () => ended || (await inventory(theCloud().access)).some((l) => /^servers .* running/.test(l)));
      // every other moment is one of the first boot's own, the others are anywhere
      const note = i % 2 === 1 ? (notes[long ? ((i - 1) / 2) % notes.length : 0] as string) : undefined;
      const from0 = Date.now(), delayMs = note === undefined ? Math.floor(random() * 12_000) : Math.floor(random() * 50);
      if (note !== undefined) await until(`the master's first boot at ${note}`, 30_000, async () => ended || noted(note));
      await pause(delayMs);
      const afterMs = Date.now() - from0;
      await killCloud();
      await start();
      const how = await running;
      const from = Date.now();
      await theStack().open();
      await theStack().up((l) => log.push(l));
      await connect();
      await settled(1, 120);
      await agreed(1);
      say(`killed ${afterMs} ms after the master's start${note === undefined ? "" : ` (at ${note})`}: that up ${how}; the next one and a worker in ${secondsSince(from)}`);
      if (i === moments) return;
      await disconnect();
      await theStack().destroy();
      const { leaks } = await theCloud().leaks();
      if (leaks.length > 0) throw new Error(leaks.join("; "));
    });

  it("local-cloud while the grid runs: the same servers boot again, and the pool comes back", async () => {
    await theMaster().run("elastigrid scale 2");
    await settled(2, 120);
    const before = await clones();
    await killCloud();
    await disconnect();
    const from = Date.now();
    await start();
    const servers = (await inventory(theCloud().access)).filter((l) => l.startsWith("servers ")).length;
    const guests = new Set(cgroups().map((folder) => basename(folder)));
    if (guests.size > servers) throw new Error(`cgroup folders of the killed cloud, which has ${servers} servers: ${[...guests].join(", ")}`);
    await theStack().up((l) => log.push(l));
    await connect();
    await settled(2, 180);
    await agreed(2);
    say(`the pool was back after ${secondsSince(from)}; workers before: ${before.length}, after: ${(await clones()).length}`);
    const { changes } = await theStack().preview();
    if (!isEmptyChange(changes)) throw new Error(`the preview is not empty: ${JSON.stringify(changes)}`);
    await theMaster().run("elastigrid scale --auto");
  });

  it("the controller, again and again while the group grows and shrinks: no job restarted, no worker twice", async () => {
    const times = long ? 10 : 3, count = long ? 30 : 12;
    const cluster = await submit(theMaster(), { name: "shaken", count, script: "sleep 8; exit $INT(code)" });
    const names = new Set<string>();
    const looking = setInterval(() => theWatcher().latest?.workers.forEach((w) => names.add(w.serverName)), 500);
    try {
      for (let i = 1; i <= times; i += 1) {
        await pause(Math.floor(1_000 + random() * 5_000));
        const pid = (await theMaster().run("systemctl show -p MainPID --value elastigrid-controller.service")).trim();
        await theMaster().run(`test ${pid} -gt 1 && kill -9 ${pid}`);
        const have = theWatcher().latest?.workers.map((w) => w.phase).join(", ");
        await until("a new controller", 30_000, async () => (await theMaster().run("curl -s --max-time 2 --unix-socket /run/elastigrid/controller.sock http://controller/status || true")).startsWith("{"));
        say(`kill ${i} of ${times} (workers: ${have ?? "not known"})`);
      }
      await waitForJobs(theMaster(), "shaken", 300);
      const result = await outcome(theMaster(), "shaken", cluster, count);
      if (result.verified !== count || result.evicted !== 0) throw new Error(`${result.verified} of ${count} jobs right, ${result.evicted} evicted or restarted`);
      const peak = names.size;
      // shrinking, and once more in the midst of it
      await pause(Math.floor(random() * 8_000));
      const pid = (await theMaster().run("systemctl show -p MainPID --value elastigrid-controller.service")).trim();
      await theMaster().run(`test ${pid} -gt 1 && kill -9 ${pid}`);
      await settled(1, 180);
      await agreed(1);
      say(`${count} jobs right, none restarted; ${peak} workers seen in all, back at 1`);
      if (peak > 14) throw new Error(`${peak} workers were made for a group of at most 7`);
    } finally {
      clearInterval(looking);
    }
  });

  it("is destroyed without a leak, and local-cloud leaves nothing", async () => {
    await disconnect();
    await theStack().destroy();
    const { leaks } = await theCloud().leaks();
    if (leaks.length > 0) throw new Error(leaks.join("; "));
    const marks = marksOf(theCloud().access.pid);
    await theCloud().stop();
    await pause(200);
    const left = [...marks.processes.filter(alive).map((p) => p.command.slice(0, 80)), ...cgroups()];
    if (left.length > 0) throw new Error(`left: ${left.join("; ")}`);
  });
});
