import { expect } from "chai";
import fc from "fast-check";
import { packDemand, type DemandInput, type FreeRoom, type Offer, type Room, type WaitingGroup } from "../../../components/policy/demand";

const room: Room = { cpus: 4, memoryMiB: 4_096, diskMiB: 10_000 };
const offer = (over: Partial<Offer> = {}): Offer => ({ type: "default", learned: true, room, ad: { Arch: '"X86_64"' }, ...over });
const group = (over: Partial<WaitingGroup> = {}): WaitingGroup => ({ key: "g", count: 1, exampleId: "1.0", owner: "ann", queuedAtMs: 0, request: { cpus: 1, memoryMiB: 100, diskMiB: 1 }, ad: {}, ...over });
const asking = (over: Partial<Room>): { request: Room } => ({ request: { cpus: 1, memoryMiB: 100, diskMiB: 1, ...over } });
const free = (over: Partial<Room> = {}): FreeRoom => ({ type: "default", room: { ...room, ...over }, total: room });
const input = (over: Partial<DemandInput> = {}): DemandInput =>
  ({ groups: [], free: [], coming: {}, offers: [offer()], refused: new Map(), nowMs: 1_000_000, queueNowMs: 10_000_000, leadMs: 90_000, ...over });
const unsureAd = { Requirements: "newFunction(TARGET.Cpus)" };
const refusal = (probeAtMs: number) => ({ sinceMs: 0, probeAtMs, probes: 0 });

