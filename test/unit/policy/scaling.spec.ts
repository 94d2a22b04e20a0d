import { expect } from "chai";
import fc from "fast-check";
import type { AlarmVerdict } from "../../../components/policy/alarms";
import { NO_DEMAND, type Demand } from "../../../components/policy/demand";
import { isSureOff, REASON_EXCHANGE, REASON_RETIRING, REASON_SCALE_IN, type DecisionInput, type OffWord, type Phase, type WorkerView } from "../../../components/policy/decision";
import { decide, effectiveLimits } from "../../../components/policy/scaling";

const NOW = 1_000_000_000;
const quiet: AlarmVerdict = { state: "ok", wants: false, why: "average CPU 5 %" };
const wants: AlarmVerdict = { ...quiet, state: "alarm", wants: true };
const worker = (id: string, phase: Phase, over: Partial<WorkerView> = {}): WorkerView => ({
  id, name: `w-${id}`, type: "worker", phase, phaseSinceMs: NOW - 10_000, server: phase === "booting" ? "starting" : "running", copying: false, everJoined: phase !== "booting" && phase !== "joining",
  admitted: true, jobs: phase === "busy" || phase === "draining" ? 1 : 0, idleSinceMs: phase === "idle" ? NOW - 10_000 : undefined, fenced: false, absentLooks: 0,
  drainReason: phase === "draining" || phase === "drained" ? REASON_SCALE_IN : undefined, ...over,
});
const noAlarms = { high: quiet, low: quiet, highPeriodSeconds: 60, rules: [] };
const input = (over: Partial<DecisionInput> = {}): DecisionInput => ({
  nowMs: NOW, workers: [], demand: NO_DEMAND, types: [{ name: "worker", gate: {} }], limits: { min: 1, max: 4 }, override: { drains: [] },
  scaling: { intervalSeconds: 5, growStep: 4, shrinkStep: 4, cooldownSeconds: 60, idleSeconds: 300, joinTimeoutSeconds: 600 },
  alarms: noAlarms, ...over,
});
const demand = (placeable: number, newWorkers: number, type = "worker"): Demand => ({ ...NO_DEMAND, placeable, newWorkers, byType: { [type]: newWorkers }, fitting: placeable - newWorkers });
const off = (over: Partial<OffWord> = {}): OffWord => ({ sinceMs: NOW - 31_000, looks: 4, contradicted: false, sure: true, ...over });
const longIdle = { idleSinceMs: NOW - 301_000 };
const brief = (i: DecisionInput): string[] => decide(i).map((d) => [d.do, "id" in d ? d.id : "", d.do === "grow" ? `${d.count}${d.type === "worker" ? "" : ` ${d.type}`}` : "", d.do === "remove" ? d.basis : "", d.do === "fence" ? d.kind : ""].filter((x) => x !== "").join(" "));

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
  ["lets one idle worker go early when CPU is low", { workers: [worker("a", "idle"), worker("b", "idle")], alarms: { high: quiet, low: wants, highPeriodSeconds: 60, rules: [] } }, ["fence a ifIdle"]],
  ["does not let go of the last worker for low CPU", { workers: [worker("a", "idle")], alarms: { high: quiet, low: wants, highPeriodSeconds: 60, rules: [] } }, ["hold"]],
  ["never takes a busy worker for low CPU", { workers: [worker("a", "busy"), worker("b", "busy")], alarms: { high: quiet, low: wants, highPeriodSeconds: 60, rules: [] } }, ["hold"]],
  ["adds nothing for high CPU alone", { workers: [worker("a", "busy")], alarms: { high: wants, low: quiet, highPeriodSeconds: 60, rules: [] } }, ["hold"]],
  ["adds one for high CPU while a job has long waited", { workers: [worker("a", "busy")], demand: demand(1, 0), oldestWaitMs: 61_000, alarms: { high: wants, low: quiet, highPeriodSeconds: 60, rules: [] } }, ["grow 1"]],
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
  ["removes what the cloud surely no longer has, and replaces it", { workers: [worker("a", "lost", { server: "gone", off: off(), absentLooks: 3, phaseSinceMs: NOW - 61_000 })] }, ["remove a off", "grow 1"]],
  ["believes no single word of the cloud", { workers: [worker("a", "lost", { server: "stopped", off: off({ looks: 1, sure: false }), absentLooks: 3 })] }, ["hold"]],
  ["believes no repeated word of the cloud against a live worker", { workers: [worker("a", "busy", { server: "stopped", off: off({ contradicted: true, sure: false }) })] }, ["hold"]],
  ["believes no word of the cloud while the pool still shows the worker", { workers: [worker("a", "busy", { server: "gone", off: off() })] }, ["hold"]],
  ["removes what the cloud could surely not run", { workers: [worker("a", "booting", { server: "failed", detail: "no valid host", off: off(), absentLooks: 4 }), worker("b", "idle")] }, ["remove a off", "hold"]],
  ["keeps the place of a booting worker that the cloud has called a failure once", { workers: [worker("a", "booting", { server: "failed", off: off({ looks: 1, sure: false }), absentLooks: 4 })] }, ["hold"]],
  ["does not count a joining worker as capacity when one that works would go", { workers: [worker("a", "idle", longIdle), worker("b", "joining")] }, ["hold"]],
  ["lets the working one stay when the operator wants one, and another has its token", { workers: [worker("a", "idle", longIdle), worker("b", "joining")], override: { size: 1, drains: [] } }, ["hold"]],
  ["does not drain a worker that was just taken back", { workers: [worker("a", "busy"), worker("b", "idle", { ...longIdle, cancelledAtMs: NOW - 9_000 })] }, ["hold"]],
  ["never takes a pinned one", { workers: [worker("a", "busy"), worker("b", "idle", { ...longIdle, pinned: true }), worker("c", "idle", longIdle)] }, ["fence c ifIdle"]],
  ["takes the unhealthy, then the outdated, before the one idle longest", { limits: { min: 1, max: 4 }, scaling: { ...input().scaling, shrinkStep: 1 }, workers: [worker("a", "busy"), worker("b", "idle", { idleSinceMs: NOW - 900_000 }), worker("c", "idle", { ...longIdle, pinned: undefined })] }, ["fence b ifIdle"]],
  ["makes room for another type at the maximum", { limits: { min: 0, max: 2 }, types: [{ name: "worker", gate: {} }, { name: "big", gate: {} }], workers: [worker("a", "busy"), worker("b", "idle", longIdle)], demand: demand(1, 1, "big") }, ["fence b ifIdle"]],
  ["grows each type by what it is asked for", { types: [{ name: "worker", gate: {} }, { name: "big", gate: {} }], demand: { ...demand(3, 3), byType: { worker: 2, big: 1 } } }, ["grow 2", "grow 1 big"]],
  ["keeps to a type's own maximum", { limits: { min: 0, max: 4 }, types: [{ name: "worker", gate: {} }, { name: "big", max: 1, gate: {} }], workers: [worker("a", "busy", { type: "big" })], demand: demand(2, 2, "big") }, ["hold"]],
  ["makes nothing of a type whose breaker is closed, and the others", { types: [{ name: "worker", gate: { untilMs: NOW + 1_000, why: "3 did not join" } }, { name: "big", gate: {} }], limits: { min: 0, max: 4 }, demand: { ...demand(3, 3), byType: { worker: 2, big: 1 } } }, ["hold", "grow 1 big"]],
  ["orders no more than the rate allows", { createsLeft: 1, demand: demand(3, 3) }, ["grow 1"]],
  ["creates nothing while the cloud's list is not the whole", { poolPartial: "10 of 12", demand: demand(3, 3) }, ["hold"]],
  ["leaves the size alone while the queue's answer is not the whole", { queuePartial: "the collector has just started", workers: [worker("a", "busy"), worker("b", "idle", longIdle)] }, ["hold"]],
  ["believes the pool rather than a cloud that calls a working server a failure", { workers: [worker("a", "busy", { server: "failed" })] }, ["hold"]],
  ["makes one of the new definition before an old one goes", { workers: [worker("a", "busy", { retiring: "old" }), worker("b", "busy", { retiring: "old" })] }, ["hold", "grow 1"]],
  ["waits until the first new one has joined", { workers: [worker("a", "busy", { retiring: "old" }), worker("b", "joining")] }, ["hold", "hold"]],
  ["stands still where the first new one did not join", { workers: [worker("a", "busy", { retiring: "old" })], types: [{ name: "worker", gate: { untilMs: NOW + 1_000, why: "1 did not join" } }] }, ["hold", "hold"]],
  ["drains one old worker at a time when a new one works, an idle one first", { workers: [worker("a", "busy", { retiring: "old" }), worker("b", "idle", { retiring: "old" }), worker("c", "busy")] }, ["fence b drain", "hold"]],
  ["drains no other before that one's substitute has joined", { limits: { min: 3, max: 4 }, workers: [worker("a", "busy", { retiring: "old" }), worker("b", "joining"), worker("c", "busy")] }, ["hold"]],
  ["drains a share of many", { limits: { min: 30, max: 60 }, workers: [worker("new", "idle"), ...Array.from({ length: 39 }, (_, n) => worker(`o${n + 10}`, "busy", { retiring: "old" }))] }, ["fence o10 drain", "fence o11 drain", "fence o12 drain", "fence o13 drain", "hold"]],
  ["makes room for the first new one where the maximum is reached", { limits: { min: 2, max: 2 }, workers: [worker("a", "busy", { retiring: "old" }), worker("b", "idle", { retiring: "old" })] }, ["fence b drain", "hold"]],
  ["renews a worker on which no job ends", { workers: [worker("a", "busy"), worker("b", "idle", { unhealthy: "3 jobs came back" })] }, ["fence b drain", "hold"]],
  ["takes none of them back into service", { workers: [worker("a", "busy"), worker("b", "draining", { retiring: "old" })], demand: demand(1, 1) }, ["grow 1"]],
  ["takes nobody back whom the cloud's group is about to remove", { workers: [worker("a", "busy"), worker("b", "draining", { doomed: true })], demand: demand(1, 1) }, ["grow 1"]],
  ["waits with an order while the cloud is busy with the group", { workers: [worker("a", "busy")], demand: demand(1, 1), poolBusy: "Heat is in UPDATE_IN_PROGRESS" }, ["hold"]],
  ["holds when the cloud does not answer", { poolUnknown: "down", demand: demand(5, 5) }, ["hold"]],
];

