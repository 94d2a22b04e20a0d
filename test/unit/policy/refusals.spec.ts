import { expect } from "chai";
import type { FreeRoom, WaitingGroup } from "../../../components/policy/demand";
import { afterProbe, learnRefusals, REFUSED_AFTER_MS, waitsForRoom } from "../../../components/policy/refusals";

const NOW = 10_000_000;
const room = { cpus: 2, memoryMiB: 1_000, diskMiB: 1_000 };
const idle = (idleForMs: number): FreeRoom => ({ type: "default", room, total: room, idleForMs });
const group = (over: Partial<WaitingGroup> = {}): WaitingGroup => ({ key: "g", count: 1, exampleId: "1.0", owner: "ann", queuedAtMs: 0, request: { cpus: 1, memoryMiB: 100, diskMiB: 1 }, ad: {}, ...over });
const learnt = (g: WaitingGroup[], free: FreeRoom[], over: { before?: string[]; served?: string[] } = {}): string[] =>
  [...learnRefusals(new Map((over.before ?? []).map((k) => [k, { sinceMs: 0, probeAtMs: 1, probes: 0 }])), g, free, new Set(over.served ?? []), NOW, NOW).keys()];

describe("refusals", () => {
  it("are learnt from a worker that has stood idle with room for a minute", () => expect(learnt([group()], [idle(REFUSED_AFTER_MS)])).to.deep.equal(["g"]));
  it("are not learnt before", () => expect(learnt([group()], [idle(REFUSED_AFTER_MS - 1)])).to.deep.equal([]));
  it("are not learnt from a worker that is too small", () => expect(learnt([group({ request: { ...room, cpus: 3 } })], [idle(1e6)])).to.deep.equal([]));
  it("are not learnt of a resource that the worker lacks", () => expect(learnt([group({ request: { ...room, resources: { gpus: 1 } } })], [idle(1e6)])).to.deep.equal([]));
  it("are not learnt of a job that came just now", () => expect(learnt([group({ queuedAtMs: NOW })], [idle(1e6)])).to.deep.equal([]));
  it("end with their jobs", () => expect(learnt([group({ key: "other", queuedAtMs: NOW })], [idle(1e6)], { before: ["g"] })).to.deep.equal([]));
  it("end when one of the jobs is served", () => expect(learnt([group()], [idle(1e6)], { before: ["g"], served: ["g"] })).to.deep.equal([]));
  it("stay without an idle worker", () => expect(learnt([group()], [], { before: ["g"] })).to.deep.equal(["g"]));
  it("are tried again after pauses that double", () => {
    let r = { sinceMs: 0, probeAtMs: 1_800_000, probes: 0 };
    const pauses: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      const next = afterProbe(r, r.probeAtMs);
      pauses.push((next.probeAtMs - r.probeAtMs) / 3_600_000);
      r = next;
    }
    expect(pauses).to.deep.equal([1, 2, 4, 8, 16, 24, 24, 24]);
  });
  const patient: Array<[string, Partial<WaitingGroup>, boolean]> = [
    ["an ordinary group", {}, true], ["one that waits by its own wish", { notBeforeMs: NOW + 1 }, false], ["one whose limit is used up", { limits: { lic: 1 } }, false],
    ["one that the limit leaves a place", { limits: { db: 2 } }, true], ["one whose limit nobody has set", { limits: { other: 1 } }, true],
  ];
  for (const [says, over, wanted] of patient) it(`${wanted ? "may" : "never"} concern ${says}`, () => expect(waitsForRoom(group(over), { lic: 0, db: 2 }, NOW)).to.equal(wanted));
});