describe("packDemand", () => {
  const gpu = offer({ type: "gpu", price: 5, room: { ...room, resources: { gpus: 2 } } });
  const table: Array<[string, Partial<DemandInput>, object]> = [
    ["asks for as many workers as the cpus take", { groups: [group({ count: 9 })] }, { newWorkers: 3, placeable: 9, fitting: 0, byType: { default: 3 } }],
    ["packs by memory where that is scarcer", { groups: [group({ count: 4, ...asking({ memoryMiB: 2_500 }) })] }, { newWorkers: 4 }],
    ["packs by disk where that is scarcest", { groups: [group({ count: 4, ...asking({ diskMiB: 5_000 }) })] }, { newWorkers: 2 }],
    ["counts memory as HTCondor rounds it", { groups: [group({ count: 4, ...asking({ memoryMiB: 1_025 }) })] }, { newWorkers: 2 }],
    ["and gives what is left by the size that was asked for", { groups: [group({ count: 4, ...asking({ memoryMiB: 1_020 }) })] }, { newWorkers: 1 }],
    ["fills free room first", { groups: [group({ count: 3 })], free: [free({ cpus: 2 })] }, { newWorkers: 1, fitting: 2 }],
    ["counts a worker on its way as room", { groups: [group({ count: 4 })], coming: { default: 1 } }, { newWorkers: 0, fitting: 4 }],
    ["mixes large and small jobs on one worker", { groups: [group({ key: "a", ...asking({ cpus: 3 }) }), group({ key: "b" })] }, { newWorkers: 1 }],
    ["asks for nothing for a job that fits no worker, and says why", { groups: [group({ exampleId: "7.1", ...asking({ memoryMiB: 9_000 }) })] }, { newWorkers: 0, placeable: 0, unmatchable: 1, unmatchableWhy: "job 7.1: asks for 9000 MiB of memory, a worker has 4096" }],
    ["takes the cheapest type that matches", { groups: [group({ count: 8 })], offers: [gpu, offer({ price: 1 })] }, { byType: { default: 2 } }],
    ["takes the type that has what is asked for", { groups: [group({ count: 3, ...asking({ resources: { gpus: 1 } }) })], offers: [gpu, offer({ price: 1 })] }, { byType: { gpu: 2 }, unmatchable: 0 }],
    ["breaks a tie of prices by name", { groups: [group()], offers: [offer({ type: "b" }), offer({ type: "a" })] }, { byType: { a: 1 } }],
    ["goes on with the next type where one may not grow any more", { groups: [group({ count: 12 })], offers: [offer({ most: 1 }), offer({ type: "dear", price: 9 })] }, { byType: { default: 1, dear: 2 } }],
    ["does not put a job into a worker of a type that it does not match", { groups: [group(asking({ resources: { gpus: 1 } }))], free: [free()], offers: [gpu, offer()] }, { byType: { gpu: 1 }, fitting: 0 }],
    ["buys nothing for jobs that run on the master", { groups: [group({ needsNoWorker: true, count: 5 })] }, { newWorkers: 0, placeable: 0, unmatchable: 0 }],
    ["buys nothing yet for jobs that wait by their own wish", { groups: [group({ notBeforeMs: 10_000_000 + 90_001 })] }, { newWorkers: 0, placeable: 0 }],
    ["has a worker there in time for them", { groups: [group({ notBeforeMs: 10_000_000 + 90_000 })] }, { newWorkers: 1 }],
    ["buys no more than a limit outside leaves", { groups: [group({ count: 20, limits: { licence: 2 } })], limitsLeft: { licence: 9 } }, { newWorkers: 1, placeable: 4 }],
    ["buys nothing where the limit is used up", { groups: [group({ count: 20, limits: { licence: 1 } })], limitsLeft: { licence: 0 } }, { newWorkers: 0, placeable: 0, unmatchable: 0 }],
    ["shares a limit between groups", { groups: [group({ key: "a", count: 6, limits: { licence: 1 } }), group({ key: "b", count: 6, limits: { licence: 1 } })], limitsLeft: { licence: 8 } }, { newWorkers: 2, placeable: 8 }],
    ["takes a limit that nobody has set for none", { groups: [group({ count: 8, limits: { other: 1 } })], limitsLeft: { licence: 0 } }, { newWorkers: 2 }],
    ["packs the nodes of a gang like jobs", { groups: [group({ gang: 6 })] }, { newWorkers: 2, placeable: 1 }],
    ["puts a gang into room that is there", { groups: [group({ gang: 6 })], free: [free(), free({ cpus: 2 })] }, { newWorkers: 0, fitting: 1 }],
    ["completes a gang's room", { groups: [group({ gang: 6 })], free: [free()] }, { newWorkers: 1, fitting: 0 }],
    ["begins no gang that can never be completed, and says so", { groups: [group({ gang: 9 })], most: 2 }, { newWorkers: 0, placeable: 0, unmatchable: 1, unmatchableWhy: "job 1.0: needs room for 9 nodes at once, all workers that there may be have it for 8" }],
    ["nor one whose type may not grow so far", { groups: [group({ gang: 9 })], offers: [offer({ most: 2 })] }, { newWorkers: 0, placeable: 0 }],
    ["lets a gang wait for jobs that run, buys nothing, and keeps what is there", { groups: [group({ gang: 8 })], most: 0, free: [free(), free({ cpus: 0 })] }, { newWorkers: 0, placeable: 1, fitting: 0 }],
    ["lets a gang wait for workers that others get first", { groups: [group({ gang: 8 }), group({ key: "b", count: 8 })], most: 2 }, { newWorkers: 2, placeable: 9, unmatchable: 0 }],
    ["serves ordinary jobs beside a gang that cannot be", { groups: [group({ gang: 100 }), group({ key: "b", count: 3 })], most: 2, free: [free()] }, { newWorkers: 0, placeable: 3, fitting: 3 }],
    ["gives a gang no room that others need", { groups: [group({ gang: 4 }), group({ key: "b", count: 4 })], free: [free()] }, { newWorkers: 1, placeable: 5 }],
    ["tries one worker for jobs of which nobody knows", { groups: [group({ count: 50, ad: unsureAd })] }, { newWorkers: 1, placeable: 1 }],
    ["tries none more while one is on its way", { groups: [group({ count: 50, ad: unsureAd })], coming: { default: 1 } }, { newWorkers: 0 }],
    ["tries none more for a second such group that has no room left there", { groups: [group({ key: "a", count: 9, ad: unsureAd }), group({ key: "b", ad: unsureAd })], coming: { default: 1 } }, { newWorkers: 0 }],
    ["tries one worker for several such groups together", { groups: [group({ key: "a", ad: unsureAd }), group({ key: "b", ad: unsureAd })] }, { newWorkers: 1 }],
    ["asks for nothing for jobs that an idle worker refused", { groups: [group({ count: 5 })], refused: new Map([["g", refusal(2_000_000)]]) }, { newWorkers: 0, unmatchable: 5, placeable: 0 }],
    ["tries them again with one worker when it is time", { groups: [group({ count: 50 })], refused: new Map([["g", refusal(1_000_000)]]) }, { newWorkers: 1, unmatchable: 50 }],
    ["but not while a worker with room stands there", { groups: [group({ count: 50 })], refused: new Map([["g", refusal(1_000_000)]]), free: [free()] }, { newWorkers: 0 }],
    ["lets a refusal speak for its own group alone", { groups: [group({ key: "a", count: 1 }), group({ key: "b", count: 20 })], refused: new Map([["a", refusal(2_000_000)]]) }, { newWorkers: 5, placeable: 20, unmatchable: 1 }],
    ["keeps places free beyond what waits", { groups: [group({ count: 2 })], spareSlots: 5 }, { newWorkers: 2 }],
    ["counts free places as spare", { free: [free()], spareSlots: 3 }, { newWorkers: 0, spare: 4 }],
    ["tells since when the longest waiting placeable job waits", { groups: [group({ key: "a", queuedAtMs: 5 }), group({ key: "b", queuedAtMs: 1, ...asking({ cpus: 99 }) })] }, { oldestQueuedMs: 5 }],
    ["has no worker to order without a type", { groups: [group()], offers: [] }, { newWorkers: 0 }],
  ];
  for (const [says, given, wanted] of table) it(says, () => expect(packDemand(input(given))).to.deep.include(wanted));

  it("gives every group its own reason", () => {
    const d = packDemand(input({
      groups: [
        group({ key: "a", exampleId: "1.0", count: 2, ...asking({ resources: { gpus: 2 } }) }), group({ key: "b", exampleId: "2.0", ad: { Requirements: "TARGET.HasX =?= true" } }),
        group({ key: "c", exampleId: "3.0", notBeforeMs: 20_000_000 }), group({ key: "d", exampleId: "4.0", limits: { l: 1 } }), group({ key: "e", exampleId: "5.0", needsNoWorker: true }),
        group({ key: "f", exampleId: "6.0" }), group({ key: "h", exampleId: "7.0", ad: unsureAd, count: 3 }), group({ key: "ok", exampleId: "8.0" }),
      ],
      unreadable: [{ id: "9.0", count: 4, why: "odd" }], limitsLeft: { l: 0 }, refused: new Map([["f", refusal(9e9)]]),
    }));
    expect(d.reasons.map((r) => [r.exampleId, r.count, r.kind])).to.deep.equal([
      ["1.0", 2, "unmatchable"], ["2.0", 1, "unmatchable"], ["6.0", 1, "refused"], ["7.0", 2, "unsure"], ["9.0", 4, "unreadable"], ["4.0", 1, "limited"], ["3.0", 1, "later"], ["5.0", 1, "no-worker-needed"],
    ]);
    expect(d.reasons[0]!.why).to.equal("asks for 2 GPUs, a worker has none");
    expect(d.reasons[1]!.why).to.match(/a worker has no HasX$/);
    expect(d.placeable + d.reasons.reduce((n, r) => n + r.count, 0)).to.equal(15);
  });
});