describe("decide", () => {
  for (const [says, given, wanted] of table) it(says, () => expect(brief(input(given))).to.deep.equal(wanted));

  const phases: Phase[] = ["booting", "joining", "idle", "busy", "draining", "drained", "removing", "lost"];
  const anyWorker = fc.record({
    phase: fc.constantFrom(...phases), server: fc.constantFrom("stopped" as const, "starting" as const, "running" as const, "stopping" as const, "failed" as const, "gone" as const, "unknown" as const),
    offLooks: fc.integer({ min: 1, max: 5 }), offSeconds: fc.integer({ min: 0, max: 60 }), contradicted: fc.boolean(), retiring: fc.boolean(), unhealthy: fc.boolean(), pinned: fc.boolean(), type: fc.constantFrom("worker", "big"), age: fc.integer({ min: 0, max: 2_000 }),
    idle: fc.integer({ min: 0, max: 1_000 }), jobs: fc.integer({ min: 0, max: 2 }), admitted: fc.boolean(), fenced: fc.boolean(), absentLooks: fc.integer({ min: 0, max: 5 }), reason: fc.constantFrom("elastigrid:scale-in", "elastigrid:drain", "maintenance", undefined),
  });
  const offWord = (w: { offLooks: number; offSeconds: number; contradicted: boolean }) => ({ looks: w.offLooks, sinceMs: NOW - w.offSeconds * 1000, contradicted: w.contradicted });
  const anyInput = fc.record({
    workers: fc.array(anyWorker, { maxLength: 8 }), min: fc.integer({ min: 0, max: 4 }), extra: fc.integer({ min: 0, max: 4 }), size: fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined }),
    waiting: fc.integer({ min: 0, max: 9 }), fitting: fc.integer({ min: 0, max: 9 }), paused: fc.boolean(), high: fc.boolean(), low: fc.boolean(), drain: fc.option(fc.integer({ min: 0, max: 7 }), { nil: undefined }),
    queueUnknown: fc.constantFrom(undefined, undefined, undefined, "down"), poolUnknown: fc.constantFrom(undefined, undefined, undefined, "down"), resized: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
  }).map((r): DecisionInput => input({
    workers: r.workers.map((w, n) => worker(`${n}`, w.phase, {
      server: w.server, off: ["stopped", "failed", "gone"].includes(w.server) ? { ...offWord(w), sure: isSureOff(offWord(w), NOW) } : undefined, type: w.type,
      retiring: w.retiring ? "old" : undefined, unhealthy: w.unhealthy ? "bad" : undefined, pinned: w.pinned ? true : undefined, phaseSinceMs: NOW - w.age * 1000, idleSinceMs: w.phase === "idle" ? NOW - w.idle * 1000 : undefined, jobs: w.phase === "idle" ? 0 : w.phase === "busy" ? w.jobs + 1 : w.jobs,
      admitted: w.admitted, fenced: w.fenced, absentLooks: w.absentLooks, drainReason: w.phase === "draining" || w.phase === "drained" ? w.reason : undefined,
    })),
    limits: { min: r.min, max: r.min + r.extra }, override: { size: r.size, paused: r.paused, drains: r.drain === undefined ? [] : [{ worker: `${r.drain}`, now: false }] },
    demand: demand(r.waiting, Math.max(0, r.waiting - r.fitting)), alarms: { high: r.high ? wants : quiet, low: r.low ? wants : quiet, highPeriodSeconds: 60, rules: [] }, oldestWaitMs: 100_000,
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
          else {
            const asked = i.override.size !== undefined || i.override.drains.some((x) => x.worker === d.id) || i.workers.length > limits.max;
            expect(asked || by(d.id).retiring !== undefined || by(d.id).unhealthy !== undefined, "a busy worker is drained only by the operator's word or to renew it").to.equal(true);
          }
          if (!i.override.drains.some((x) => x.worker === d.id)) expect(by(d.id).pinned, "a pinned one is taken by nobody but the operator").to.equal(undefined);
        }
        if (d.do === "remove" && d.basis === "off") {
          expect(by(d.id).off?.sure, "repeated, long enough, contradicted by nobody").to.equal(true);
          expect(["lost", "joining", "booting"], "a live ad beats the cloud's word").to.include(by(d.id).phase);
        } else if (d.do === "remove" && d.basis !== "continue" && d.basis !== "not-admitted") {
          expect(["drained", "lost", "joining", "booting"]).to.include(by(d.id).phase);
          expect(by(d.id).jobs, `${d.basis}`).to.equal(0);
        }
      }
      const scaledIn = out.filter((d) => d.do === "fence" && (d.reason === REASON_SCALE_IN || d.reason === REASON_EXCHANGE)).length;
      const exchanges = limits.size === undefined && i.demand.newWorkers > 0;
      const working = i.workers.filter((w) => (w.phase === "idle" || w.phase === "busy") && !i.override.drains.some((x) => x.worker === w.id)).length;
      if (scaledIn > 0) expect(working - scaledIn, "what never joined is no capacity").to.be.at.least(Math.min(limits.size ?? limits.min, i.limits.max, exchanges ? working - 1 : working));
      const renewed = out.filter((d) => d.do === "fence" && d.reason === REASON_RETIRING).length;
      expect(renewed, "the disruption budget").to.be.at.most(Math.max(1, Math.floor(working / 10)));
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
