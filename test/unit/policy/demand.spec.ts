import { expect } from "chai";
import fc from "fast-check";
import { matchKey, packDemand, type QueueJob } from "../../../components/policy/demand";

const job = (over: Partial<QueueJob> = {}): QueueJob => ({ id: "1.0", state: "waiting", owner: "grid", queuedAtMs: 0, requirements: "", cpus: 1, memoryMiB: 100, diskMiB: 1, ...over });
const many = (n: number, over: Partial<QueueJob> = {}): QueueJob[] => Array.from({ length: n }, (_, i) => job({ ...over, id: `${i}.0` }));
const worker = { cpus: 4, memoryMiB: 4_000, diskMiB: 10_000 };

describe("packDemand", () => {
  const table: Array<[string, Parameters<typeof packDemand>[0], object]> = [
    ["asks for as many workers as the cpus take", { waiting: many(9), free: [], booting: 0, worker }, { newWorkers: 3, placeable: 9, fitting: 0 }],
    ["packs by memory where that is scarcer", { waiting: many(4, { memoryMiB: 2_500 }), free: [], booting: 0, worker }, { newWorkers: 4 }],
    ["packs by disk where that is scarcest", { waiting: many(4, { diskMiB: 5_000 }), free: [], booting: 0, worker }, { newWorkers: 2 }],
    ["fills free room first", { waiting: many(3), free: [{ cpus: 2, memoryMiB: 1_000, diskMiB: 100 }], booting: 0, worker }, { newWorkers: 1, fitting: 2 }],
    ["counts a booting worker as room", { waiting: many(4), free: [], booting: 1, worker }, { newWorkers: 0, fitting: 4 }],
    ["mixes large and small jobs on one worker", { waiting: [job({ cpus: 3 }), job({ id: "2.0" })], free: [], booting: 0, worker }, { newWorkers: 1 }],
    ["asks for nothing for a job that fits no worker, and says why", { waiting: [job({ id: "7.1", memoryMiB: 9_000 })], free: [], booting: 0, worker }, { newWorkers: 0, placeable: 0, unmatchable: 1, unmatchableWhy: "job 7.1: asks for 9000 MiB of memory, a worker has 4000" }],
    ["asks for nothing for jobs that an idle worker refused", { waiting: [job()], free: [], booting: 0, worker, refused: new Set([matchKey(job())]) }, { newWorkers: 0, unmatchable: 1 }],
  ];
  for (const [says, given, wanted] of table) it(says, () => expect(packDemand(given)).to.deep.include(wanted));

  it("never asks for more workers than jobs, nor for fewer than the cpus need", () => {
    const anyJob = fc.record({ cpus: fc.integer({ min: 1, max: 5 }), memoryMiB: fc.integer({ min: 0, max: 5_000 }), diskMiB: fc.integer({ min: 0, max: 11_000 }) });
    fc.assert(fc.property(fc.array(anyJob, { maxLength: 40 }), fc.integer({ min: 0, max: 3 }), (jobs, booting) => {
      const d = packDemand({ waiting: jobs.map((j, i) => job({ ...j, id: `${i}.0` })), free: [], booting, worker });
      expect(d.newWorkers).to.be.at.most(d.placeable);
      expect(d.placeable + d.unmatchable).to.equal(jobs.length);
      const cpus = jobs.filter((j) => j.cpus <= 4 && j.memoryMiB <= 4_000 && j.diskMiB <= 10_000).reduce((n, j) => n + j.cpus, 0);
      expect((d.newWorkers + booting) * 4).to.be.at.least(cpus);
    }));
  });

  it("takes 10 000 jobs in a few milliseconds", () => {
    const waiting = many(10_000);
    const from = process.hrtime.bigint();
    expect(packDemand({ waiting, free: [], booting: 0, worker }).newWorkers).to.equal(2_500);
    expect(Number(process.hrtime.bigint() - from) / 1e6).to.be.below(500);
  });
});
