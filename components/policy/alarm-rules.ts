import type { MetricRule } from "../config/controller-config";
import type { AlarmVerdict } from "./alarms";

/** What rules may look at, beside the journal's entries of a kind. */
export const METRICS = ["queueLength", "waitingSeconds", "idleSeconds", "runningJobs", "cpuPercent", "workers"] as const;
export type Metric = (typeof METRICS)[number];
/** Longest time that a rule looks back: samples of it are kept in memory. */
export const MOST_WINDOW_SECONDS = 86_400;
/** Within this share of its target a metric is left alone: a group that follows each wave is never at rest (Kubernetes' autoscaler has the same 0.1). */
export const TARGET_TOLERANCE = 0.1;

const JOURNAL = "journal:";
/** The kind of entries in `journal:WHAT`; undefined for anything else. */
export const journalMetric = (metric: string): string | undefined => /^journal:([a-z][a-z0-9-]*)$/.exec(metric)?.[1];
/** Grow with the work alone: a target is meant for each worker. The others are the same however many workers there are. */
const PER_WORKER: ReadonlySet<string> = new Set<Metric>(["queueLength", "runningJobs"]);
/** What more workers make less of; only such a level can be held. */
export const TRACKABLE: ReadonlySet<string> = new Set<Metric>(["queueLength", "runningJobs", "waitingSeconds", "cpuPercent"]);

/** One look at all metrics. */
export interface MetricSample {
  /** Monotonic. */
  readonly atMs: number;
  /** One that could not be seen is missing, but for `journal:WHAT`: there a missing one is none. */
  readonly values: Readonly<Record<string, number>>;
  /** The newest journal entry that is counted in here or before. */
  readonly journalSeq: number;
}

export interface MetricsSeen {
  /** Monotonic. */
  readonly nowMs: number;
  /** Waiting jobs that a worker would help; missing where the queue did not answer. */
  readonly waiting?: readonly { readonly count: number; readonly queuedAtMs: number }[];
  /** The queue's clock, to which `queuedAtMs` belongs. */
  readonly queueNowMs: number;
  /** Jobs that run; missing where the queue did not answer. */
  readonly running?: number;
  /** Workers there or on their way, without those that are leaving; missing where cloud or queue did not answer. */
  readonly workers?: readonly { readonly idleForMs?: number; readonly cpuPercent?: number }[];
  /** The journal's newest entries; those after `journalSeq` of the sample before are counted. */
  readonly journal: readonly { readonly seq: number; readonly what: string }[];
}

/** What a look shows, as the rules read it. `before`: the sample of the look before, after which journal entries count. */
export function sampleMetrics(seen: MetricsSeen, before?: MetricSample): MetricSample {
  const values: Record<string, number> = {};
  const { waiting, workers, journal } = seen;
  if (waiting !== undefined) {
    values["queueLength"] = waiting.reduce((n, g) => n + g.count, 0);
    values["waitingSeconds"] = waiting.reduce((most, g) => (g.count > 0 ? Math.max(most, (seen.queueNowMs - g.queuedAtMs) / 1000) : most), 0);
  }
  if (seen.running !== undefined) values["runningJobs"] = seen.running;
  if (workers !== undefined) {
    values["workers"] = workers.length;
    values["idleSeconds"] = workers.reduce((most, w) => Math.max(most, (w.idleForMs ?? 0) / 1000), 0);
    const uses = workers.flatMap((w) => w.cpuPercent ?? []);
    if (uses.length > 0) values["cpuPercent"] = average(uses);
  }
  // The first look counts nothing: what the journal holds from before is no news.
  const after = before?.journalSeq ?? Number.POSITIVE_INFINITY;
  for (const e of journal) if (e.seq > after) values[JOURNAL + e.what] = (values[JOURNAL + e.what] ?? 0) + 1;
  return { atMs: seen.nowMs, values, journalSeq: journal.reduce((n, e) => Math.max(n, e.seq), before?.journalSeq ?? 0) };
}

const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

export interface RuleVerdict {
  readonly name: string;
  readonly state: AlarmVerdict["state"];
  readonly why: string;
  /** So many workers more, now. */
  readonly add?: number;
  /** So many workers less, now: idle ones only. */
  readonly remove?: number;
  /** With target tracking: workers that would bring the metric to its level. `add` and `remove` are the way there. */
  readonly target?: number;
}

/**
 * When a rule's metric was last acted upon, by this rule or by another one of the same metric. Both directions share one rest: so a load
 * that goes to and fro moves a worker there and back once in a cooldown at most.
 */
export function lastActedOf(rule: MetricRule, rules: readonly MetricRule[], actedMs: ReadonlyMap<string, number>): number | undefined {
  const times = rules.flatMap((r) => (r.metric === rule.metric ? (actedMs.get(r.name) ?? []) : []));
  return times.length === 0 ? undefined : Math.max(...times);
}

/**
 * Judges a rule as `evaluateAlarm` judges CPU: each of the last `evaluationPeriods` periods must be on the wrong side, a period that was
 * not watched well enough is insufficient data and no reason to act, and after an action it is quiet for the cooldown.
 */
