import { expect } from "chai";
import fc from "fast-check";
import type { AlarmVerdict } from "../../../components/policy/alarms";
import { decide, effectiveLimits, REASON_SCALE_IN, type DecisionInput, type Phase, type WorkerView } from "../../../components/policy/scaling";

const NOW = 1_000_000_000;
const quiet: AlarmVerdict = { state: "ok", wants: false, why: "average CPU 5 %" };
const wants: AlarmVerdict = { ...quiet, state: "alarm", wants: true };
const worker = (id: string, phase: Phase, over: Partial<WorkerView> = {}): WorkerView => ({
  id, name: `w-${id}`, phase, phaseSinceMs: NOW - 10_000, server: phase === "booting" ? "starting" : "running", copying: false, everJoined: phase !== "booting" && phase !== "joining",
  admitted: true, jobs: phase === "busy" || phase === "draining" ? 1 : 0, idleSinceMs: phase === "idle" ? NOW - 10_000 : undefined, fenced: false, absentLooks: 0,
  drainReason: phase === "draining" || phase === "drained" ? REASON_SCALE_IN : undefined, ...over,
});
const input = (over: Partial<DecisionInput> = {}): DecisionInput => ({
  nowMs: NOW, workers: [], demand: { placeable: 0, newWorkers: 0, fitting: 0, unmatchable: 0 }, limits: { min: 1, max: 4 }, override: { drains: [] },
  scaling: { intervalSeconds: 5, growStep: 4, shrinkStep: 4, cooldownSeconds: 60, idleSeconds: 300, joinTimeoutSeconds: 600 },
  alarms: { high: quiet, low: quiet, highPeriodSeconds: 60 }, ...over,
});
const demand = (placeable: number, newWorkers: number) => ({ placeable, newWorkers, fitting: placeable - newWorkers, unmatchable: 0 });
const longIdle = { idleSinceMs: NOW - 301_000 };
const brief = (i: DecisionInput): string[] => decide(i).map((d) => [d.do, "id" in d ? d.id : "", d.do === "grow" ? d.count : "", d.do === "remove" ? d.basis : "", d.do === "fence" ? d.kind : ""].filter((x) => x !== "").join(" "));

