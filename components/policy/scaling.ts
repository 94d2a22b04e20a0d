import type { ScalingSettings } from "../config/controller-config";
import type { AlarmVerdict } from "./alarms";
import type { Demand } from "./demand";

/*
 * How queue and alarms combine. The queue is the better witness: it knows what work there is, while CPU only shows what the
 * workers that exist do with theirs. So the queue's demand decides first, and the alarms may only hasten it:
 * - The high alarm adds one worker only while a job waits that has waited for the alarm's whole period and nothing is on its
 *   way for it: a worker without work helps nobody, and high CPU without a waiting job is a grid doing what it is for.
 * - The low alarm lets one idle worker go before its idle time is over, but only while no job waits; it never touches a
 *   worker that runs something, however little CPU that takes (a job may wait for its input).
 * Every hold says why it is one.
 */

export type Phase = "booting" | "joining" | "idle" | "busy" | "draining" | "drained" | "removing" | "lost";

/** A worker as cloud and queue together show it. */
export interface WorkerView {
  readonly id: string;
  /** Short name in the pool. */
  readonly name: string;
  readonly phase: Phase;
  readonly phaseSinceMs: number;
  readonly server: "stopped" | "starting" | "running" | "stopping" | "failed" | "gone" | "unknown";
  /** What the cloud says of a server that is no good. */
  readonly detail?: string;
  /** Why it shall go when its jobs are done. */
  readonly retiring?: string;
  /** The cloud's group would take it away at its next change: it is not taken back into service until that is mended. */
  readonly doomed?: boolean;
  /** Its disks are still being copied: it cannot be started yet. */
  readonly copying: boolean;
  /** Whether it has been in the pool while this controller watched. */
  readonly everJoined: boolean;
  /** It has a token and may join at any moment. */
  readonly admitted: boolean;
  /** Jobs there by either witness: claims on the machine, or running jobs of the queue. */
  readonly jobs: number;
  /** Start of its oldest running job. */
  readonly oldestJobStartMs?: number;
  /** Since when it has been without a job, as far as we watched. */
  readonly idleSinceMs?: number;
  readonly drainReason?: string;
  /** We closed it to new work, HTCondor agreed, and its daemon has not been seen in service since. */
  readonly fenced: boolean;
  /** Looks in a row, each with an answer of the queue, that did not show it. */
  readonly absentLooks: number;
}

export interface Override {
  readonly min?: number;
  readonly max?: number;
  readonly size?: number;
  readonly paused?: boolean;
  /** Workers that the operator wants gone. `now`: with their jobs. */
  readonly drains: readonly { readonly worker: string; readonly now: boolean }[];
}

export interface DecisionInput {
  readonly nowMs: number;
  readonly poolUnknown?: string;
  readonly queueUnknown?: string;
  /** Nothing may be created: the group is being deleted. */
  readonly poolClosing?: string;
  /** The cloud takes no order for the group at the moment. */
  readonly poolBusy?: string;
  readonly workers: readonly WorkerView[];
  readonly demand: Demand;
  /** When the longest waiting placeable job entered the queue. */
  readonly oldestWaitingMs?: number;
  readonly limits: { readonly min: number; readonly max: number };
  readonly override: Override;
  readonly scaling: ScalingSettings;
  readonly alarms: { readonly high: AlarmVerdict; readonly low: AlarmVerdict; readonly highPeriodSeconds: number };
  /** When the group last changed its size. */
  readonly lastResizeMs?: number;
  /** Creating is held back (workers did not join, the cloud refused, an answer was ambiguous). */
  readonly createGate?: { readonly untilMs: number; readonly atMost?: number; readonly why: string };
}

export type RemovalBasis = "continue" | "drained" | "gone-after-fence" | "stopped" | "not-admitted" | "never-joined" | "lost" | "now";

export type Decision =
  | { readonly do: "grow"; readonly count: number; readonly why: string; readonly byAlarm?: boolean }
  | { readonly do: "start"; readonly id: string; readonly why: string }
  | { readonly do: "cancelDrain"; readonly id: string; readonly why: string }
  | { readonly do: "fence"; readonly id: string; readonly kind: "ifIdle" | "drain"; readonly reason: string; readonly why: string; readonly byAlarm?: boolean }
  | { readonly do: "remove"; readonly id: string; readonly basis: RemovalBasis; readonly why: string }
  | { readonly do: "hold"; readonly why: string };

