import { expect } from "chai";
import { freeRooms } from "../../../controller/learn";
import type { Merged } from "../../../controller/memory";
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