export function evaluateRule(rule: MetricRule, samples: readonly MetricSample[], nowMs: number, lastActedMs?: number): RuleVerdict {
  const { name } = rule;
  const periods = periodValues(rule, samples, nowMs);
  if (typeof periods === "string") return { name, state: "insufficient data", why: periods };
  const newest = periods[0] ?? 0;
  const shown = `${rule.metric} ${round(newest)}`;
  const move = rule.target === undefined ? stepOf(rule, periods, shown) : towards(rule, rule.target, periods, samples, shown);
  if (move.by === 0) return { name, state: move.state, why: move.why, ...(move.target === undefined ? {} : { target: move.target }) };
  const verdict = { name, state: "alarm" as const, ...(move.target === undefined ? {} : { target: move.target }) };
  const quietUntil = lastActedMs === undefined ? Number.NEGATIVE_INFINITY : lastActedMs + rule.cooldownSeconds * 1000;
  if (nowMs < quietUntil) return { ...verdict, why: `${move.why}; cooling down for ${Math.ceil((quietUntil - nowMs) / 1000)} s` };
  return { ...verdict, why: move.why, ...(move.by > 0 ? { add: move.by } : { remove: -move.by }) };
}

/** The metric over each period, the newest first; or why it cannot be told. One walk over the samples, however many periods there are. */
function periodValues(rule: MetricRule, samples: readonly MetricSample[], nowMs: number): readonly number[] | string {
  const { metric, periodSeconds, evaluationPeriods } = rule;
  const isCount = journalMetric(metric) !== undefined;
  const periodMs = periodSeconds * 1000;
  if (!((samples[0]?.atMs ?? nowMs) <= nowMs - evaluationPeriods * periodMs)) return `watched for less than ${evaluationPeriods * periodSeconds} s`;
  const periods = Array.from({ length: evaluationPeriods }, () => ({ looks: 0, known: 0, sum: 0 }));
  for (let n = samples.length - 1; n >= 0; n -= 1) {
    const s = samples[n];
    const period = s === undefined ? undefined : periods[Math.floor((nowMs - s.atMs) / periodMs)];
    if (s === undefined || period === undefined) break;
    const value = s.values[metric] ?? (isCount ? 0 : undefined);
    period.looks += 1;
    if (value === undefined) continue;
    period.known += 1;
    period.sum += value;
  }
  if (periods.some((p) => p.known === 0 || p.known * 2 < p.looks)) return `too few looks that show ${metric}`;
  return periods.map((p) => (isCount ? p.sum : p.sum / p.known));
}

interface Move {
  /** Workers to add; less than none: to take away. */
  readonly by: number;
  readonly state: AlarmVerdict["state"];
  readonly why: string;
  readonly target?: number;
}

function stepOf(rule: MetricRule, periods: readonly number[], shown: string): Move {
  const { above, below, step = 0 } = rule;
  const breached = periods.every((v) => (above !== undefined && v > above) || (below !== undefined && v < below));
  const why = `${shown} (${above !== undefined ? `above ${above}` : `below ${below ?? 0}`} is an alarm)`;
  return { by: breached ? step : 0, state: breached ? "alarm" : "ok", why };
}

/** As many workers as bring the level to the target; the most careful of all periods counts, in either direction. */
function towards(rule: MetricRule, target: number, periods: readonly number[], samples: readonly MetricSample[], shown: string): Move {
  const workers = samples.flatMap((s) => s.values["workers"] ?? []).at(-1);
  if (workers === undefined) return { by: 0, state: "insufficient data", why: `nobody tells how many workers there are, to which ${rule.metric} belongs` };
  const wanted = periods.map((v) => wantedWorkers(rule.metric, v, target, workers));
  const few = Math.min(...wanted), many = Math.max(...wanted);
  const to = few > workers ? few : many < workers ? many : workers;
  const each = PER_WORKER.has(rule.metric) ? " for each worker" : "";
  const why = `${shown}, to be ${target}${each}: ${to} worker${to === 1 ? "" : "s"}`;
  return { by: to - workers, state: to === workers ? "ok" : "alarm", why, target: to };
}

function wantedWorkers(metric: string, value: number, target: number, workers: number): number {
  if (PER_WORKER.has(metric)) return workers > 0 && Math.abs(value / workers - target) <= target * TARGET_TOLERANCE ? workers : Math.ceil(value / target);
  if (Math.abs(value - target) <= target * TARGET_TOLERANCE) return workers;
  // Nobody there: a level of what does not exist says nothing, but that somebody waits.
  return workers === 0 ? (value > 0 ? 1 : 0) : Math.ceil((workers * value) / target);
}

const round = (n: number): string => String(Math.round(n * 10) / 10);

/** How far back the rules look altogether. */
export const windowSeconds = (rules: readonly MetricRule[]): number => rules.reduce((most, r) => Math.max(most, r.periodSeconds * r.evaluationPeriods), 0);
