import { expect } from "chai";
import { freeRooms, learn } from "../../../controller/learn";
import { newMemory, type Merged } from "../../../controller/memory";
import type { Machine } from "../../../controller/ports";

const size = (cpus: number) => ({ cpus, memoryMiB: 1_000 * cpus, diskMiB: 4_000 * cpus });
const machine = (over: Partial<Machine> = {}): Machine => ({ name: "w-1.grid.internal", serverId: "1", claims: 0, draining: false, drained: false, total: size(4), free: size(4), heardAtMs: 0, ...over });
const worker = (over: Partial<Merged>): Merged => ({ id: "1", name: "w-1", type: "worker", phase: "idle", jobs: 0, machine: machine(), ...over } as Merged);

describe("room of workers", () => {
  const table: Array<[string, Partial<Merged>, number | undefined]> = [
    ["is what the ad calls free", { machine: machine({ free: size(3), claims: 1 }), phase: "busy", jobs: 1 }, 3],
    ["is less by the jobs that are newer than the ad", { phase: "busy", jobs: 3 }, 1],
    ["is never less than none", { phase: "busy", jobs: 9 }, 0],
    ["is none on a worker that drains", { phase: "draining" }, undefined],
    ["is none on a worker on which no job ends", { unhealthy: "3 jobs came back" }, undefined],
    ["is none on a worker that the pool does not show", { phase: "lost", machine: undefined }, undefined],
  ];
  for (const [says, over, cpus] of table) it(says, () => {
    const [room] = freeRooms([worker(over)], 1_000);
    expect(room?.room.cpus).to.equal(cpus);
    if (cpus !== undefined) expect(room?.room.memoryMiB).to.equal(1_000 * cpus);
  });
});

describe("what a type offers", () => {
  /** Looks of one worker each, one after another. */
  const learnt = (...machines: readonly Partial<Machine>[]) => {
    const memory = newMemory();
    for (const over of machines) learn(memory, { machines: [], groups: [], running: [], counts: { waiting: 0, running: 0, held: 0 } }, [worker({ machine: machine(over) })], [], 0, 0);
    return memory.offers.get("worker");
  };
  const ad = { Arch: '"X86_64"' };

  it("is the most that any worker had of each", () => {
    expect(learnt({ total: { cpus: 4, memoryMiB: 1, diskMiB: 7 } }, { total: { cpus: 2, memoryMiB: 9, diskMiB: 5 } })?.room).to.deep.equal({ cpus: 4, memoryMiB: 9, diskMiB: 7 });
    expect(learnt({ total: size(4) }, { total: size(4) }, { total: size(8) })?.room).to.deep.equal(size(8));
  });
  it("is the ad that was shown last, also when later looks bring none", () => {
    expect(learnt({ ad: { Arch: '"aarch64"' } }, { ad }, {})?.ad).to.deep.equal(ad);
    expect(learnt({}, { ad })?.ad).to.deep.equal(ad);
  });
  it("has the resources that the last worker has", () => {
    expect(learnt({ total: size(4) }, { total: { ...size(4), resources: { gpus: 1 } } })?.room.resources).to.deep.equal({ gpus: 1 });
    expect(learnt({ total: { ...size(4), resources: { gpus: 1 } } }, { total: size(4) })?.room.resources).to.equal(undefined);
  });
  it("is not learnt from a worker of a former definition", () => {
    const memory = newMemory();
    learn(memory, { machines: [], groups: [], running: [], counts: { waiting: 0, running: 0, held: 0 } }, [worker({ machine: machine(), retiring: "old" })], [], 0, 0);
    expect(memory.offers.size).to.equal(0);
  });
});
