import * as pulumi from "@pulumi/pulumi";
import { expect } from "chai";
import { removeEmptied, removeUndeclared, roomyMax } from "../../../components/clouds/openstack-heal";
import { steadyGroup } from "../../../components/openstack/steady";
import { GROUP_RESOURCE } from "../../../components/render/heat";
import { FakeHeat } from "../../support/fake-heat";
import { seeded } from "../../simulator/world/random";

const PREFIX = "elastigrid-u-", LIMITS = { pollMs: 1, seconds: 1 };

/** A group with as many members as its minimum, and the state of its servers. */
function group(name: string, size: number): { heat: FakeHeat; servers: Map<string, { status: string }> } {
  const servers = new Map<string, { status: string }>();
  let nowMs = 0;
  const make = (): string => {
    servers.set(`${name}-s${servers.size}`, { status: "ACTIVE" });
    return `${name}-s${servers.size - 1}`;
  };
  const heat = new FakeHeat(name, { min: size, max: 8, nowMs: () => (nowMs += 1_000), random: seeded(1), servers: { make, kill: (id) => void servers.delete(id), find: (id) => servers.get(id) } });
  return { heat, servers };
}
const stackOf = (heat: FakeHeat): { id: string; stack_name: string; stack_status: string } => ({ id: `id-${heat.name}`, stack_name: heat.name, stack_status: heat.status });

describe("a group's stacks before an up works with them", () => {
  const said: string[] = [], info = pulumi.log.info;
  before(() => Object.assign(pulumi.log, { info: async (text: string) => void said.push(text) }));
  beforeEach(() => void (said.length = 0));
  after(() => Object.assign(pulumi.log, { info }));

  const formers = (...sizes: readonly number[]): FakeHeat => {
    const { heat } = group(`${PREFIX}now`, 1);
    heat.former = sizes.map((n, i) => group(`${PREFIX}old${i}`, n).heat);
    return heat;
  };
  it("loses the stacks of former definitions that have no worker left, and says so", async () => {
    const heat = formers(0, 2, 0);
    await removeEmptied(heat.api(), PREFIX, heat.name);
    expect(heat.former.map((f) => f.exists)).to.deep.equal([false, true, false]);
    expect(heat.exists).to.equal(true);
    expect(said.join("\n")).to.match(/old0.*no worker left/).and.not.match(/old1/);
  });
  it("loses those of worker types that are no longer declared, once they are empty; a declared type's are its own", async () => {
    const { heat } = group(`${PREFIX}now`, 1);
    heat.former = [group(`${PREFIX}t-large-abc`, 0).heat, group(`${PREFIX}t-huge-abc`, 0).heat, group(`${PREFIX}t-tiny-abc`, 1).heat];
    await removeEmptied(heat.api(), PREFIX, heat.name);
    expect(heat.former.map((f) => f.exists), "none of them is a former one of the first type").to.deep.equal([true, true, true]);
    await removeUndeclared(heat.api(), PREFIX, ["worker", "large"]);
    expect(heat.former.map((f) => f.exists)).to.deep.equal([true, false, true]);
    expect(said.join("\n")).to.match(/t-huge-abc, of a worker type that is no longer declared/);
  });
  it("keeps them as long as the present one is not whole: the controller may still add workers to them", async () => {
    const heat = formers(0);
    heat.status = "CREATE_IN_PROGRESS";
    await removeEmptied(heat.api(), PREFIX, heat.name);
    await removeEmptied(heat.api(), PREFIX, `${PREFIX}not-there-yet`);
    expect(heat.former.map((f) => f.exists)).to.deep.equal([true]);
  });
  it("keeps another grid's", async () => {
    const heat = formers();
    heat.former = [group("elastigrid-other-old", 0).heat];
    await removeEmptied(heat.api(), PREFIX, heat.name);
    expect(heat.former.map((f) => f.exists)).to.deep.equal([true]);
  });

  for (const [size, max, told] of [[4, 2, 4], [4, 6, 6], [2, 2, 2]] as const)
    it(`gets a maximum of ${told} where ${size} workers are there and the configuration says ${max}`, async () => {
      const { heat } = group(`${PREFIX}now`, size);
      expect(await roomyMax(heat.api(), heat.name, max)).to.equal(told);
      expect(said).to.have.length(size > max ? 1 : 0);
    });
  it("gets the maximum of the configuration where there is no stack yet", async () => expect(await roomyMax(group(`${PREFIX}now`, 1).heat.api(), `${PREFIX}new`, 3)).to.equal(3));

  it("has no worker marked as failed that runs, however that came", async () => {
    const { heat, servers } = group(`${PREFIX}now`, 3);
    for (const m of heat.members) heat.checkFails(m);
    servers.delete(heat.members[1]?.serverId ?? "");
    servers.set(heat.members[2]?.serverId ?? "", { status: "ERROR" });
    expect(await steadyGroup(heat.api(), stackOf(heat), GROUP_RESOURCE, LIMITS)).to.equal(1);
    expect(heat.members.map((m) => m.status)).to.deep.equal(["CHECK_COMPLETE", "CHECK_FAILED", "CHECK_FAILED"]);
  });
  it("turns any failure of a running worker into the one that Heat takes back", async () => {
    const { heat } = group(`${PREFIX}now`, 1);
    Object.assign(heat.members[0] ?? {}, { status: "UPDATE_FAILED" });
    expect(await steadyGroup(heat.api(), stackOf(heat), GROUP_RESOURCE, LIMITS)).to.equal(1);
    expect(heat.log).to.deep.equal([`mark ${heat.members[0]?.serverId ?? ""}`, `unmark ${heat.members[0]?.serverId ?? ""}`]);
  });
  it("is waited for", async () => {
    const { heat } = group(`${PREFIX}now`, 2);
    heat.update(2);
    expect(await steadyGroup(heat.api(), stackOf(heat), GROUP_RESOURCE, { pollMs: 1, seconds: 5 })).to.equal(2);
    expect(heat.status).to.equal("UPDATE_COMPLETE");
  });
  it("may be gone", async () => {
    const { heat } = group(`${PREFIX}now`, 1);
    heat.exists = false;
    expect(await steadyGroup(heat.api(), stackOf(heat), GROUP_RESOURCE, LIMITS)).to.equal(undefined);
  });
});