const table: Array<[string, Partial<DecisionInput>, string[]]> = [
  ["makes the minimum", { limits: { min: 2, max: 4 } }, ["grow 2"]],
  ["grows by what the queue needs", { workers: [worker("a", "busy")], demand: demand(2, 2) }, ["grow 2"]],
  ["grows no further than the maximum", { workers: [worker("a", "busy")], demand: demand(99, 99) }, ["grow 3"]],
  ["grows by one step at a time", { demand: demand(9, 9), scaling: { ...input().scaling, growStep: 2 } }, ["grow 2"]],
  ["counts servers that leave against the maximum", { workers: [worker("a", "busy"), worker("b", "draining", { drainReason: "elastigrid:drain" }), worker("c", "removing"), worker("d", "busy")], demand: demand(5, 5) }, ["remove c continue", "hold"]],
  ["holds at the maximum", { workers: ["a", "b", "c", "d"].map((x) => worker(x, "busy")), demand: demand(9, 9) }, ["hold"]],
  ["takes a draining worker back before it makes one", { workers: [worker("a", "busy"), worker("b", "draining")], demand: demand(1, 1) }, ["cancelDrain b"]],
  ["lets an idle worker go after its time", { workers: [worker("a", "busy"), worker("b", "idle", longIdle)] }, ["fence b ifIdle"]],
  ["keeps an idle worker before its time", { workers: [worker("a", "busy"), worker("b", "idle")] }, ["hold"]],
  ["keeps idle workers while jobs wait", { workers: [worker("a", "busy"), worker("b", "idle", longIdle)], demand: demand(1, 0) }, ["hold"]],
  ["keeps the minimum", { workers: [worker("a", "idle", longIdle), worker("b", "idle", longIdle)], limits: { min: 2, max: 4 } }, ["hold"]],
  ["keeps its size during the cooldown", { workers: [worker("a", "busy"), worker("b", "idle", longIdle)], lastResizeMs: NOW - 59_000 }, ["hold"]],
  ["lets one idle worker go early when CPU is low", { workers: [worker("a", "idle"), worker("b", "idle")], alarms: { high: quiet, low: wants, highPeriodSeconds: 60 } }, ["fence a ifIdle"]],
  ["does not let go of the last worker for low CPU", { workers: [worker("a", "idle")], alarms: { high: quiet, low: wants, highPeriodSeconds: 60 } }, ["hold"]],
  ["never takes a busy worker for low CPU", { workers: [worker("a", "busy"), worker("b", "busy")], alarms: { high: quiet, low: wants, highPeriodSeconds: 60 } }, ["hold"]],
  ["adds nothing for high CPU alone", { workers: [worker("a", "busy")], alarms: { high: wants, low: quiet, highPeriodSeconds: 60 } }, ["hold"]],
  ["adds one for high CPU while a job has long waited", { workers: [worker("a", "busy")], demand: demand(1, 0), oldestWaitingMs: NOW - 61_000, alarms: { high: wants, low: quiet, highPeriodSeconds: 60 } }, ["grow 1"]],
  ["removes what is drained", { workers: [worker("a", "idle"), worker("b", "drained")] }, ["remove b drained", "hold"]],
  ["leaves alone what somebody drained by hand", { workers: [worker("a", "idle"), worker("b", "drained", { drainReason: "maintenance" })] }, ["hold"]],
  ["does not remove a drained worker that the queue has a job on", { workers: [worker("a", "idle"), worker("b", "drained", { jobs: 1 })] }, ["hold"]],
  ["goes to the operator's size, idle ones first, then the job that began last", { workers: [worker("a", "busy", { oldestJobStartMs: 1 }), worker("b", "busy", { oldestJobStartMs: 2 }), worker("c", "idle")], override: { size: 1, drains: [] } }, ["fence c ifIdle", "fence b drain"]],
  ["waits for a booting worker rather than drain a busy one", { workers: [worker("a", "busy"), worker("b", "joining")], override: { size: 1, drains: [] } }, ["hold"]],
  ["removes a worker that has no token yet", { workers: [worker("a", "busy"), worker("b", "booting", { admitted: false })], override: { size: 1, drains: [] } }, ["remove b not-admitted"]],
  ["drains what the operator names", { workers: [worker("a", "busy"), worker("b", "busy")], override: { drains: [{ worker: "a", now: false }] } }, ["fence a drain", "hold"]],
  ["removes at once only on the operator's --now", { workers: [worker("a", "busy"), worker("b", "busy")], override: { drains: [{ worker: "a", now: true }] } }, ["remove a now", "hold"]],
  ["leaves the size alone when paused", { override: { paused: true, drains: [] }, demand: demand(5, 5) }, ["hold"]],
  ["creates nothing in a group that is being deleted", { poolClosing: "being deleted" }, ["hold"]],
  ["creates nothing while creating is held back", { createGate: { untilMs: NOW + 1, why: "no money" } }, ["hold"]],
  ["starts what was made and does not run", { workers: [worker("a", "booting", { server: "stopped" })] }, ["start a", "hold"]],
  ["replaces what never joined", { workers: [worker("a", "joining", { phaseSinceMs: NOW - 600_000, absentLooks: 3 })] }, ["remove a never-joined", "grow 1"]],
  ["keeps a worker's place when one look misses it", { workers: [worker("a", "lost", { absentLooks: 1 })] }, ["hold"]],
  ["makes the minimum although HTCondor does not answer", { queueUnknown: "down" }, ["grow 1", "hold"]],
  ["removes what the cloud no longer has, and replaces it", { workers: [worker("a", "busy", { server: "gone" })] }, ["remove a stopped", "grow 1"]],
  ["removes what the cloud could not run", { workers: [worker("a", "booting", { server: "failed", detail: "no valid host" }), worker("b", "idle")] }, ["remove a stopped", "hold"]],
  ["believes the pool rather than a cloud that calls a working server a failure", { workers: [worker("a", "busy", { server: "failed" })] }, ["hold"]],
  ["lets workers of a former definition go when their jobs have ended, and makes new ones in their place", { workers: [worker("a", "busy", { retiring: "old" }), worker("b", "idle", { retiring: "old" })] }, ["fence a drain", "fence b drain", "grow 1"]],
  ["makes no more than the maximum while they go", { limits: { min: 2, max: 2 }, workers: [worker("a", "busy", { retiring: "old" }), worker("b", "idle", { retiring: "old" })] }, ["fence a drain", "fence b drain", "hold"]],
  ["takes none of them back into service", { workers: [worker("a", "busy"), worker("b", "draining", { retiring: "old" })], demand: demand(1, 1) }, ["grow 1"]],
  ["takes nobody back whom the cloud's group is about to remove", { workers: [worker("a", "busy"), worker("b", "draining", { doomed: true })], demand: demand(1, 1) }, ["grow 1"]],
  ["waits with an order while the cloud is busy with the group", { workers: [worker("a", "busy")], demand: demand(1, 1), poolBusy: "Heat is in UPDATE_IN_PROGRESS" }, ["hold"]],
  ["holds when the cloud does not answer", { poolUnknown: "down", demand: demand(5, 5) }, ["hold"]],
];

