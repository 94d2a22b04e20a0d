import { expect } from "chai";
import { newMemory, type Memory, type Merged } from "../../../controller/memory";
import { jobsByMachine, merge } from "../../../controller/merge";
import { known, type Gate, type Machine, type Member, type Observed, type QueueView } from "../../../controller/ports";

const gate: Gate = { created: () => undefined, admitted: () => true, close: () => false };
const id = (n: number): string => `${n}${n}${n}${n}${n}${n}${n}${n}-0000-4000-8000-000000000000`;
const nameOf = (n: number): string => `w-${id(n).slice(0, 8)}.g.internal`;
const member = (n: number, over: Partial<Member> = {}): Member => ({ id: id(n), name: `server-${n}`, status: "running", copying: false, macs: [], ...over });
const size = { cpus: 4, memoryMiB: 4_096, diskMiB: 9_000 };
const machine = (n: number, over: Partial<Machine> = {}): Machine => ({ name: nameOf(n), serverId: id(n), claims: 0, draining: false, drained: false, total: size, free: size, heardAtMs: 1, ...over });
const job = (name: string, n: number, startedAtMs?: number) => ({ id: name, owner: "ann", machine: nameOf(n), state: "running" as const, ...(startedAtMs === undefined ? {} : { startedAtMs }) });
const view = (over: Partial<QueueView>): Observed<QueueView> => known({ machines: [], groups: [], running: [], counts: { waiting: 0, running: 0, held: 0 }, ...over });

/** One look after another, five seconds apart, of one controller. */
class Looks {
  readonly memory: Memory = newMemory();
  nowMs = 1_000_000;
  look(members: readonly Member[], queue: Observed<QueueView> = view({})): readonly Merged[] {
    this.nowMs += 5_000;
    return merge(this.memory, { members, queue, running: jobsByMachine(queue), gate, poolDomain: "g.internal", defaultType: "worker", gapMs: 30_000, nowMs: this.nowMs, wallMs: this.nowMs });
  }
  get known(): readonly string[] {
    return [...this.memory.workers.keys()];
  }
}
const ids = (workers: readonly Merged[]): readonly string[] => workers.map((w) => w.id);

describe("cloud and queue put together", () => {
  it("shows a server that is listed twice once, as its last line says, in the place of its first", () => {
    const seen = new Looks().look([member(1), member(2), member(1, { status: "stopping" })]);
    expect(seen.map((w) => [w.id, w.server])).to.deep.equal([[id(1), "stopping"], [id(2), "running"]]);
  });

  it("keeps one that the list lacks, and forgets it when several lists and a question for it alone say that it is gone", () => {
    const l = new Looks();
    l.look([member(1), member(2)]);
    for (let n = 0; n < 20; n += 1) expect(ids(l.look([member(1)]))).to.deep.equal([id(1), id(2)]);
    l.memory.workers.get(id(2))!.saidGone = true;
    expect(ids(l.look([member(1)], view({ machines: [machine(2)] }))), "it is heard").to.deep.equal([id(1), id(2)]);
    expect(ids(l.look([member(1)]))).to.deep.equal([id(1)]);
    expect(l.known).to.deep.equal([id(1)]);
  });

  it("believes in one that comes back to the list, whatever the question for it said", () => {
    const l = new Looks();
    l.look([member(1)]);
    for (let n = 0; n < 20; n += 1) l.look([]);
    l.memory.workers.get(id(1))!.saidGone = true;
    l.look([member(1)]);
    expect(l.memory.workers.get(id(1))).to.include({ saidGone: false, unlisted: undefined });
    expect(ids(l.look([]))).to.deep.equal([id(1)]);
  });

  it("forgets what was only ordered as soon as the list lacks it", () => {
    const l = new Looks();
    expect(ids(l.look([member(1), member(2, { placeholder: true, status: "starting" })]))).to.deep.equal([id(1), id(2)]);
    expect(ids(l.look([member(1)]))).to.deep.equal([id(1)]);
    expect(l.known).to.deep.equal([id(1)]);
  });

  it("does not show one that is verified gone while lists lag, and forgets it", () => {
    const l = new Looks();
    l.look([member(1), member(2)]);
    l.memory.gone.set(id(2), l.nowMs);
    expect(ids(l.look([member(1), member(2)]))).to.deep.equal([id(1)]);
    expect(l.known).to.deep.equal([id(1)]);
    l.nowMs += 120_000;
    expect(ids(l.look([member(1), member(2)])), "it is there after all").to.deep.equal([id(1), id(2)]);
  });

  it("shows one that the pool knows and no list has had", () => {
    const l = new Looks();
    const seen = l.look([member(1)], view({ machines: [machine(1), machine(2)] }));
    expect(seen.map((w) => [w.id, w.name, w.server, w.phase])).to.deep.equal([[id(1), "w-11111111", "running", "idle"], [id(2), "w-22222222", "unknown", "idle"]]);
  });

  it("tells when the oldest of a worker's jobs began, as far as they say so", () => {
    const running = [job("1.0", 1), job("2.0", 1, 70), job("3.0", 2, 5), job("4.0", 1, 30)];
    const [one, two, three] = new Looks().look([member(1), member(2), member(3)], view({ machines: [machine(1), machine(2), machine(3)], running }));
    expect([one, two, three].map((w) => [w!.jobs, w!.oldestJobStartMs])).to.deep.equal([[3, 30], [1, 5], [0, undefined]]);
  });

  const ends: Array<[string, Partial<QueueView>, boolean]> = [
    ["that is still there", { running: [job("1.0", 1), job("2.0", 1)] }, false],
    ["that has left", { running: [job("2.0", 1)] }, true],
    ["that has come back to the queue", { running: [job("2.0", 1)], returned: [{ id: "1.0", machine: nameOf(1), atMs: 0 }] }, false],
    ["whose machine another one's return names", { running: [job("2.0", 1)], returned: [{ id: "1.0", machine: nameOf(2), atMs: 0 }] }, true],
  ];
  for (const [which, next, ended] of ends) it(`${ended ? "takes a job" : "takes no job"} ${which} for one that has ended`, () => {
    const l = new Looks(), machines = [machine(1, { claims: 2 })];
    l.look([member(1)], view({ machines, running: [job("1.0", 1), job("2.0", 1)] }));
    expect(l.look([member(1)], view({ machines, ...next }))[0]!.proven).to.equal(ended ? true : undefined);
    // What has once ended stays known, whatever runs there later.
    expect(l.look([member(1)], view({ machines, running: next.running ?? [] }))[0]!.proven).to.equal(ended ? true : undefined);
  });

  it("takes an ad that was heard after the first bad word for a contradiction, and an old one for none", () => {
    const l = new Looks(), bad = [member(1, { status: "stopped" })];
    l.look([member(1)], view({ machines: [machine(1, { heardAtMs: 1 })] }));
    expect(l.look(bad, view({ machines: [machine(1, { heardAtMs: 1 })] }))[0]!.off?.contradicted).to.equal(false);
    expect(l.look(bad, view({ machines: [machine(1, { heardAtMs: 2 })] }))[0]!.off?.contradicted).to.equal(true);
  });
});