export const REASON_SCALE_IN = "elastigrid:scale-in";
export const REASON_OPERATOR = "elastigrid:drain";
export const REASON_RETIRING = "elastigrid:retiring";
const isOurs = (reason: string | undefined): boolean => reason?.startsWith("elastigrid:") ?? false;
/** Copying a large disk may take this long on a real cloud; longer means stuck. */
const BOOT_LIMIT_SECONDS = 1_800;
const SURE_ABSENT_LOOKS = 3;
const LOST_GRACE_SECONDS = 60;

export interface Limits {
  readonly min: number;
  readonly max: number;
  /** The operator's size, within 0 and max. */
  readonly size?: number;
}

/** What is in force: the operator's word before the configuration's; min never above max. */
export function effectiveLimits(limits: { min: number; max: number }, o: Override): Limits {
  const max = o.max ?? limits.max;
  const min = Math.min(o.min ?? limits.min, max);
  return { min, max, size: o.size === undefined ? undefined : Math.min(o.size, max) };
}

/**
 * What to do now. A function of plain data: the same observation gives the same decisions. Nothing is taken away unless
 * queue and cloud both answered, and a worker in service is only ever asked to close itself to new work: it is removed in
 * a later pass, when HTCondor says that nothing runs and nothing can start there.
 */
export function decide(i: DecisionInput): readonly Decision[] {
  if (i.poolUnknown !== undefined) return [hold(`the cloud does not answer (${i.poolUnknown}): nothing is done until it does`)];
  const limits = effectiveLimits(i.limits, i.override);
  const paused = i.override.paused ?? false;
  if (i.queueUnknown !== undefined) return blind(i, limits, paused);

  const removals = finish(i, limits, paused);
  const going = new Set(removals.flatMap((d) => (d.do === "remove" ? [d.id] : [])));
  const serving = i.workers.filter((w) => keepsPlace(i, w) && !going.has(w.id) && w.retiring === undefined);
  const drains = operatorDrains(i, going);
  const leaving = new Set(drains.flatMap((d) => ("id" in d ? [d.id] : [])));
  const staying = serving.filter((w) => !leaving.has(w.id) && !isDrainRequested(i, w));
  if (paused) return orHold([...removals, ...drains], "paused by the operator: the size is left as it is");

  const retired = retire(i, new Set([...going, ...leaving]));
  const starts = staying.filter((w) => w.server === "stopped" && !w.copying).map((w): Decision => ({ do: "start", id: w.id, why: "it was made but does not run yet" }));
  const sizing = resize(i, limits, staying);
  const chosen = new Set(sizing.flatMap((d) => ("id" in d && d.do !== "cancelDrain" ? [d.id] : [])));
  const rescued = new Set(sizing.flatMap((d) => (d.do === "cancelDrain" ? [d.id] : [])));
  return [
    ...removals.filter((d) => !("id" in d && rescued.has(d.id))), ...drains, ...retired,
    ...starts.filter((d) => !("id" in d && chosen.has(d.id))), ...sizing,
  ];
}

const hold = (why: string): Decision => ({ do: "hold", why });
const orHold = (d: readonly Decision[], why: string): readonly Decision[] => [...d, hold(why)];
const isComing = (w: WorkerView): boolean => (w.phase === "booting" || w.phase === "joining") && w.server !== "failed";
const isServing = (w: WorkerView): boolean => w.server !== "gone" && (isComing(w) || w.phase === "idle" || w.phase === "busy");
/** One missing answer does not make a worker gone: it keeps its place for a while, so that no substitute is made at once. */
const keepsPlace = (i: DecisionInput, w: WorkerView): boolean => isServing(w) || (w.phase === "lost" && secondsSince(i, w.phaseSinceMs) < LOST_GRACE_SECONDS);
const isDrainRequested = (i: DecisionInput, w: WorkerView): boolean => i.override.drains.some((d) => d.worker === w.id);
const secondsSince = (i: DecisionInput, ms: number): number => Math.floor((i.nowMs - ms) / 1000);
const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;
const does = (n: number, one: string, many: string): string => (n === 1 ? one : many);