describe("decide", () => {
  for (const [says, given, wanted] of table) it(says, () => expect(brief(input(given))).to.deep.equal(wanted));

  const phases: Phase[] = ["booting", "joining", "idle", "busy", "draining", "drained", "removing", "lost"];
  const anyWorker = fc.record({
    phase: fc.constantFrom(...phases), server: fc.constantFrom("stopped" as const, "starting" as const, "running" as const, "stopping" as const, "unknown" as const), age: fc.integer({ min: 0, max: 2_000 }),
    idle: fc.integer({ min: 0, max: 1_000 }), jobs: fc.integer({ min: 0, max: 2 }), admitted: fc.boolean(), fenced: fc.boolean(), absentLooks: fc.integer({ min: 0, max: 5 }), reason: fc.constantFrom("elastigrid:scale-in", "elastigrid:drain", "maintenance", undefined),
  });
  const anyInput = fc.record({
    workers: fc.array(anyWorker, { maxLength: 8 }), min: fc.integer({ min: 0, max: 4 }), extra: fc.integer({ min: 0, max: 4 }), size: fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined }),
    waiting: fc.integer({ min: 0, max: 9 }), fitting: fc.integer({ min: 0, max: 9 }), paused: fc.boolean(), high: fc.boolean(), low: fc.boolean(), drain: fc.option(fc.integer({ min: 0, max: 7 }), { nil: undefined }),
    queueUnknown: fc.constantFrom(undefined, undefined, undefined, "down"), poolUnknown: fc.constantFrom(undefined, undefined, undefined, "down"), resized: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
  }).map((r): DecisionInput => input({
    workers: r.workers.map((w, n) => worker(`${n}`, w.phase, {
      server: w.server, phaseSinceMs: NOW - w.age * 1000, idleSinceMs: w.phase === "idle" ? NOW - w.idle * 1000 : undefined, jobs: w.phase === "idle" ? 0 : w.phase === "busy" ? w.jobs + 1 : w.jobs,
      admitted: w.admitted, fenced: w.fenced, absentLooks: w.absentLooks, drainReason: w.phase === "draining" || w.phase === "drained" ? w.reason : undefined,
    })),
    limits: { min: r.min, max: r.min + r.extra }, override: { size: r.size, paused: r.paused, drains: r.drain === undefined ? [] : [{ worker: `${r.drain}`, now: false }] },
    demand: demand(r.waiting, Math.max(0, r.waiting - r.fitting)), alarms: { high: r.high ? wants : quiet, low: r.low ? wants : quiet, highPeriodSeconds: 60 }, oldestWaitingMs: NOW - 100_000,
    queueUnknown: r.queueUnknown, poolUnknown: r.poolUnknown, lastResizeMs: r.resized === undefined ? undefined : NOW - r.resized * 1000,
  }));

  it("keeps its promises on any observation", () => {
    fc.assert(fc.property(anyInput, (i) => {
      const out = decide(i);
      const limits = effectiveLimits(i.limits, i.override);
      const by = (id: string): WorkerView => i.workers.find((w) => w.id === id)!;
      const grown = out.reduce((n, d) => n + (d.do === "grow" ? d.count : 0), 0);
      expect(i.workers.length + grown <= Math.max(limits.max, i.workers.length), "the maximum").to.equal(true);
      const destructive = out.filter((d) => d.do === "fence" || d.do === "remove");
      if (i.queueUnknown !== undefined || i.poolUnknown !== undefined) expect(destructive).to.deep.equal([]);
      const touched = out.flatMap((d) => ("id" in d ? [d.id] : []));
      expect(new Set(touched).size, "one order per worker").to.equal(touched.length);
      for (const d of out) {
        if (d.do === "fence") {
          expect(["idle", "busy"]).to.include(by(d.id).phase);
          if (d.kind === "ifIdle") expect(by(d.id).jobs).to.equal(0);
          else expect(i.override.size !== undefined || i.override.drains.some((x) => x.worker === d.id) || i.workers.length > limits.max, "a busy worker is drained only by the operator's word").to.equal(true);
        }
        if (d.do === "remove" && d.basis !== "continue" && by(d.id).server !== "stopped" && d.basis !== "not-admitted") {
          expect(["drained", "lost", "joining", "booting"]).to.include(by(d.id).phase);
          if (by(d.id).phase !== "booting") expect(by(d.id).jobs, `${d.basis}`).to.equal(0);
        }
      }
      if (i.override.size === undefined && i.override.drains.length === 0) {
        const serving = i.workers.filter((w) => ["booting", "joining", "idle", "busy"].includes(w.phase)).length;
        const fenced = out.filter((d) => d.do === "fence").length;
        if (fenced > 0) expect(serving - fenced >= limits.min, "the minimum").to.equal(true);
      }
      expect(decide(i)).to.deep.equal(out);
      expect(out.every((d) => d.why.length > 0)).to.equal(true);
    }), { numRuns: 3_000 });
  });

  it("is done when there is nothing to do", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 5 }), (n) => {
      const workers = Array.from({ length: n }, (_, k) => worker(`${k}`, "busy"));
      expect(brief(input({ workers, limits: { min: n, max: n } }))).to.deep.equal(["hold"]);
    }));
  });
});
