import { expect } from "chai";
import fc from "fast-check";
import type { MetricRule } from "../../../components/config/controller-config";
import { evaluateRule, lastActedOf, sampleMetrics, windowSeconds, type MetricSample, type RuleVerdict } from "../../../components/policy/alarm-rules";
import { remember } from "../../../components/policy/alarms";

const rule = (over: Partial<MetricRule>): MetricRule => ({ name: "r", metric: "queueLength", periodSeconds: 60, evaluationPeriods: 1, cooldownSeconds: 300, ...over });
const S = 1_000;
/** A look every ten seconds, the last one now: values oldest first. */
const looks = (metric: string, values: readonly (number | undefined)[], more: Readonly<Record<string, number>> = {}): readonly MetricSample[] =>
  values.map((v, i) => ({ atMs: (i - values.length + 1) * 10 * S, values: { ...more, ...(v === undefined ? {} : { [metric]: v }) }, journalSeq: 0 }));
const seven = (v: number): number[] => Array.from({ length: 7 }, () => v);
const shown = (v: RuleVerdict): unknown => [v.state, v.add ?? 0, v.remove ?? 0];

describe("rules on metrics", () => {
  const table: Array<[string, MetricRule, readonly MetricSample[], unknown]> = [
    ["adds its step above the threshold", rule({ above: 4, step: 2 }), looks("queueLength", seven(5)), ["alarm", 2, 0]],
    ["takes its step away below", rule({ below: 1, step: -3 }), looks("queueLength", seven(0)), ["alarm", 0, 3]],
    ["takes away above, where it says so", rule({ metric: "idleSeconds", above: 600, step: -1 }), looks("idleSeconds", seven(601)), ["alarm", 0, 1]],
    ["is quiet at the threshold itself", rule({ above: 5, step: 1 }), looks("queueLength", seven(5)), ["ok", 0, 0]],
    ["looks at the average of a period", rule({ above: 4, step: 1 }), looks("queueLength", [0, 10, 0, 10, 0, 10, 0]), ["alarm", 1, 0]],
    ["lacks data before a whole period was watched", rule({ above: 4, step: 1 }), looks("queueLength", [9, 9, 9, 9, 9]), ["insufficient data", 0, 0]],
    ["lacks data where most looks did not show the metric", rule({ above: 4, step: 1 }), looks("queueLength", [9, undefined, undefined, undefined, undefined, 9, 9]), ["insufficient data", 0, 0]],
    ["lacks data without any look", rule({ above: 4, step: 1 }), [], ["insufficient data", 0, 0]],
    ["wants all periods to agree", rule({ above: 4, step: 1, evaluationPeriods: 2 }), looks("queueLength", [...seven(0), ...seven(9)]), ["ok", 0, 0]],
    ["acts when they do", rule({ above: 4, step: 1, evaluationPeriods: 2 }), looks("queueLength", [...seven(9), ...seven(9)]), ["alarm", 1, 0]],
    ["counts journal entries of a period", rule({ metric: "journal:create-failed", above: 2, step: -1 }), looks("journal:create-failed", [undefined, 1, undefined, 1, undefined, undefined, 1]), ["alarm", 0, 1]],
    ["takes no entries for none", rule({ metric: "journal:grow", below: 1, step: -1 }), looks("other", seven(1)), ["alarm", 0, 1]],
    ["brings work for each worker to its level", rule({ target: 4 }), looks("queueLength", seven(20), { workers: 2 }), ["alarm", 3, 0]],
    ["down too", rule({ target: 4 }), looks("queueLength", seven(5), { workers: 4 }), ["alarm", 0, 2]],
    ["to none where there is no work", rule({ target: 4 }), looks("queueLength", seven(0), { workers: 2 }), ["alarm", 0, 2]],
    ["leaves a level alone that is nearly right", rule({ target: 4 }), looks("queueLength", seven(8.4), { workers: 2 }), ["ok", 0, 0]],
    ["brings a level that all share to its target", rule({ metric: "cpuPercent", target: 50 }), looks("cpuPercent", seven(90), { workers: 5 }), ["alarm", 4, 0]],
    ["begins with one where nobody is", rule({ metric: "waitingSeconds", target: 30 }), looks("waitingSeconds", seven(90), { workers: 0 }), ["alarm", 1, 0]],
    ["takes the careful one of periods that disagree", rule({ target: 1, evaluationPeriods: 2 }), looks("queueLength", [...seven(3), 9, 9, 9, 9, 9, 9], { workers: 1 }), ["alarm", 2, 0]],
    ["does nothing where periods point both ways", rule({ target: 1, evaluationPeriods: 2 }), looks("queueLength", [...seven(0), 9, 9, 9, 9, 9, 9], { workers: 2 }), ["ok", 0, 0]],
    ["cannot follow a target without knowing how many there are", rule({ target: 4 }), looks("queueLength", seven(20)), ["insufficient data", 0, 0]],
  ];
  for (const [says, r, samples, wanted] of table) it(says, () => expect(shown(evaluateRule(r, samples, 0))).to.deep.equal(wanted));

  it("says what it saw and what it wants", () => {
    expect(evaluateRule(rule({ above: 4, step: 1 }), looks("queueLength", seven(5.25)), 0).why).to.equal("queueLength 5.3 (above 4 is an alarm)");
    expect(evaluateRule(rule({ target: 4 }), looks("queueLength", seven(20), { workers: 2 }), 0)).to.include({ why: "queueLength 20, to be 4 for each worker: 5 workers", target: 5 });
  });
  it("rests after an action, and says how long", () => {
    const r = rule({ above: 4, step: 1 }), samples = looks("queueLength", seven(5));
    expect(evaluateRule(r, samples, 0, -299 * S)).to.deep.include({ state: "alarm", why: "queueLength 5 (above 4 is an alarm); cooling down for 1 s" }).and.not.to.have.property("add");
    expect(evaluateRule(r, samples, 0, -300 * S)).to.include({ add: 1 });
  });
  it("rests after what another rule on the same metric did, and only then", () => {
    const rules = [rule({ name: "up" }), rule({ name: "down" }), rule({ name: "other", metric: "workers" })];
    const acted = new Map([["up", 5], ["down", 9], ["other", 99]]);
    expect(rules.map((r) => lastActedOf(r, rules, acted))).to.deep.equal([9, 9, 99]);
    expect(lastActedOf(rules[0]!, rules, new Map())).to.equal(undefined);
    expect(windowSeconds(rules)).to.equal(60);
  });

  it("moves a worker there and back once in a cooldown at most, however the load goes to and fro", function () {
    this.timeout(20_000);
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 900 }), fc.integer({ min: 5, max: 900 }), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 60, max: 600 }), fc.integer({ min: 1, max: 3 }), fc.boolean(),
        (onSeconds, offSeconds, periodSeconds, cooldownSeconds, evaluationPeriods, byTarget) => {
          const base = { periodSeconds: Math.max(5, periodSeconds), evaluationPeriods, cooldownSeconds };
          const rules = byTarget ? [rule({ ...base, name: "t", target: 2 })] : [rule({ ...base, name: "up", above: 4, step: 1 }), rule({ ...base, name: "down", below: 2, step: -1 })];
          const actedMs = new Map<string, number>();
          let samples: readonly MetricSample[] = [], workers = 1, pairs = 0, added = 0;
          const hours = 1;
          for (let t = 0; t < hours * 3600; t += 5) {
            const load = t % (onSeconds + offSeconds) < onSeconds ? 10 : 0;
            samples = remember(samples, { atMs: t * S, values: { queueLength: load, workers }, journalSeq: 0 }, windowSeconds(rules));
            for (const r of rules) {
              const v = evaluateRule(r, samples, t * S, lastActedOf(r, rules, actedMs));
              const by = v.add !== undefined ? Math.min(v.add, 8 - workers) : -Math.min(v.remove ?? 0, workers);
              if (by === 0) continue;
              if (by > 0) added = by;
              else if (added > 0) { pairs += 1; added = 0; }
              workers += by;
              actedMs.set(r.name, t * S);
            }
          }
          expect(pairs).to.be.at.most(Math.ceil((hours * 3600) / (2 * cooldownSeconds)));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("metrics of a look", () => {
  const all = { nowMs: 50, queueNowMs: 100 * S, journal: [] };
  it("are what queue and cloud show", () => {
    const s = sampleMetrics({
      ...all, waiting: [{ count: 3, queuedAtMs: 40 * S }, { count: 2, queuedAtMs: 90 * S }, { count: 0, queuedAtMs: 0 }], running: 4,
      workers: [{ idleForMs: 3 * S, cpuPercent: 10 }, { idleForMs: 9 * S }, { cpuPercent: 40 }],
    });
    expect(s).to.deep.equal({ atMs: 50, journalSeq: 0, values: { queueLength: 5, waitingSeconds: 60, runningJobs: 4, workers: 3, idleSeconds: 9, cpuPercent: 25 } });
  });
  it("are none of an empty grid, but for what nobody measured", () => {
    expect(sampleMetrics({ ...all, waiting: [], running: 0, workers: [] }).values).to.deep.equal({ queueLength: 0, waitingSeconds: 0, runningJobs: 0, workers: 0, idleSeconds: 0 });
  });
  it("are missing where nobody answered", () => expect(sampleMetrics(all).values).to.deep.equal({}));
  it("count each journal entry once, and none from before the first look", () => {
    const journal = [{ seq: 1, what: "grow" }, { seq: 2, what: "grow" }];
    const first = sampleMetrics({ ...all, journal });
    expect([first.values, first.journalSeq]).to.deep.equal([{}, 2]);
    const second = sampleMetrics({ ...all, journal: [...journal, { seq: 3, what: "grow" }, { seq: 4, what: "create-failed" }] }, first);
    expect([second.values, second.journalSeq]).to.deep.equal([{ "journal:grow": 1, "journal:create-failed": 1 }, 4]);
    expect(sampleMetrics({ ...all, journal }, second).values, "an older tail").to.deep.equal({});
  });
});
