import type { AlarmRule } from "../config/controller-config";

/** One look at the group's CPU: the average over its joined workers. */
export interface CpuSample {
  readonly atMs: number;
  /** Missing when no worker told its use, or the queue did not answer. */
  readonly averagePercent?: number;
}

export interface AlarmVerdict {
  readonly state: "ok" | "alarm" | "insufficient data";
  /** Average over the newest period. */
  readonly averagePercent?: number;
  /** The alarm asks for one worker more (high) or less (low), now. */
  readonly wants: boolean;
  readonly why: string;
  /** Who judged. @default the controller */
  readonly by?: "cloud";
}

/** An alarm that the cloud evaluates, as it tells its state. */
export interface CloudAlarmState {
  readonly state: AlarmVerdict["state"];
  readonly reason: string;
  /** The cloud changes the group by itself. */
  readonly actsItself: boolean;
}

/**
 * The cloud's own verdict. What it acts upon by itself is none of our business; where it only says so we act, and then keep quiet for the
 * rule's cooldown. No answer is no verdict.
 */
export function cloudVerdict(rule: AlarmRule, seen: { readonly known: true; readonly value: CloudAlarmState } | { readonly known: false; readonly reason: string }, nowMs: number, lastActedMs?: number): AlarmVerdict {
  if (!rule.enabled) return { state: "ok", wants: false, why: "switched off" };
  if (!seen.known) return { state: "insufficient data", wants: false, why: `the cloud does not tell its alarm's state (${seen.reason})`, by: "cloud" };
  const { state, reason, actsItself } = seen.value;
  const said = `the cloud's alarm says ${state}${reason === "" ? "" : ` (${reason})`}`;
  if (state !== "alarm") return { state, wants: false, why: said, by: "cloud" };
  if (actsItself) return { state, wants: false, why: `${said}; the cloud acts upon it by itself`, by: "cloud" };
  const quietUntil = lastActedMs === undefined ? 0 : lastActedMs + rule.cooldownSeconds * 1000;
  if (nowMs < quietUntil) return { state, wants: false, why: `${said}; cooling down for ${Math.ceil((quietUntil - nowMs) / 1000)} s`, by: "cloud" };
  return { state, wants: true, why: said, by: "cloud" };
}

/**
 * Judges an alarm as Aodh does: the average of each of the last `evaluationPeriods` periods must be on the wrong side of
 * the threshold. A period that was not watched well enough is insufficient data, and that is no reason to act. After the
 * alarm has acted it keeps quiet for its own cooldown.
 */
export function evaluateAlarm(side: "high" | "low", rule: AlarmRule, samples: readonly CpuSample[], nowMs: number, lastActedMs?: number): AlarmVerdict {
  if (!rule.enabled) return { state: "ok", wants: false, why: "switched off" };
  const periodMs = rule.periodSeconds * 1000;
  const watchedFrom = samples[0]?.atMs;
  const averages: number[] = [];
  for (let i = 0; i < rule.evaluationPeriods; i += 1) {
    const to = nowMs - i * periodMs, from = to - periodMs;
    if (watchedFrom === undefined || watchedFrom > from) return lacking(averages[0], `watched for less than ${rule.evaluationPeriods * rule.periodSeconds} s`);
    const seen = samples.filter((s) => s.atMs > from && s.atMs <= to);
    const values = seen.flatMap((s) => (s.averagePercent === undefined ? [] : [s.averagePercent]));
    if (values.length === 0 || values.length * 2 < seen.length) return lacking(averages[0], "too few measurements of the workers' CPU");
    averages.push(values.reduce((a, b) => a + b, 0) / values.length);
  }
  const newest = averages[0];
  const breached = averages.every((a) => (side === "high" ? a > rule.thresholdPercent : a < rule.thresholdPercent));
  const measured = `average CPU ${Math.round(newest ?? 0)} % (${side === "high" ? "above" : "below"} ${rule.thresholdPercent} % is an alarm)`;
  if (!breached) return { state: "ok", averagePercent: newest, wants: false, why: measured };
  const quietUntil = lastActedMs === undefined ? 0 : lastActedMs + rule.cooldownSeconds * 1000;
  if (nowMs < quietUntil) return { state: "alarm", averagePercent: newest, wants: false, why: `${measured}; cooling down for ${Math.ceil((quietUntil - nowMs) / 1000)} s` };
  return { state: "alarm", averagePercent: newest, wants: true, why: measured };
}

const lacking = (averagePercent: number | undefined, why: string): AlarmVerdict => ({ state: "insufficient data", averagePercent, wants: false, why });

/** Adds a sample and forgets those that no rule looks at any more (one older than the window stays: it shows since when we watch). */
export function remember<T extends { readonly atMs: number }>(samples: readonly T[], sample: T, windowSeconds: number): readonly T[] {
  const from = sample.atMs - windowSeconds * 1000;
  const firstInside = samples.findIndex((s) => s.atMs > from);
  const kept = firstInside < 0 ? samples.slice(-1) : samples.slice(Math.max(0, firstInside - 1));
  return [...kept, sample];
}
