import { expect } from "chai";
import type { OpenstackTarget } from "../../components/config/controller-config";
import { makeOpenstack } from "../../components/openstack/client";
import { openstackPool } from "../../controller/open-cloud";
import type { Member, Pool, PoolView } from "../../controller/ports";
import { isEmptyChange } from "../../demo/pulumi";
import { pause, say, secondsSince, until } from "../support/chaos";
import { needLab, openLabProject, type LabProject } from "../support/openstack-lab";
import { openTestStack, type TestStack } from "../support/stack";

const LIMIT_MS = 300_000, LOOK_MS = 2_000;
const size = { vcpus: 1, memory: "512 MiB", disk: "5 GiB" };
const first = {
  name: "typed", bootstrap: "none", master: size,
  workers: { min: 1, max: 4, ...size, types: { big: { vcpus: 2, memory: "1 GiB", disk: "5 GiB" } } },
};
const withoutType = { ...first, workers: { min: 1, max: 4, ...size } };

/** A group of Heat for each type of worker, made by the real engine and driven as the controller drives them. */
describe("two types of worker on Heat", function () {
  this.timeout(600_000);
  this.bail(true); // one grid, one story
  let project: LabProject, test: TestStack, pool: Pool;

  before(async function () {
    await needLab(this);
    project = await openLabProject("typed");
    test = await openTestStack(project.target(), first, "typed");
    const from = Date.now();
    await test.stack.up();
    say(`up: ${secondsSince(from)}`);
    pool = await opened(first.workers.types);
  });
  after(async () => {
    await test?.stack.interrupt();
    test?.close();
    await project?.close();
  });

  /** The pool as the controller opens it, logged in as the project's user. */
  const opened = async (types: object): Promise<Pool> => {
    const { deployment } = JSON.parse(await test.stack.exported()) as { deployment: { resources: { type: string; outputs?: { controllerTarget?: OpenstackTarget } }[] } };
    const target = deployment.resources.find((r) => r.type === "elastigrid:index:WorkerGroup")?.outputs?.controllerTarget;
    if (target === undefined) throw new Error("the worker group has no controllerTarget in the state");
    const { authUrl, username, password, project: name } = project.login, domain = { name: "Default" };
    const api = makeOpenstack({ authUrl, region: project.region, auth: { kind: "password", username, password, userDomain: domain, project: { name, domain } } });
    const more = Object.keys(types).map((type) => ({ name: type, vcpus: 2, memoryMiB: 1_024, diskMiB: 5_120 }));
    return openstackPool(api, target, { min: 1, max: 4, vcpus: 1, memoryMiB: 512, diskMiB: 5_120, ...(more.length === 0 ? {} : { types: more }) });
  };
  const look = async (): Promise<PoolView> => {
    const seen = await pool.observe();
    if (!seen.known) throw new Error(seen.reason);
    await pool.tend?.();
    return seen.value;
  };
  const eventually = <T>(what: string, holds: () => Promise<T | undefined>): Promise<T> =>
    until(what, LIMIT_MS, async () => {
      const found = await holds();
      if (found === undefined) await pause(LOOK_MS);
      return found;
    });
  const running = (count: number): Promise<readonly Member[]> =>
    eventually(`${count} workers run and Heat is at rest`, async () => {
      const { members, busy } = await look();
      return busy === undefined && members.length === count && members.every((m) => m.status === "running") ? members : undefined;
    });
  const grow = (count: number, type?: string): Promise<true> =>
    eventually("Heat takes the order", async () => {
      const made = await pool.grow(Array.from({ length: count }, (_, i) => `w${i}`), type);
      if (made.failure !== undefined) throw new Error(made.failure);
      await look();
      return made.accepted === count ? true : undefined;
    });
  const gone = (id: string): Promise<true> => eventually(`${id} is gone`, async () => ((await pool.remove(id)) === "gone" ? true : undefined));
  interface Server {
    readonly id: string;
    readonly flavor: { readonly vcpus: number; readonly ram: number };
  }
  const flavorOf = async (id: string): Promise<Server["flavor"]> => (await project.api.get<{ server: Server }>("compute", `/v2.1/servers/${id}`)).server.flavor;
  const stacks = async (): Promise<number> => (await project.owned()).filter((o) => o.kind === "stack" && o.marks !== undefined).length;
  const unchanged = async (): Promise<boolean> => isEmptyChange((await test.stack.preview()).changes);

  it("has a group for each, and begins with workers of the first only", async () => {
    expect(await stacks()).to.equal(2);
    const [only] = await running(1);
    expect((await flavorOf(only?.id ?? "")).vcpus).to.equal(1);
    expect(await unchanged()).to.equal(true);
  });
  it("makes a worker of the other type in its own size, and of the first beside it", async () => {
    await grow(1, "big");
    await grow(1);
    const members = await running(3);
    const sizes = await Promise.all(members.map(async (m) => [m.type ?? "worker", (await flavorOf(m.id)).vcpus]));
    expect(sizes.sort()).to.deep.equal([["big", 2], ["worker", 1], ["worker", 1]]);
    expect(await unchanged()).to.equal(true);
  });
  it("removes exactly the chosen one of either group", async () => {
    const members = await running(3);
    const big = members.find((m) => m.type === "big")?.id ?? "", small = members.filter((m) => m.id !== big).map((m) => m.id);
    await gone(small[0] ?? "");
    expect((await running(2)).map((m) => m.id).sort()).to.deep.equal([big, small[1]].sort());
    await gone(big);
    expect((await running(1)).map((m) => m.id)).to.deep.equal([small[1]]);
  });
  it("refuses to make one of a type that is not declared", async () => {
    expect((await pool.grow(["w0"], "huge")).failure).to.match(/there is no worker type huge in this grid/);
  });
  it("takes the group of a type away with its last worker when the type is no longer declared, and touches no other", async () => {
    const before = (await running(1)).map((m) => m.id);
    await test.configure(withoutType);
    await test.stack.up();
    expect(await stacks()).to.equal(1);
    pool = await opened({});
    expect((await running(1)).map((m) => m.id)).to.deep.equal(before);
    expect(await unchanged()).to.equal(true);
  });
  it("is destroyed with nothing left", async () => {
    await test.stack.destroy();
    expect((await project.owned()).map((o) => `${o.kind} ${o.name}`)).to.deep.equal([]);
  });
});
