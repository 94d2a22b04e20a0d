import { expect } from "chai";
import { randomUUID } from "node:crypto";
import type { Member } from "../../controller/ports";
import type { PoolFault } from "./cloud";
import type { Chapter, Story } from "./story";

const ids = (members: readonly { readonly id: string }[]): string[] => members.map((m) => m.id).sort();

const saysUnknown = async (s: Story, fault: PoolFault): Promise<void> => {
  const seen = await (await s.newPool(fault)).observe();
  expect(seen.known).to.equal(false);
  if (!seen.known) for (const secret of s.cloud.secrets) expect(seen.reason.includes(secret)).to.equal(false);
};

export const growing: Chapter = {
  title: "the group grows",
  happens: async (s) => {
    const before = await s.members();
    s.note("at first", ids(before));
    s.note("grown", await s.grow(4 - before.length));
  },
  behaviours: [
    { says: "by as many as asked for in one go", check: async (s) => expect(s.recall<Member[]>("grown")).to.have.length(4) },
    { says: "and keeps those that were there", check: async (s) => expect(ids(s.recall<Member[]>("grown"))).to.include.members(s.recall<string[]>("at first")) },
    { says: "and all of them run", check: async (s) => expect((await s.workers()).map((w) => w.running)).to.deep.equal([true, true, true, true]) },
    { says: "and each has a name and a network card of its own", check: async (s) => {
      const members = await s.members();
      expect(new Set(members.map((m) => m.name)).size).to.equal(4);
      expect(new Set(members.flatMap((m) => m.macs)).size).to.equal(4);
      for (const m of members) expect(m.macs.join()).to.match(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    } },
    { says: "and each has the declared size", check: async (s) => {
      for (const w of await s.workers()) expect([w.vcpus, w.memoryMiB >= 512 && w.memoryMiB < 1024]).to.deep.equal([1, true]);
    } },
    { says: "and none has a public address", check: async (s) => expect((await s.workers()).flatMap((w) => w.publicAddresses)).to.deep.equal([]) },
    { says: "and none is given a credential of the account by its user data", check: async (s) => {
      const text = await s.cloud.userData((await s.workers())[0]?.id ?? "");
      expect(text).to.include("#cloud-config");
      for (const secret of s.cloud.secrets) expect(text.includes(secret)).to.equal(false);
      expect(text).to.not.match(/OPENSSH PRIVATE KEY/);
    } },
    { says: "and a server made by hand is no worker, whatever its name", check: async (s) => expect(ids(await s.members())).to.not.include(s.recall("stranger")) },
    { says: "and the master is no worker", check: async (s) => expect(ids(await s.members())).to.not.include((await s.master()).id) },
    { says: "and one that runs need not be started", check: async (s) => {
      const pool = await s.pool();
      expect(await pool.start((await s.members())[0]?.id ?? "")).to.equal(false);
    } },
    { says: "and growing by none makes none", check: async (s) => {
      const made = await (await s.pool()).grow([]);
      expect([made.created, made.failure]).to.deep.equal([[], undefined]);
      expect(await s.members()).to.have.length(4);
    } },
  ],
};

export const upBeside: Chapter = {
  title: "up does not fight the scaling",
  happens: async (s) => {
    s.note("before up", ids(await s.members()));
    s.note("preview of a grown group", await s.previewed());
    s.note("writes at a grown group", await s.cloud.writesDuring(async () => s.note("up of a grown group", await s.up())));
  },
  behaviours: [
    { says: "it previews nothing while the group has another size than it began with", check: async (s) => expect(s.recall("preview of a grown group")).to.equal("") },
    { says: "it changes nothing", check: async (s) => expect(Object.keys(s.recall<object>("up of a grown group"))).to.deep.equal(["same"]) },
    { says: "it writes nothing", check: async (s) => expect(s.recall("writes at a grown group")).to.deep.equal([]) },
    { says: "all workers stay", check: async (s) => expect(ids(await s.members())).to.deep.equal(s.recall("before up")) },
    { says: "a refresh takes workers for no drift", check: async (s) => {
      await s.rest();
      await s.refresh();
      expect(await s.previewed()).to.equal("");
    } },
  ],
};

export const shrinking: Chapter = {
  title: "the group shrinks",
  happens: async (s) => {
    const members = await s.members();
    const victim = members[2]?.id ?? "";
    s.note("victim", victim);
    s.note("others", ids(members.filter((m) => m.id !== victim)));
    await s.remove(victim);
  },
  behaviours: [
    { says: "by exactly the worker that is told", check: async (s) => expect(ids(await s.members())).to.deep.equal(s.recall("others")) },
    { says: "and its server is gone from the cloud", check: async (s) => expect(ids(await s.cloud.servers())).to.not.include(s.recall("victim")) },
    { says: "and the others still run", check: async (s) => expect((await s.workers()).map((w) => w.running)).to.deep.equal([true, true, true]) },
    { says: "and a removal that is repeated is done", check: async (s) => {
      expect(await (await s.pool()).remove(s.recall("victim"))).to.equal("gone");
      expect(await s.members()).to.have.length(3);
    } },
    { says: "and one that never was is gone", check: async (s) => {
      expect(await (await s.pool()).remove(randomUUID())).to.equal("gone");
      expect(await s.members()).to.have.length(3);
    } },
    { says: "and somebody else's server is refused and lives", check: async (s) => {
      const id = s.recall<string>("stranger");
      await rejected(async () => (await s.pool()).remove(id));
      expect((await s.cloud.servers()).find((x) => x.id === id)?.running).to.equal(true);
    } },
    { says: "and the master is refused and lives", check: async (s) => {
      const { id } = await s.master();
      await rejected(async () => (await s.pool()).remove(id));
      expect((await s.master()).running).to.equal(true);
    } },
    { says: "and two removals at once take exactly these two", check: async (s) => {
      const members = await s.members();
      const [first, second, third] = members;
      await Promise.all([s.remove(first?.id ?? ""), s.remove(third?.id ?? "")]);
      expect(ids(await s.members())).to.deep.equal([second?.id]);
    } },
    { says: "and grows again after it", check: async (s) => expect(await s.grow(1)).to.have.length(2) },
    { says: "and a worker that somebody deleted counts no longer", check: async (s) => {
      const [, lost] = await s.members();
      await s.cloud.byHand.delete(lost?.id ?? "");
      await s.until("the lost one is no running member", async () => !(await s.members()).some((m) => m.id === lost?.id && m.status === "running"));
      s.note("lost", lost?.id);
    } },
    { says: "and its removal is done, and takes no other", check: async (s) => {
      await s.remove(s.recall("lost"));
      const left = await s.members();
      expect(left.filter((m) => m.id === s.recall("lost"))).to.deep.equal([]);
      expect(left.length).to.be.at.least(1);
    } },
    { says: "and can be filled up again", check: async (s) => expect(await s.grow(3 - (await s.members()).length)).to.have.length(3) },
  ],
};

export const blind: Chapter = {
  title: "a controller that cannot see",
  behaviours: [
    { says: "knows that it does not know while the cloud does not answer", check: (s) => saysUnknown(s, "away") },
    { says: "knows that it does not know while its login is refused", check: (s) => saysUnknown(s, "refused") },
    { says: "is told of a growth that failed", check: async (s) => {
      const made = await (await s.newPool("away")).grow(["conform-worker-never"]);
      expect(made.created).to.deep.equal([]);
      expect(made.failure).to.be.a("string").and.not.equal("");
    } },
    { says: "is never told that a server is gone", check: async (s) => {
      const [member] = await s.members();
      const pool = await s.newPool("away");
      const step = await pool.remove(member?.id ?? "").catch(() => "failed");
      expect(step).to.not.equal("gone");
    } },
    { says: "waits longer after a refused login", check: async (s) => expect((await (await s.newPool("refused")).grow(["conform-worker-never"])).wait).to.equal(true) },
    { says: "has changed nothing", check: async (s) => expect(await s.members()).to.have.length(3) },
  ],
};

async function rejected(work: () => Promise<unknown>): Promise<void> {
  const error = await work().then(() => undefined, (e: unknown) => e);
  expect(error, "it was refused").to.be.instanceOf(Error);
}
