import { expect } from "chai";
import type { RunningJob } from "../../../components/policy/demand";
import { newMemory } from "../../../controller/memory";
import { jobsByMachine, merge } from "../../../controller/merge";
import { releaseOrphans } from "../../../controller/orphans";
import { known, unknown, type Gate, type Observed, type QueueView } from "../../../controller/ports";

const STARTD_MS = 1_800_000_000_000;
const gate: Gate = { created: () => undefined, admitted: () => true, close: () => false };
const uuid = (n: number): string => `${`${n}`.padStart(8, "0")}-0000-4000-8000-000000000000`;
const nameOf = (n: number): string => `w-${uuid(n).slice(0, 8)}.g.internal`;
const size = { cpus: 4, memoryMiB: 4_096, diskMiB: 9_000 };

/** A pool of workers, each with two jobs that are older than its startd by a minute; a look every five seconds. */
class Pool {
  readonly memory = newMemory();
  readonly told: string[] = [];
  readonly journal: string[] = [];
  answer: () => Promise<Observed<number>> = async () => known(2);
  private nowMs = 50_000_000;

  constructor(private readonly workers: number) {}

  async look(over: { readonly olderMs?: number; readonly partial?: string } = {}): Promise<void> {
    const { olderMs = 60_000, partial } = over;
    this.nowMs += 5_000;
    const numbers = Array.from({ length: this.workers }, (_, i) => i + 1);
    const running = numbers.flatMap((n) => [0, 1].map((p): RunningJob => ({ id: `${n}.${p}`, owner: "ann", machine: nameOf(n), state: "running", startedAtMs: STARTD_MS - olderMs })));
    const machines = numbers.map((n) => ({ name: nameOf(n), serverId: uuid(n), claims: 0, draining: false, drained: false, total: size, free: size, heardAtMs: this.nowMs, startedAtMs: STARTD_MS }));
    const queue: Observed<QueueView> = known({ machines, groups: [], running, counts: { waiting: 0, running: running.length, held: 0 } }, partial);
    const members = numbers.map((n) => ({ id: uuid(n), name: `s-${n}`, status: "running" as const, copying: false, macs: [] }));
    merge(this.memory, { members, queue, running: jobsByMachine(queue), gate, poolDomain: "g.internal", defaultType: "worker", gapMs: 30_000, nowMs: this.nowMs, wallMs: this.nowMs });
    if (partial !== undefined) return;
    await releaseOrphans(this.memory, {
      nowMs: () => this.nowMs,
      queue: { releaseLostClaims: (machine: string, jobs: readonly RunningJob[]) => { this.told.push(`${machine} ${jobs.map((j) => j.id).join()}`); return this.answer(); } } as never,
      journal: { write: (what, why, worker) => void this.journal.push(`${what} ${worker}: ${why}`) },
    });
  }

  async looks(n: number, over: Parameters<Pool["look"]>[0] = {}): Promise<void> {
    for (let i = 0; i < n; i += 1) await this.look(over);
  }
}

describe("jobs of a startd that has ended", () => {
  it("are told of by machine, with one line each, when 15 s of looks have shown them", async () => {
    const p = new Pool(1);
    await p.looks(3);
    expect(p.told).to.deep.equal([]);
    await p.look();
    expect(p.told).to.deep.equal([`${nameOf(1)} 1.0,1.1`]);
    expect(p.journal).to.deep.equal(["release w-00000001: 2 jobs of a startd that has ended start anew"]);
  });
  it("are those that are older than the startd, and no others", async () => {
    const p = new Pool(1);
    await p.looks(20, { olderMs: 5_000 });
    expect([p.told, p.memory.workers.get(uuid(1))?.orphans]).to.deep.equal([[], undefined]);
  });
  it("are not shown by a look that is not the whole, and not forgotten by it either", async () => {
    const p = new Pool(1);
    await p.looks(20, { partial: "half" });
    expect(p.memory.workers.get(uuid(1))?.orphans).to.equal(undefined);
    await p.looks(3);
    await p.looks(2, { partial: "half" });
    await p.look();
    expect(p.told).to.have.length(1);
  });
  it("begin anew after one look that shows otherwise", async () => {
    const p = new Pool(1);
    await p.looks(3);
    await p.look({ olderMs: 0 });
    await p.looks(3);
    expect(p.told).to.deep.equal([]);
  });
  const failures: Array<[string, () => Promise<Observed<number>>, RegExp]> = [
    ["does not answer", async () => unknown("condor_q: no answer"), /release-failed w-00000001: condor_q: no answer/],
    ["throws", () => Promise.reject(new Error("odd")), /release-failed w-00000001: odd/],
  ];
  for (const [says, answer, line] of failures) it(`are tried again after a minute, five times in all, when the queue ${says}`, async () => {
    const p = new Pool(1);
    p.answer = answer;
    await p.looks(5);
    expect([p.told.length, p.journal.length]).to.deep.equal([1, 1]);
    expect(p.journal[0]).to.match(line);
    await p.looks(200);
    expect(p.told).to.have.length(5);
  });
  it("are left for the next passes where they are of many machines", async () => {
    const p = new Pool(10);
    await p.looks(4);
    expect(p.told).to.have.length(4);
    await p.looks(2);
    expect(new Set(p.told)).to.have.length(10);
  });
  it("say nothing when none is left", async () => {
    const p = new Pool(1);
    p.answer = async () => known(0);
    await p.looks(4);
    expect([p.told.length, p.journal]).to.deep.equal([1, []]);
  });
});