/** Without the queue only what cannot hurt: the declared minimum is made, by counting every server there is. */
function blind(i: DecisionInput, limits: Limits, paused: boolean): readonly Decision[] {
  const why = `HTCondor does not answer (${i.queueUnknown}): no worker is taken away until it does`;
  const lacking = (limits.size ?? limits.min) - i.workers.length;
  if (paused || i.poolClosing !== undefined || lacking <= 0) return [hold(why)];
  return [...grow(i, lacking, lacking, `the group has ${i.workers.length} of at least ${limits.size ?? limits.min} workers`), hold(why)];
}

/** Carries on what was begun, and replaces what has failed. */
function finish(i: DecisionInput, limits: Limits, paused: boolean): Decision[] {
  const out: Decision[] = [];
  const remove = (w: WorkerView, basis: RemovalBasis, why: string): void => void out.push({ do: "remove", id: w.id, basis, why });
  const { joinTimeoutSeconds } = i.scaling;
  const needed = limits.size ?? (i.demand.placeable > 0 ? Number.POSITIVE_INFINITY : limits.min);
  let capacity = i.workers.filter((w) => isServing(w)).length;
  for (const w of i.workers) {
    const inPhase = secondsSince(i, w.phaseSinceMs);
    if (w.phase === "removing") remove(w, "continue", "its removal has begun");
    else if (w.phase === "drained" && w.jobs === 0 && isOurs(w.drainReason)) remove(w, "drained", "drained: nothing runs there and nothing can start");
    else if (w.phase === "lost" && w.fenced && w.jobs === 0) remove(w, "gone-after-fence", "it was closed to new work and its daemon has gone");
    else if (paused) continue;
    else if (w.server === "gone") remove(w, "stopped", "its server no longer exists");
    else if (w.server === "failed" && (w.phase === "booting" || w.phase === "joining") && w.jobs === 0) remove(w, "stopped", `the cloud could not run it${w.detail === undefined ? "" : `: ${w.detail}`}`);
    else if (w.server === "stopped" && w.everJoined && w.phase === "lost") remove(w, "stopped", "it was in the pool, and has been switched off or has crashed");
    else if (w.server === "stopped" && w.phase === "booting" && !w.copying && capacity > needed) {
      remove(w, "stopped", "it does not run and is not needed");
      capacity -= 1;
    } else if (w.phase === "lost" && w.jobs === 0 && inPhase >= joinTimeoutSeconds && w.absentLooks >= SURE_ABSENT_LOOKS) {
      remove(w, "lost", `the pool has not heard from it for ${inPhase} s, and no job is recorded there`);
    } else if (w.phase === "joining" && w.jobs === 0 && inPhase >= joinTimeoutSeconds && w.absentLooks >= SURE_ABSENT_LOOKS) {
      remove(w, "never-joined", `it has run for ${inPhase} s and did not join (limit ${joinTimeoutSeconds} s)`);
    } else if (w.phase === "booting" && inPhase >= Math.max(joinTimeoutSeconds, BOOT_LIMIT_SECONDS)) {
      remove(w, "never-joined", `it does not run ${inPhase} s after it was made`);
    }
  }
  return out;
}

/** The operator named these workers: idle or busy, they take no new job; `now` takes the jobs with it. */
function operatorDrains(i: DecisionInput, going: ReadonlySet<string>): Decision[] {
  const out: Decision[] = [];
  for (const { worker, now } of i.override.drains) {
    const w = i.workers.find((x) => x.id === worker);
    if (w === undefined || going.has(w.id)) continue;
    if (now) out.push({ do: "remove", id: w.id, basis: "now", why: `the operator said --now${w.jobs > 0 ? `: ${count(w.jobs, "job")} there will run again elsewhere` : ""}` });
    else if (w.phase === "idle" || w.phase === "busy") out.push({ do: "fence", id: w.id, kind: "drain", reason: REASON_OPERATOR, why: "the operator wants it drained" });
    else if ((w.phase === "booting" || w.phase === "joining") && !w.admitted) out.push({ do: "remove", id: w.id, basis: "not-admitted", why: "the operator wants it gone, and it has not joined" });
  }
  return out;
}