describe("packDemand, whatever comes", () => {
  const anyRoom = fc.record({ cpus: fc.integer({ min: 1, max: 6 }), memoryMiB: fc.integer({ min: 1, max: 5_000 }), diskMiB: fc.integer({ min: 0, max: 11_000 }) });
  const anyGroup = fc.record({ request: anyRoom, count: fc.integer({ min: 1, max: 30 }), gang: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined, freq: 6 }) });
  const named = (groups: readonly { request: Room; count: number; gang?: number | undefined }[]): WaitingGroup[] =>
    groups.map(({ request, count, gang }, i) => group({ key: `k${i}`, exampleId: `${i}.0`, request, count: gang === undefined ? count : 1, ...(gang === undefined ? {} : { gang }) }));
  const anyInput = fc.record({ groups: fc.array(anyGroup, { maxLength: 12 }).map(named), free: fc.array(anyRoom.map((r) => free(r)), { maxLength: 6 }), coming: fc.integer({ min: 0, max: 3 }).map((n) => ({ default: n })) });
  const cpusOf = (g: WaitingGroup): number => g.request.cpus * g.count * (g.gang ?? 1);

  it("never asks for more workers than jobs or nodes, and accounts for every job", () => {
    fc.assert(fc.property(anyInput, (i) => {
      const d = packDemand(input(i));
      expect(d.newWorkers).to.be.at.most(i.groups.reduce((n, g) => n + g.count * (g.gang ?? 1), 0));
      expect(d.placeable + d.reasons.reduce((n, r) => n + r.count, 0)).to.equal(i.groups.reduce((n, g) => n + g.count, 0));
      expect(d.fitting).to.be.at.most(d.placeable);
    }));
  });
  it("has cpus for everything that it calls placeable", () => {
    fc.assert(fc.property(anyInput, (i) => {
      const d = packDemand(input(i));
      const lost = new Set(d.reasons.map((r) => r.key));
      const need = i.groups.filter((g) => !lost.has(g.key)).reduce((n, g) => n + cpusOf(g), 0);
      expect(i.free.reduce((n, f) => n + f.room.cpus, 0) + (i.coming["default"]! + d.newWorkers) * room.cpus).to.be.at.least(need);
    }));
  });
  it("needs no fewer workers for more like jobs", () => {
    fc.assert(fc.property(anyRoom, fc.nat(200), fc.nat(50), fc.array(anyRoom.map((r) => free(r)), { maxLength: 5 }), (request, count, more, rooms) => {
      const of = (n: number): number => packDemand(input({ groups: [group({ request, count: n })], free: rooms })).newWorkers;
      expect(of(count + more)).to.be.at.least(of(count));
    }));
  });
  it("does not depend on any order", () => {
    fc.assert(fc.property(anyInput, fc.array(fc.nat(), { minLength: 12, maxLength: 12 }), (i, dice) => {
      const shuffled = <T>(of: readonly T[]): T[] => [...of].map((v, k) => [dice[k % 12]!, v] as const).sort(([a], [b]) => a - b).map(([, v]) => v);
      expect(packDemand(input({ ...i, groups: shuffled(i.groups), free: shuffled(i.free) }))).to.deep.equal(packDemand(input(i)));
    }));
  });
  it("answers for every other group as before when one is refused", () => {
    fc.assert(fc.property(anyInput, fc.nat(), (i, which) => {
      const key = i.groups[which % Math.max(1, i.groups.length)]?.key ?? "none";
      const others = (d: ReturnType<typeof packDemand>) => d.reasons.filter((r) => r.key !== key);
      expect(others(packDemand(input({ ...i, refused: new Map([[key, refusal(9e9)]]) })))).to.deep.equal(others(packDemand(input(i))));
    }));
  });
  it("never goes beyond what a type and the grid may still add for gangs", () => {
    fc.assert(fc.property(anyInput, fc.nat(5), (i, most) => {
      const d = packDemand(input({ ...i, groups: i.groups.filter((g) => g.gang !== undefined), most }));
      expect(d.newWorkers).to.be.at.most(most);
    }));
  });
  it("packs 100 000 jobs in 300 groups and 10 000 machines in a moment", () => {
    const groups = Array.from({ length: 300 }, (_, k) => group({ key: `k${k}`, count: 333, request: { cpus: 1 + (k % 4), memoryMiB: 100 + k, diskMiB: 1 + k / 1024 }, ad: { RequestMemory: `${100 + k}`, Requirements: `TARGET.Memory >= RequestMemory && TARGET.Arch == "X86_64" && ${k} >= 0` } }));
    const rooms = Array.from({ length: 10_000 }, (_, k) => free({ cpus: k % 5, memoryMiB: 4_096 - 128 * (k % 7), diskMiB: 9_000 + k / 1024 }));
    packDemand(input({ groups, free: rooms }));
    const from = process.hrtime.bigint();
    const d = packDemand(input({ groups, free: rooms }));
    const took = Number(process.hrtime.bigint() - from) / 1e6;
    if (process.env["ELASTIGRID_FIGURES"] !== undefined) console.log(`      ${took.toFixed(1)} ms`);
    expect(d.placeable).to.equal(99_900);
    expect(took).to.be.below(2_000);
  });
});
