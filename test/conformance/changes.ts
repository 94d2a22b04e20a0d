import { expect } from "chai";
import type { SeenServer } from "./cloud";
import { baseGrid, type Chapter, type Story } from "./story";

const ids = (members: readonly { readonly id: string }[]): string[] => members.map((m) => m.id).sort();
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea operator@example.org";

/** What no update of the group may touch. */
const remember = async (s: Story): Promise<void> => {
  await s.rest();
  s.note("workers before", await s.workers());
  s.note("master before", await s.master());
};
const workersAsBefore = async (s: Story): Promise<unknown> => expect(await s.workers()).to.have.deep.members(s.recall<SeenServer[]>("workers before"));
const masterAsBefore = async (s: Story): Promise<unknown> => expect(await s.master()).to.deep.equal(s.recall("master before"));
const nothingLeftToDo = async (s: Story): Promise<unknown> => expect(await s.previewed()).to.equal("");

export const limits: Chapter = {
  title: "other limits, alarms and firewall rules while workers run",
  happens: async (s) => {
    await remember(s);
    await s.up({
      ...baseGrid,
      workers: { ...baseGrid.workers, max: 5 },
      alarms: { cpuHigh: { thresholdPercent: 70 }, cpuLow: { thresholdPercent: 5 } },
      scaling: { idleSeconds: 120 },
      firewall: [{ name: "web", protocol: "tcp", ports: "443", from: ["198.51.100.0/24"], to: "master" }],
    });
  },
  behaviours: [
    { says: "touch no worker", check: workersAsBefore },
    { says: "keep the size that the group has reached", check: async (s) => expect(ids(await s.members())).to.deep.equal(ids(s.recall<SeenServer[]>("workers before"))) },
    { says: "touch no master", check: masterAsBefore },
    { says: "leave nothing to do", check: nothingLeftToDo },
  ],
};

export const newWorkers: Chapter = {
  title: "other user data for workers while some run",
  happens: async (s) => {
    await remember(s);
    const monitoring = { name: "monitoring", protocol: "tcp", ports: "8000-8010", from: ["10.77.0.1/32"], to: "workers" };
    await s.up({ ...s.grid, ssh: { authorizedKeys: [key] }, firewall: [monitoring] });
  },
  behaviours: [
    { says: "leaves those that run as they are", check: workersAsBefore },
    { says: "makes no new master of it, which would lose the queue", check: async (s) => expect((await s.master()).id).to.equal(s.recall<SeenServer>("master before").id) },
    { says: "leaves the master running", check: async (s) => expect((await s.master()).running).to.equal(true) },
    { says: "leaves nothing to do", check: nothingLeftToDo },
    { says: "holds for the next worker", check: async (s) => {
      const before = ids(await s.members());
      await s.grow(1);
      const fresh = (await s.workers()).find((w) => !before.includes(w.id))?.id ?? "";
      const [old, now] = [await s.cloud.userData(before[0] ?? ""), await s.cloud.userData(fresh)];
      expect(now).to.include("#cloud-config").and.not.equal(old);
    } },
    { says: "leaves the others as they are even then", check: async (s) => expect(await s.workers()).to.include.deep.members(s.recall<SeenServer[]>("workers before")) },
  ],
};

const undrained = { openstack: "without a controller (bootstrap none) nobody could drain the workers of the old size, and their group is replaced; with one, pool.spec.ts shows that they drain" };

export const newSize: Chapter = {
  title: "another size for workers while some run",
  happens: async (s) => {
    await remember(s);
    await s.up({ ...s.grid, workers: { ...baseGrid.workers, max: 6, memory: "1 GiB" } });
  },
  behaviours: [
    { says: "leaves those that run as they are", notOn: undrained, check: workersAsBefore },
    { says: "touches no master", check: masterAsBefore },
    { says: "leaves nothing to do", check: nothingLeftToDo },
    { says: "holds for the next worker", check: async (s) => {
      const before = ids(await s.members());
      await s.grow(1);
      const fresh = (await s.workers()).filter((w) => !before.includes(w.id));
      expect(fresh.map((w) => w.memoryMiB >= 1024)).to.deep.equal([true]);
    } },
  ],
};

export const newMaster: Chapter = {
  title: "another size for the master",
  happens: async (s) => {
    await remember(s);
    await s.up({ ...s.grid, master: { ...baseGrid.master, memory: "1 GiB" } });
  },
  behaviours: [
    { says: "resizes it in place", check: async (s) => {
      const { id, memoryMiB } = await s.master();
      expect(id).to.equal(s.recall<SeenServer>("master before").id);
      expect(memoryMiB).to.be.within(1024, 2047);
    } },
    { says: "lets it run again", check: async (s) => expect((await s.master()).running).to.equal(true) },
    { says: "keeps its address", check: async (s) => expect((await s.master()).publicAddresses).to.deep.equal(s.recall<SeenServer>("master before").publicAddresses) },
    { says: "touches no worker", check: workersAsBefore },
    { says: "leaves nothing to do", check: nothingLeftToDo },
  ],
};

export const stoppedByHand: Chapter = {
  title: "a master that somebody stopped",
  happens: async (s) => {
    await remember(s);
    await s.cloud.byHand.stop((await s.master()).id);
    await s.refresh();
  },
  behaviours: [
    { says: "shows as drift", check: async (s) => expect(await s.previewed()).to.not.equal("") },
    { says: "is started again by up, the same one", check: async (s) => {
      await s.up();
      await masterAsBefore(s);
    } },
  ],
};

export const deletedByHand: Chapter = {
  title: "servers that somebody deleted",
  happens: async (s) => {
    await remember(s);
    const worker = (await s.members())[0]?.id ?? "";
    s.note("lost worker", worker);
    await Promise.all([s.cloud.byHand.delete((await s.master()).id), s.cloud.byHand.delete(worker)]);
    await s.refresh();
    s.note("preview of the loss", await s.previewed());
    await s.up();
  },
  behaviours: [
    { says: "show as drift where they are Pulumi's", check: async (s) => expect(s.recall("preview of the loss")).to.not.equal("") },
    { says: "a master is made again", check: async (s) => {
      const master = await s.master();
      expect(master.running).to.equal(true);
      expect(master.id).to.not.equal(s.recall<SeenServer>("master before").id);
    } },
    { says: "with the address that it had", check: async (s) => expect((await s.master()).publicAddresses).to.deep.equal(s.recall<SeenServer>("master before").publicAddresses) },
    { says: "and no other worker is touched", check: async (s) => {
      const others = s.recall<SeenServer[]>("workers before").filter((w) => w.id !== s.recall("lost worker"));
      expect(await s.workers()).to.include.deep.members(others);
    } },
    { says: "and nothing is left to do", check: nothingLeftToDo },
  ],
};