/** Workers of a former definition take no new job, and go when their jobs have ended; what they leave is made anew. */
function retire(i: DecisionInput, spoken: ReadonlySet<string>): Decision[] {
  return i.workers.flatMap((w): Decision[] => {
    if (w.retiring === undefined || spoken.has(w.id)) return [];
    if (w.phase === "idle" || w.phase === "busy") return [{ do: "fence", id: w.id, kind: "drain", reason: REASON_RETIRING, why: w.retiring }];
    if ((w.phase === "booting" || w.phase === "joining") && !w.admitted) return [{ do: "remove", id: w.id, basis: "not-admitted", why: w.retiring }];
    return [];
  });
}

function resize(i: DecisionInput, limits: Limits, staying: readonly WorkerView[]): readonly Decision[] {
  const have = staying.length;
  const { demand } = i;
  if (limits.size !== undefined) {
    if (have < limits.size) return increase(i, limits, limits.size - have, `the operator set the size to ${limits.size}, ${have} ${does(have, "is", "are")} there`);
    if (have > limits.size) return surplus(staying, have - limits.size, `the operator set the size to ${limits.size}`);
    return [hold(`the size is ${limits.size}, as the operator set it`)];
  }
  if (have > limits.max) return surplus(staying, have - limits.max, `the maximum is ${limits.max}`);
  if (have < limits.min) return increase(i, limits, Math.max(limits.min - have, Math.min(demand.newWorkers, limits.max - have)), `below the minimum of ${limits.min}`);
  if (demand.newWorkers > 0) {
    const jobs = `${count(demand.placeable, "job")} ${does(demand.placeable, "waits", "wait")}`;
    if (have >= limits.max) return [hold(`at the maximum of ${limits.max}; ${jobs}`)];
    return increase(i, limits, Math.min(demand.newWorkers, limits.max - have), `${jobs}, room is there for ${demand.fitting}`);
  }
  const coming = staying.filter((w) => w.phase === "booting" || w.phase === "joining").length;
  if (demand.placeable > 0) {
    const longWait = i.oldestWaitingMs !== undefined && i.nowMs - i.oldestWaitingMs >= i.alarms.highPeriodSeconds * 1000;
    if (i.alarms.high.wants && longWait && coming === 0 && have < limits.max) return increase(i, limits, 1, `alarm: ${i.alarms.high.why}, and ${count(demand.placeable, "job")} ${does(demand.placeable, "waits", "wait")}`, true);
    return [hold(`${count(demand.placeable, "job")} ${does(demand.placeable, "waits", "wait")}; room for ${demand.placeable === 1 ? "it" : "them"} is there or on its way (${coming} booting)`)];
  }
  return shrinkIdle(i, limits, staying);
}

/** Takes workers back that were only closed because they were not needed, before it makes new ones. */
function increase(i: DecisionInput, limits: Limits, wanted: number, why: string, byAlarm = false): readonly Decision[] {
  const rescue = i.workers
    .filter((w) => (w.phase === "draining" || w.phase === "drained") && w.drainReason === REASON_SCALE_IN && !isDrainRequested(i, w) && w.retiring === undefined && w.doomed !== true)
    .slice(0, wanted)
    .map((w): Decision => ({ do: "cancelDrain", id: w.id, why: `needed again: ${why}` }));
  const more = wanted - rescue.length;
  if (more <= 0) return rescue;
  const room = limits.max - i.workers.length;
  if (room <= 0) return orHold(rescue, `${why}; ${count(i.workers.length, "server")} exist, as many as the maximum of ${limits.max} allows, until those that leave are gone`);
  return [...rescue, ...grow(i, more, room, why, byAlarm)];
}

