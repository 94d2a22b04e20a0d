import { expect } from "chai";
import { OpenstackPool } from "../../controller/adapters/openstack-pool";
import type { Member, PoolView } from "../../controller/ports";
import { markMember, readGroup } from "../../components/openstack/heat";
import { heatOutputs } from "../../components/render/heat";
import { pause, say, until } from "../support/chaos";
import { LabGroups, type GroupStackNow } from "../support/openstack-group";
import { MANY, needLab, openLabProject, type LabProject } from "../support/openstack-lab";

const PREFIX = "pooled-workers-0123456789abcdef-";
const LIMIT_MS = 240_000, LOOK_MS = 1_000;
const limits = { min: 1, max: 8 };

const ids = (members: readonly Member[]): string[] => members.map((m) => m.id).sort();
const seconds = (sinceMs: number): number => Math.round((Date.now() - sinceMs) / 1_000);

/** The controller's side of a real group of Heat, step by step as its loop takes them. */
describe("the controller's pool on Heat", function () {
  this.timeout(400_000);
  let project: LabProject, groups: LabGroups, stack: GroupStackNow, pool: OpenstackPool;

  before(async function () {
    await needLab(this);
    project = await openLabProject("pool");
    groups = await LabGroups.open(project);
    stack = await groups.make(`${PREFIX}aaaaaa`, limits);
    pool = open(stack);
  });
  after(async () => void (await project?.close()));

  const open = (s: GroupStackNow): OpenstackPool =>
    new OpenstackPool({ api: groups.api, limits, target: { kind: "openstack", authUrl: "", stackName: s.stack_name, stackId: s.id, stackPrefix: PREFIX } });
  const said: string[] = [];
  const look = async (): Promise<PoolView> => {
    const seen = await pool.observe();
    if (!seen.known) throw new Error(seen.reason);
    said.push(...(await pool.tend()));
    return seen.value;
  };
  const running = (count: number): Promise<readonly Member[]> =>
    until(`${count} workers run and Heat is at rest`, LIMIT_MS, async () => {
      const { members, busy } = await look();
      if (busy === undefined && members.length === count && members.every((m) => m.status === "running")) return members;
      await pause(LOOK_MS);
      return undefined;
    });
  const gone = (id: string): Promise<true> =>
    until(`${id} is gone`, LIMIT_MS, async () => {
      if ((await pool.remove(id)) === "gone") return true;
      await pause(LOOK_MS);
      return undefined;
    });
  const grow = async (count: number): Promise<void> => {
    await until("Heat takes the order", LIMIT_MS, async () => {
      const made = await pool.grow(Array.from({ length: count }, (_, i) => `w${i}`));
      if (made.failure !== undefined) throw new Error(made.failure);
      if (made.accepted === count) return true;
      await pause(LOOK_MS);
      return void (await look());
    });
  };
  const servers = async (): Promise<string[]> => (await project.api.get<{ servers: Array<{ id: string }> }>("compute", "/v2.1/servers/detail")).servers.map((s) => s.id).sort();
  const group = async () => {
    const found = await readGroup(groups.api, stack, "group");
    if (found?.nested === undefined) throw new Error("the group is gone");
    return { ...found, nested: found.nested };
  };

  it("grows by five in one call, all of which it shows from the first look on", async () => {
    const [first] = await running(1);
    const began = Date.now();
    await grow(5);
    expect((await look()).members).to.have.length(6);
    const all = await running(6);
    say(`1 to 6 in ${seconds(began)} s`);
    expect(ids(all)).to.include(first?.id);
    expect(ids(all)).to.deep.equal(await servers());
    expect(new Set(all.flatMap((m) => m.macs)).size).to.equal(6);
  });
  it("removes exactly the chosen one, inside the cooldown", async () => {
    const before = ids(await running(6)), victim = before[3] ?? "";
    const began = Date.now();
    await gone(victim);
    say(`gone in ${seconds(began)} s`);
    expect(await servers()).to.deep.equal(before.filter((id) => id !== victim));
  });
  it("removes two at once, both inside the cooldown again", async () => {
    const before = ids(await running(5)), victims = [before[0] ?? "", before[4] ?? ""];
    const began = Date.now();
    await Promise.all(victims.map(gone));
    say(`gone in ${seconds(began)} s`);
    expect(await servers()).to.deep.equal(before.filter((id) => !victims.includes(id)));
  });
  it("removes one while the high alarm's own signal makes another: one goes, one comes", async () => {
    const before = ids(await running(3)), victim = before[1] ?? "";
    const url = stack.outputs.find((o) => o.output_key === heatOutputs.upUrl)?.output_value ?? "";
    // Signals are ignored inside the cooldown of the last update.
    await until("Heat takes the signal", LIMIT_MS, async () => {
      expect((await fetch(url, { method: "POST" })).status).to.equal(200);
      await pause(3_000);
      return (await group()).members.length > 3 || (await servers()).length > 3;
    });
    await gone(victim);
    const after = ids(await running(3));
    expect(after).to.include.members(before.filter((id) => id !== victim));
    expect(after).to.not.include(victim);
  });
  it("loses nobody who runs, although somebody told Heat that it is unhealthy", async () => {
    const members = await running(3);
    const [kept = "", victim = ""] = ids(members);
    const { nested, members: rows } = await group();
    const row = rows.find((m) => m.serverId === kept);
    await markMember(groups.api, nested, row?.resource ?? "", true, "a check that went wrong");
    await gone(victim);
    expect(ids(await running(2))).to.include(kept);
    expect(await servers()).to.include(kept);
    expect((await group()).members.find((m) => m.serverId === kept)?.status).to.equal("CHECK_COMPLETE");
  });
  it("notices a worker that somebody deleted, and removes what Heat still believes of it, no other", async () => {
    const [lost = "", other = ""] = ids(await running(2));
    await project.api.delete("compute", `/v2.1/servers/${lost}`);
    await until("it is shown as gone", LIMIT_MS, async () => {
      await pause(LOOK_MS);
      return (await look()).members.find((m) => m.id === lost)?.status === "gone";
    });
    await gone(lost);
    expect(ids(await running(1))).to.deep.equal([other]);
  });
  it("removes also at the minimum, and makes no substitute unasked", async () => {
    const [last = ""] = ids(await running(1));
    await gone(last);
    await running(0);
    await pause(3_000);
    expect(await servers()).to.deep.equal([]);
    await grow(2);
    await running(2);
  });
  it("says which quota Heat met, mends the group, and grows when there is room again", async () => {
    const before = ids(await running(2));
    await project.allowServers(3);
    await grow(3);
    const why = await until("Heat's failure is told", LIMIT_MS, async () => {
      const { failure } = await look();
      if (failure === undefined) await pause(LOOK_MS);
      return failure?.why;
    });
    expect(why).to.match(/quota/i).and.match(/instances/i);
    const left = await until("the group is in order again", LIMIT_MS, async () => {
      const { members, busy, failure } = await look();
      if (busy === undefined && failure === undefined && members.every((m) => m.status === "running") && /_COMPLETE$/.test((await group()).stack.stack_status)) return members;
      await pause(LOOK_MS);
      return undefined;
    });
    expect(ids(left)).to.include.members(before);
    expect(said.join("; ")).to.match(/updated again/);
    await project.allowServers(MANY);
    const rest = 5 - left.length;
    await grow(rest);
    await running(5);
  });
  it("puts Heat's minimum back to the declared one when all is quiet", async () => {
    const all = ids(await running(5));
    await until("the minimum is the declared one", LIMIT_MS, async () => {
      await look();
      await pause(LOOK_MS);
      return (await group()).stack.parameters?.["min"] === "1";
    });
    expect(ids(await running(5))).to.deep.equal(all);
  });
  it("lets the workers of a former definition retire, and takes away its stack when they have gone", async () => {
    const newer = await groups.make(`${PREFIX}bbbbbb`, limits);
    const old = ids(await running(5));
    pool = open(newer);
    const all = await running(6);
    expect(ids(all.filter((m) => m.retiring !== undefined))).to.deep.equal(old);
    await Promise.all(old.map(gone));
    await until("the former stack is gone", LIMIT_MS, async () => {
      await look();
      await pause(LOOK_MS);
      return (await groups.show(stack.stack_name)) === undefined;
    });
    expect(ids(await running(1))).to.deep.equal(await servers());
  });
});
