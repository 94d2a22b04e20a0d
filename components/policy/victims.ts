import { CANCEL_SETTLES_SECONDS, count, does, hold, isWorking, REASON_SCALE_IN, secondsSince, type Decision, type DecisionInput, type Limits, type WorkerView } from "./decision";

/**
 * Who goes, where fewer are wanted. Asked for by the operator (see `scaling.ts`), unhealthy, of a former definition, idle longest, nearest
 * the end of what is paid; never a pinned one. What never joined is no capacity: as long as some are on their way, no worker is taken
 * that the wanted number of working ones needs.
 */

const byId = (a: WorkerView, b: WorkerView): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
const rank = (w: WorkerView): number => (w.unhealthy !== undefined ? 0 : w.doubtful === true ? 1 : w.retiring !== undefined ? 2 : 3);
const isProven = (w: WorkerView): boolean => isWorking(w) && w.proven === true;
const isIdleVictim = (w: WorkerView): boolean => w.phase === "idle" && w.jobs === 0 && w.idleSinceMs !== undefined && w.pinned !== true;
const isBusyVictim = (w: WorkerView): boolean => w.phase === "busy" && w.pinned !== true;
/** The one on which a job is known to have ended goes last: the others may not work at all. */
const spareTheProven = (workers: readonly WorkerView[]): ((w: WorkerView) => number) => {
  const proven = workers.filter(isProven);
  return (w) => rank(w) + (proven.length === 1 && proven[0] === w ? 1 : 0);
};
/** Idle times are compared by the minute: within one, what is paid for decides. */
const IDLE_ALIKE_MS = 60_000;

export function idleVictims(workers: readonly WorkerView[]): readonly WorkerView[] {
  const idle = workers.filter(isIdleVictim);
  if (idle.length < 2) return idle;
  const place = spareTheProven(workers);
  return idle.sort((a, b) => place(a) - place(b) || idleOrder(a, b) || byId(a, b));
}

function idleOrder(a: WorkerView, b: WorkerView): number {
  const apart = a.idleSinceMs! - b.idleSinceMs!;
  if (a.billedForMs === undefined || b.billedForMs === undefined || Math.abs(apart) >= IDLE_ALIKE_MS) return apart;
  return a.billedForMs - b.billedForMs || apart;
}

/** Those whose oldest job began last lose least by waiting for it: and are back soonest if needed. */
const busyVictims = (workers: readonly WorkerView[]): readonly WorkerView[] =>
  workers.filter(isBusyVictim).sort((a, b) => rank(a) - rank(b) || (b.oldestJobStartMs ?? 0) - (a.oldestJobStartMs ?? 0) || byId(a, b));

/** May be asked to close itself: whoever was just taken back may be getting a job in this moment. */
export const isSettled = (i: DecisionInput, w: WorkerView): boolean => w.cancelledAtMs === undefined || secondsSince(i, w.cancelledAtMs) >= CANCEL_SETTLES_SECONDS;

/** Too many by the operator's word or a lowered maximum: first those that do not work yet, then idle ones, then busy ones, whose jobs run to their end. */
export function surplus(i: DecisionInput, staying: readonly WorkerView[], wanted: number, why: string): readonly Decision[] {
  const over = staying.length - wanted;
  const out: Decision[] = [];
  const notYet = staying.filter((w) => !isWorking(w) && w.pinned !== true);
  for (const w of notYet.filter((x) => !x.admitted).slice(0, over)) out.push({ do: "remove", id: w.id, basis: "not-admitted", why: `${why}, and it has not joined yet` });
  // What is on its way may never come: only working ones beyond the wanted number may go.
  const working = staying.filter(isWorking);
  const mayGo = Math.min(over - out.length, working.length - wanted);
  const chosen = [...idleVictims(working), ...busyVictims(working)].filter((w) => isSettled(i, w)).slice(0, Math.max(0, mayGo));
  for (const w of chosen) out.push({ do: "fence", id: w.id, kind: w.phase === "idle" ? "ifIdle" : "drain", reason: REASON_SCALE_IN, why });
  if (out.length > 0) return out;
  const onWay = notYet.filter((w) => w.admitted).length;
  if (onWay > 0) return [hold(`${why}; ${count(onWay, "worker")} on the way ${does(onWay, "is", "are")} let go as soon as ${does(onWay, "it has", "they have")} joined`)];
  return [hold(`${why}; those that are too many are pinned, or were just put back into service`)];
}

export function shrinkIdle(i: DecisionInput, limits: Limits, staying: readonly WorkerView[]): readonly Decision[] {
  const { idleSeconds, cooldownSeconds, shrinkStep, spareSlots = 0 } = i.scaling;
  const working = staying.filter(isWorking);
  const beyond = working.length - limits.min; // guard: what never joined is no capacity
  const proven = working.filter(isProven);
  // The only one that is known to work stays as long as there are others that have shown nothing yet.
  const last = proven.length === 1 && working.length > 1 && working.every((w) => w.phase === "idle") ? proven[0] : undefined;
  const idle = idleVictims(working).filter((w) => isSettled(i, w) && w !== last);
  if (beyond <= 0) return [hold(`no job waits; ${staying.length > working.length ? `${count(working.length, "worker")} in the pool, no more than` : "at"} the minimum of ${limits.min}`)];
  if (idle.length === 0) return [hold(`no job waits; ${count(beyond, "worker")} more than the minimum, none of them idle`)];
  const quiet = i.lastResizeMs === undefined ? 0 : cooldownSeconds - (i.nowMs - i.lastResizeMs) / 1000;
  if (quiet > 0) return [hold(`no job waits; no shrinking for ${Math.ceil(quiet)} s after the last change of size`)];
  const spare = spareSlots > 0 ? Math.max(0, Math.floor((i.demand.spare - spareSlots) / Math.max(1, i.demand.spare / Math.max(1, idle.length)))) : beyond;
  if (spare <= 0) return [hold(`no job waits; ${i.demand.spare} free places are kept (scaling.spareSlots ${spareSlots})`)];
  const most = Math.min(beyond, shrinkStep, spare);
  const due = idle.filter((w) => i.nowMs - w.idleSinceMs! >= idleSeconds * 1000).slice(0, most);
  if (due.length > 0) {
    return due.map((w) => ({ do: "fence", id: w.id, kind: "ifIdle", reason: REASON_SCALE_IN, why: `idle for ${secondsSince(i, w.idleSinceMs!)} s (limit ${idleSeconds} s), no job waits` }));
  }
  const low = byAlarm(i);
  if (low !== undefined) {
    return idle.slice(0, Math.min(low.workers, most)).map((w) => ({ do: "fence", id: w.id, kind: "ifIdle", reason: REASON_SCALE_IN, why: `alarm: ${low.why}; idle, and no job waits`, byAlarm: low.name }));
  }
  return [hold(`no job waits; the longest idle worker has been so for ${secondsSince(i, idle[0]!.idleSinceMs!)} of ${idleSeconds} s`)];
}

function byAlarm(i: DecisionInput): { readonly name: string; readonly why: string; readonly workers: number } | undefined {
  const rule = i.alarms.rules.find((r) => (r.remove ?? 0) > 0);
  if (rule !== undefined) return { name: rule.name, why: rule.why, workers: rule.remove ?? 0 };
  return i.alarms.low.wants ? { name: "cpu-low", why: i.alarms.low.why, workers: 1 } : undefined;
}
