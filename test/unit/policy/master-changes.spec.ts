import { expect } from "chai";
import { parseGridConfig } from "../../../components/config/schema";
import { describeProblem } from "../../../components/errors";
import { judgeChanges, type JudgedChanges, type LivingMaster } from "../../../components/policy/master-changes";

const DISK = "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78", OTHER = "11111111-2222-4333-8444-555555555555";
const smaller = { path: "grid.master.disk", wanted: "3 GiB", now: "4 GiB", why: "a disk can only grow", keep: 'set it to "4 GiB" or more' };
const living = (over: Partial<LivingMaster> = {}): LivingMaster => ({ holder: { what: "disk", name: "grid-master-disk", id: DISK }, gridName: "grid", cidr: "10.77.0.0/24", sshPort: 22, vlan: OTHER, replacing: [], ...over });
const judge = (raw: object, over: Partial<LivingMaster> = {}): JudgedChanges => judgeChanges(living(over), parseGridConfig(raw));

/** [what, configuration, the living grid, paths of the problems, first note] */
const table: Array<[string, object, Partial<LivingMaster>, string[], RegExp | undefined]> = [
  ["nothing where nothing differs", {}, {}, [], undefined],
  ["nothing where the cloud tells nothing", { name: "a", network: { cidr: "10.1.0.0/24" }, ssh: { port: 2222 } }, { gridName: undefined, cidr: undefined, sshPort: undefined, holder: undefined }, [], undefined],
  ["another name", { name: "other" }, {}, ["grid.name"], undefined],
  ["another range", { network: { cidr: "10.78.0.0/24" } }, {}, ["grid.network.cidr"], undefined],
  ["another VLAN", { network: { vlan: DISK } }, {}, ["grid.network.vlan"], undefined],
  ["another ssh port", { ssh: { port: 2222 } }, {}, ["grid.ssh.port"], undefined],
  ["what would replace the disk", {}, { replacing: [smaller] }, ["grid.master.disk"], undefined],
  ["all of it at once", { name: "other", network: { cidr: "10.78.0.0/24" }, ssh: { port: 2222 } }, { replacing: [smaller] }, ["grid.name", "grid.network.cidr", "grid.ssh.port", "grid.master.disk"], undefined],
  ["nothing about a disk that is gone already", {}, { holder: undefined, replacing: [smaller] }, [], undefined],
  ["a permission for another disk", { master: { replace: OTHER } }, { replacing: [smaller] }, ["grid.master.disk"], new RegExp(`names ${OTHER}, but the queue is on disk grid-master-disk \\(${DISK}\\): it permits nothing`)],
  ["nothing with the disk's own permission, but says what is lost and what comes again", { master: { replace: DISK } }, { replacing: [smaller] }, [], /is replaced \(grid\.master\.disk: 4 GiB -> 3 GiB\)\. Lost: all jobs.*Set up again: HTCondor's key.*Workers that run stay/],
  ["a new ssh port only with a new master", { master: { replace: DISK }, ssh: { port: 2222 } }, { replacing: [smaller] }, [], /Lost/],
  ["another range even with a new master, without announcing a loss", { master: { replace: DISK }, network: { cidr: "10.78.0.0/24" } }, { replacing: [smaller] }, ["grid.network.cidr"], undefined],
  ["nothing for a permission that is not needed, but says to remove it", { master: { replace: DISK } }, {}, [], /no change asks for that: remove it/],
];

describe("changes of a living grid's master", () => {
  for (const [title, raw, over, paths, note] of table)
    it(`refuses ${title}`, () => {
      const { problems, notes } = judge(raw, over);
      expect(problems.map((p) => p.path)).to.deep.equal(paths);
      if (note === undefined) expect(notes).to.deep.equal([]);
      else expect(notes.join("\n")).to.match(note);
    });
  it("names path, value, rule and fix, with the one uuid that lifts it", () => {
    const [problem] = judge({}, { replacing: [smaller] }).problems;
    expect(describeProblem(problem!)).to.match(/^grid\.master\.disk = 3 GiB: is not what the master's disk grid-master-disk \(3f1c7a52\S+\) has \(4 GiB\), and because a disk can only grow.*; set it to "4 GiB" or more; or, .* set grid\.master\.replace to 3f1c7a52/);
  });
});
