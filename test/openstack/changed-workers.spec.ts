import { expect } from "chai";
import type { GridStatus } from "../../controller/status";
import { outcome, submit, waitForJobs } from "../../demo/jobs";
import { isEmptyChange } from "../../demo/pulumi";
import { Master } from "../../demo/ssh";
import { pause, until } from "../support/chaos";
import { needLab, noGuests, openLabProject, type LabProject } from "../support/openstack-lab";
import { openTestStack, type TestStack } from "../support/stack";

const LIMIT_MS = 240_000, LOOK_MS = 2_000, JOB_SECONDS = 150;
const grid = {
  name: "changed",
  master: { vcpus: 2, memory: "1 GiB", disk: "4 GiB" },
  workers: { min: 1, max: 3, vcpus: 1, memory: "512 MiB", disk: "2 GiB" },
  ssh: { port: 2222 },
  scaling: { intervalSeconds: 2, cooldownSeconds: 5, idleSeconds: 300, joinTimeoutSeconds: 120 },
  openstack: { alarms: { granularitySeconds: 5 } },
};

/** With a controller in charge and jobs that run: what Heat alone would replace, reboot or remove. */
describe("workers get another definition while they are busy", function () {
  this.timeout(600_000);
  let project: LabProject, test: TestStack, master: Master, cluster: number;
  let olds: readonly string[];

  before(async function () {
    await needLab(this, noGuests);
    project = await openLabProject("changed");
    test = await openTestStack(project.target(), grid, "changed");
    await test.stack.up();
    const out = await test.stack.outputs();
    master = new Master({ address: String(out["masterAddress"]), port: Number(out["sshPort"]), user: "root", privateKey: String(out["sshPrivateKey"]) }, test.dir);
    await pooled(1);
    cluster = await submit(master, { name: "long", count: 2, script: `sleep ${JOB_SECONDS}; exit $INT(code)` });
    await master.run("elastigrid scale 2");
    await pooled(2);
    olds = await running();
    await eventually("both workers are busy", async () => (await status()).workers.every((w) => w.phase === "busy"));
  });
  after(async () => {
    await master?.close();
    await test?.stack.interrupt();
    test?.close();
    await project?.close();
  });

  const status = async (): Promise<GridStatus> => JSON.parse(await master.run("elastigrid status --json")) as GridStatus;
  const eventually = (what: string, holds: () => Promise<boolean>): Promise<true> =>
    until(what, LIMIT_MS, async () => {
      if (await holds()) return true;
      await pause(LOOK_MS);
      return undefined;
    });
  interface Server {
    readonly id: string;
    readonly name: string;
    readonly status: string;
    readonly flavor: { readonly ram: number };
  }
  /** As nova has them: a controller that an `up` has just started anew knows none yet. */
  const servers = async (): Promise<Server[]> => (await project.api.get<{ servers: Server[] }>("compute", "/v2.1/servers/detail")).servers.filter((s) => !s.name.endsWith("-master"));
  const running = async (): Promise<string[]> => (await servers()).filter((s) => s.status === "ACTIVE").map((s) => s.id);
  const pooled = (count: number): Promise<true> =>
    eventually(`${count} workers are in the pool`, async () => {
      const s = await status();
      return s.workers.length === count && s.workers.every((w) => w.phase === "idle" || w.phase === "busy");
    });
  const stacks = async (): Promise<number> => (await project.owned()).filter((o) => o.kind === "stack" && o.marks !== undefined).length;

  it("keeps both busy workers when workers.max is lowered below their number", async () => {
    await test.configure({ ...grid, workers: { ...grid.workers, max: 1 } });
    await test.stack.up();
    expect(await running()).to.include.members([...olds]);
  });
  it("keeps them while a group of the new size is made beside theirs", async () => {
    await master.run("elastigrid scale --auto");
    await test.configure({ ...grid, workers: { ...grid.workers, memory: "1 GiB" } });
    await test.stack.up();
    expect(await running()).to.include.members([...olds]);
    expect(await stacks()).to.equal(2);
    expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
  });
  it("lets their jobs end, each started once", async () => {
    await waitForJobs(master, "long", 300);
    const result = await outcome(master, "long", cluster, 2);
    expect([result.verified, result.evicted]).to.deep.equal([2, 0]);
  });
  it("takes them away then, and has a worker of the new size", async () => {
    await eventually("the old ones are gone", async () => (await servers()).every((w) => !olds.includes(w.id)));
    await pooled(1);
    expect((await servers()).map((w) => w.flavor.ram >= 1024)).to.deep.equal([true]);
  });
  it("deletes the empty stack of the old size at the next up", async () => {
    await test.stack.up();
    expect(await stacks()).to.equal(1);
    expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
  });
  it("is destroyed with nothing left", async () => {
    await test.stack.destroy();
    expect((await project.owned()).map((o) => `${o.kind} ${o.name}`)).to.deep.equal([]);
  });
});
