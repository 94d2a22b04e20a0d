import { expect } from "chai";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcome, submit, waitForJobs } from "../../demo/jobs";
import { isEmptyChange, PulumiError } from "../../demo/pulumi";
import { Master } from "../../demo/ssh";
import { startLocalCloud, type LocalCloud } from "../../local-cloud";
import { cacheDir as cacheDirOf } from "../../tools/paths";
import { needGrid } from "../support/lane";
import { openTestStack, type TestStack } from "../support/stack";

const PORT = 2222;
const grid = {
  name: "changes", ssh: { port: PORT }, master: { memory: "1 GiB", disk: "4 GiB" }, workers: { min: 1, max: 2, memory: "512 MiB", disk: "2 GiB" },
  scaling: { intervalSeconds: 2, idleSeconds: 600 }, timeouts: { masterReadySeconds: 90, workersReadySeconds: 90 },
  // the jobs of a lost queue hold their workers for so long; our default would hold this test for 20 minutes
  condor: { settings: { JOB_DEFAULT_LEASE_DURATION: 150 } },
};
const master = (over: object): object => ({ ...grid.master, ...over });
/** Hold both workers while the test does what it does. */
const long = (seconds: number) => ({ name: "long", count: 2, script: `sleep ${seconds}; exit $INT(code)` });
const SHORT = { name: "short", count: 12, script: "exit $INT(code)" };