function grow(i: DecisionInput, wanted: number, room: number, why: string, byAlarm = false): readonly Decision[] {
  if (i.poolClosing !== undefined) return [hold(`nothing is created: ${i.poolClosing}`)];
  if (i.createGate !== undefined && i.nowMs < i.createGate.untilMs) return [hold(`${why}; nothing is created for ${Math.ceil((i.createGate.untilMs - i.nowMs) / 1000)} s: ${i.createGate.why}`)];
  if (i.poolBusy !== undefined) return [hold(`${why}; ordered as soon as the cloud takes orders for the group again: ${i.poolBusy}`)];
  const n = Math.min(wanted, room, i.scaling.growStep, i.createGate?.atMost ?? Number.POSITIVE_INFINITY);
  return n > 0 ? [{ do: "grow", count: n, why, byAlarm: byAlarm || undefined }] : [];
}

/**
 * Too many by the operator's word: first those that do not work yet, then idle ones, then those whose oldest job began last.
 * A worker that may join at any moment is waited for: it will be idle then. Jobs run to their end.
 */
function surplus(staying: readonly WorkerView[], over: number, why: string): readonly Decision[] {
  const out: Decision[] = [];
  let left = over;
  const take = (workers: readonly WorkerView[], decision: (w: WorkerView) => Decision | undefined): void => {
    for (const w of workers.slice(0, Math.max(0, left))) {
      const d = decision(w);
      if (d !== undefined) out.push(d);
      left -= 1;
    }
  };
  const notYet = staying.filter((w) => w.phase === "booting" || w.phase === "joining");
  const fence = (kind: "ifIdle" | "drain") => (w: WorkerView): Decision => ({ do: "fence", id: w.id, kind, reason: REASON_SCALE_IN, why });
  take(notYet.filter((w) => !w.admitted), (w) => ({ do: "remove", id: w.id, basis: "not-admitted", why: `${why}, and it has not joined yet` }));
  take(longestIdleFirst(staying), fence("ifIdle"));
  const waiting = left;
  take(notYet.filter((w) => w.admitted), () => undefined);
  take([...staying.filter((w) => w.phase === "busy")].sort((a, b) => (b.oldestJobStartMs ?? 0) - (a.oldestJobStartMs ?? 0) || order(a, b)), fence("drain"));
  if (out.length === 0 && waiting > 0) return [hold(`${why}; ${count(waiting, "worker")} on the way ${does(waiting, "is", "are")} let go as soon as ${does(waiting, "it has", "they have")} joined`)];
  return out;
}

const order = (a: WorkerView, b: WorkerView): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
const longestIdleFirst = (workers: readonly WorkerView[]): WorkerView[] =>
  workers.filter((w) => w.phase === "idle" && w.jobs === 0 && w.idleSinceMs !== undefined).sort((a, b) => a.idleSinceMs! - b.idleSinceMs! || order(a, b));

function shrinkIdle(i: DecisionInput, limits: Limits, staying: readonly WorkerView[]): readonly Decision[] {
  const spare = staying.length - limits.min;
  const idle = longestIdleFirst(staying);
  const { idleSeconds, cooldownSeconds, shrinkStep } = i.scaling;
  if (spare <= 0) return [hold(`no job waits; at the minimum of ${limits.min}`)];
  if (idle.length === 0) return [hold(`no job waits; ${count(spare, "worker")} more than the minimum, none of them idle`)];
  const quiet = i.lastResizeMs === undefined ? 0 : cooldownSeconds - (i.nowMs - i.lastResizeMs) / 1000;
  if (quiet > 0) return [hold(`no job waits; no shrinking for ${Math.ceil(quiet)} s after the last change of size`)];
  const due = idle.filter((w) => i.nowMs - w.idleSinceMs! >= idleSeconds * 1000).slice(0, Math.min(spare, shrinkStep));
  if (due.length > 0) {
    return due.map((w) => ({ do: "fence", id: w.id, kind: "ifIdle", reason: REASON_SCALE_IN, why: `idle for ${secondsSince(i, w.idleSinceMs!)} s (limit ${idleSeconds} s), no job waits` }));
  }
  if (i.alarms.low.wants) return [{ do: "fence", id: idle[0]!.id, kind: "ifIdle", reason: REASON_SCALE_IN, why: `alarm: ${i.alarms.low.why}; idle, and no job waits`, byAlarm: true }];
  return [hold(`no job waits; the longest idle worker has been so for ${secondsSince(i, idle[0]!.idleSinceMs!)} of ${idleSeconds} s`)];
}