/** A grid with a full queue, and what people change of it. */
describe("changes of a master that has jobs", function () {
  this.timeout(540_000);
  this.bail(true); // one grid, one story
  let dir: string, cloud: LocalCloud, test: TestStack, host: Master | undefined;

  before(async function () {
    await needGrid(this);
    dir = mkdtempSync(join(tmpdir(), "elastigrid-changes-"));
    cloud = await startLocalCloud({ backend: "hosts", stateDir: join(dir, "cloud"), cacheDir: cacheDirOf(), instance: "changes-spec", publishPorts: [PORT], log: () => undefined });
    test = await openTestStack(cloud, grid, "changes");
    await test.stack.up();
    await connect();
  });

  after(async () => {
    await host?.close();
    await cloud?.stop();
    test?.close();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  const connect = async (): Promise<void> => {
    await host?.close();
    const out = await test.stack.outputs();
    host = new Master({ address: String(out["masterAddress"]), port: PORT, user: "root", privateKey: String(out["sshPrivateKey"]) }, join(dir, "ssh"));
    await until("the queue answers", 90, () => run("condor_q -allusers").then(() => true, () => false));
  };
  const on = (): Master => host as Master;
  const run = (command: string): Promise<string> => on().run(command);
  const api = (path: string, body?: object): Promise<Response> => {
    const authorization = `Basic ${Buffer.from(`${cloud.username}:${cloud.password}`).toString("base64")}`;
    return fetch(new URL(path, cloud.endpoint), { method: body === undefined ? "GET" : "POST", headers: { authorization, "content-type": "application/json" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  };
  const serverOf = (name: string) => [...cloud.store.servers.all()].find((s) => s.name === name);
  const masterNow = () => {
    const server = serverOf("changes-master");
    return { uuid: server?.uuid, status: server?.status, mem: server?.mem, nics: server?.nics.length, disks: [...cloud.store.drives.all()].filter((d) => d.name === "changes-master-disk").map((d) => [d.uuid, d.size]) };
  };
  const diskUuid = (): string => String(masterNow().disks[0]?.[0]);
  /** Cluster, process and state of each job in the queue. */
  const queue = async (): Promise<string[]> => (await run("condor_q -allusers -af ClusterId ProcId JobStatus NumJobStarts")).trim().split("\n").filter((l) => l !== "");
  const running = async (): Promise<number> => (await queue()).filter((l) => l.split(" ")[2] === "2").length;
  const until = async (what: string, seconds: number, holds: () => Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + seconds * 1000; !(await holds()); ) {
      if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s\n${await run("condor_q -allusers; condor_status; elastigrid status; elastigrid journal | tail -n 20").catch(String)}`);
      await new Promise((r) => setTimeout(r, 500));
    }
  };
  const fill = async (seconds: number): Promise<{ readonly long: number; readonly short: number }> => {
    const first = await submit(on(), long(seconds));
    const second = await submit(on(), SHORT);
    await until("both workers run a long job", 90, async () => (await running()) === 2);
    return { long: first, short: second };
  };
  /** Every job has ended well, in one start. */
  const allRan = async (clusters: { readonly long: number; readonly short: number }): Promise<void> => {
    for (const [name, cluster, count] of [["long", clusters.long, 2], ["short", clusters.short, SHORT.count]] as const) {
      await waitForJobs(on(), name, 150);
      expect(await outcome(on(), name, cluster, count), name).to.include({ jobs: count, verified: count, evicted: 0 });
    }
  };
  const refused = async (work: () => Promise<unknown>): Promise<string> => {
    try {
      await work();
    } catch (e) {
      if (e instanceof PulumiError) return `${e.message}\n${e.finished.stdout}`;
      throw e;
    }
    throw new Error("it was not refused");
  };
  let clusters = { long: 0, short: 0 };

  describe("that would lose them", () => {
    let jobs: readonly string[], asItWas: object;
    before(async () => {
      const { objects } = (await api("libdrives/?limit=0").then((r) => r.json())) as { objects: { uuid: string }[] };
      expect((await api(`libdrives/${objects[0]?.uuid}/action/?do=clone`, { name: "another-image" })).status).to.equal(202);
      clusters = await fill(90);
      jobs = await queue();
      asItWas = masterNow();
    });
    const changes: Array<[string, object, RegExp]> = [
      ["a smaller disk", { master: master({ disk: "3 GiB" }) }, /grid\.master\.disk = 3 GiB: is not what the master's disk changes-master-disk \([0-9a-f-]{36}\) has \(4 GiB\)/],
      ["another image", { image: { name: "another-image" } }, /grid\.image\.name = another-image: is not what the master's disk .* has \(elastigrid-appliance\).* name elastigrid-appliance again; or, to lose all that once, set grid\.master\.replace to/],
      ["another range", { network: { cidr: "10.78.0.0/24" } }, /grid\.network\.cidr = 10\.78\.0\.0\/24: is not the range of the deployed grid \(10\.77\.0\.0\/24\)/],
      ["another name", { name: "renamed" }, /grid\.name = renamed: is not the name of the deployed grid \(changes\)/],
      ["another ssh port", { ssh: { port: 2223 } }, /grid\.ssh\.port = 2223: is not the port of the deployed master \(2222\)/],
    ];
    for (const [title, change, says] of changes)
      it(`refuses ${title} before anything is touched`, async () => {
        await test.configure({ ...grid, ...change });
        expect(await refused(() => test.stack.up())).to.match(says);
        expect(masterNow()).to.deep.equal(asItWas);
        expect((await queue()).length).to.equal(jobs.length);
      });
    it("refuses them in the preview, all at once", async () => {
      await test.configure({ ...grid, master: master({ disk: "3 GiB" }), network: { cidr: "10.78.0.0/24" } });
      expect(await refused(() => test.stack.preview())).to.match(/grid\.network\.cidr[^]*grid\.master\.disk/);
    });
    it("leaves every job its one start, and nothing to do", async () => {
      await allRan(clusters);
      await test.configure(grid);
      expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
    });
  });

  describe("that keep them", () => {
    it("grow its disk: the master restarts on the same one", async () => {
      clusters = await fill(60);
      const disk = diskUuid();
      await test.configure({ ...grid, master: master({ disk: "5 GiB" }) });
      await test.stack.up();
      expect(masterNow().disks).to.deep.equal([[disk, 5 * 2 ** 30]]);
      await connect();
      await allRan(clusters);
      expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
    });

    it("replace it by order of the engine: the disk is taken over", async () => {
      clusters = await fill(25);
      const disk = diskUuid();
      const urn = (JSON.parse(await test.stack.exported()) as { deployment: { resources: { urn: string }[] } }).deployment.resources.map((r) => r.urn).find((u) => u.endsWith("::grid-master-disk"));
      await test.stack.run(["up", "--yes", "--skip-preview", "--non-interactive", "--stack", "changes", "--config-file", test.stack.workingConfig, "--replace", String(urn)]);
      expect(diskUuid()).to.equal(disk);
      await allRan(clusters);
    });
  });

  describe("with the word that names its disk", () => {
    let said = "", former = "", workers: string[] = [];
    const smaller = (): Record<string, unknown> => ({ ...grid, master: master({ disk: "3 GiB", replace: former }) });
    before(async () => {
      clusters = await fill(900);
      former = diskUuid();
      workers = [...cloud.store.servers.all()].filter((s) => s.name.startsWith("changes-worker-")).map((s) => s.uuid);
      await test.configure(smaller());
    });

    it("replaces it, says what is lost, and sets everything up again", async () => {
      await test.stack.up((line) => (said += `${line}\n`));
      expect(said).to.match(/grid\.master\.replace: the master's disk changes-master-disk \([0-9a-f-]{36}\) is replaced \(grid\.master\.disk: \d GiB -> 3 GiB\)\. Lost: all jobs.*Set up again: HTCondor's key/);
      expect(masterNow().disks).to.have.length(1);
      expect(diskUuid()).to.not.equal(former);
      await connect();
      expect(await queue(), "the queue was on the former disk").to.deep.equal([]);
      expect(await run("systemctl is-active condor elastigrid-controller dnsmasq elastigrid-network")).to.equal("active\n".repeat(4));
    });
    it("keeps the workers that ran: the new controller takes them in, and they run jobs once the lease of the lost ones has ended", async () => {
      clusters = { long: 0, short: await submit(on(), SHORT) };
      await until("the new jobs end", 480, async () => (await queue()).length === 0);
      expect(await outcome(on(), "short", clusters.short, SHORT.count)).to.include({ jobs: SHORT.count, verified: SHORT.count, evicted: 0 });
      await until("every server of the group is in the pool", 120, async () => {
        const names = [...cloud.store.servers.all()].filter((s) => s.name.startsWith("changes-worker-")).map((s) => `w-${s.uuid.slice(0, 8)}`);
        const there = await run("condor_status -af Machine");
        return names.length > 0 && names.every((n) => there.includes(n));
      });
      const now = [...cloud.store.servers.all()].filter((s) => s.name.startsWith("changes-worker-")).map((s) => s.uuid);
      expect(now.filter((u) => workers.includes(u)), "of those that ran").to.not.deep.equal([]);
    });
    it("does not permit the next one, and leaves nothing to do", async () => {
      expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
      await test.configure({ ...grid, master: master({ disk: "2 GiB", replace: former }) });
      expect(await refused(() => test.stack.up())).to.include(`set grid.master.replace to ${diskUuid()}`);
    });
    it("is destroyed without an extra step, and without a leak", async () => {
      await test.stack.destroy();
      // the image that the test made is its own
      expect(cloud.leaks().leaks.filter((l) => !JSON.stringify(l).includes("another-image"))).to.deep.equal([]);
    });
  });
});
