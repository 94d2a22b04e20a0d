import {
  count, does, hold, isComing, isDrainRequested, isWorking, LOST_GRACE_SECONDS, REASON_EXCHANGE, REASON_OPERATOR, REASON_SCALE_IN, secondsSince,
  type Decision, type DecisionInput, type Limits, type Override, type TypeLimits, type WorkerView,
} from "./decision";
import { finish } from "./removal";
import { renew } from "./renewal";
import { idleVictims, isSettled, shrinkIdle, surplus } from "./victims";

/*
 * How queue and alarms combine. The queue is the better witness: it knows what work there is, while CPU only shows what the
 * workers that exist do with theirs. So the queue's demand decides first, and the alarms may only hasten it:
 * - The high alarm adds one worker only while a job waits that has waited for the alarm's whole period and nothing is on its
 *   way for it: a worker without work helps nobody, and high CPU without a waiting job is a grid doing what it is for.
 * - The low alarm lets one idle worker go before its idle time is over, but only while no job waits; it never touches a
 *   worker that runs something, however little CPU that takes (a job may wait for its input).
 * - Rules of the operator's own add and remove by their step or towards their target; what they remove is idle too.
 * Every hold says why it is one.
 */

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
  const drains = operatorDrains(i, going);
  const staying = stayingWorkers(i, new Set([...going, ...drains.flatMap((d) => ("id" in d ? [d.id] : []))]));
  if (paused) return orHold([...removals, ...drains], "paused by the operator: the size is left as it is");
  if (i.queuePartial !== undefined) return orHold([...removals, ...drains], `HTCondor's answer is not the whole (${i.queuePartial}): the size is left as it is`);

  const renewal = renew(i, limits, staying);
  const renewed = new Set(renewal.decisions.flatMap((d) => ("id" in d ? [d.id] : [])));
  const counted = renewed.size === 0 ? staying : staying.filter((w) => !renewed.has(w.id));
  const starts = counted.filter(isToStart).map((w): Decision => ({ do: "start", id: w.id, why: "it was made but does not run yet" }));
  const sizing = resize(i, limits, counted, renewal.surge);
  const canary = renewal.canary === undefined || sizing.some((d) => d.do === "grow") ? [] : grow(i, new Map([[renewal.canary, 1]]), limits.max - i.workers.length, "the first worker of the new definition, before an old one goes");
  const chosen = new Set(sizing.flatMap((d) => ("id" in d && d.do !== "cancelDrain" ? [d.id] : [])));
  const rescued = new Set(sizing.flatMap((d) => (d.do === "cancelDrain" ? [d.id] : [])));
  return [
    ...removals.filter((d) => !("id" in d && rescued.has(d.id))), ...drains, ...renewal.decisions.filter((d) => !("id" in d && chosen.has(d.id))),
    ...starts.filter((d) => !("id" in d && chosen.has(d.id))), ...sizing, ...canary,
  ];
}

function stayingWorkers(i: DecisionInput, leaving: ReadonlySet<string>): readonly WorkerView[] {
  const staying: WorkerView[] = [];
  for (const w of i.workers) if (keepsPlace(i, w) && !leaving.has(w.id) && !isDrainRequested(i, w)) staying.push(w);
  return staying;
}

const isToStart = (w: WorkerView): boolean => w.server === "stopped" && !w.copying && w.phase === "booting";
const orHold = (d: readonly Decision[], why: string): readonly Decision[] => [...d, hold(why)];
/** One missing answer does not make a worker gone: it keeps its place for a while, so that no substitute is made at once. */
const keepsPlace = (i: DecisionInput, w: WorkerView): boolean =>
  isComing(w) || isWorking(w) || (w.phase === "lost" && secondsSince(i, w.phaseSinceMs) < LOST_GRACE_SECONDS);

/** Without the queue only what cannot hurt: the declared minimum is made, by counting every server there is. */
function blind(i: DecisionInput, limits: Limits, paused: boolean): readonly Decision[] {
  const why = `HTCondor does not answer (${i.queueUnknown}): no worker is taken away until it does`;
  const wanted = limits.size ?? limits.min;
  const lacking = wanted - i.workers.length;
  if (paused || lacking <= 0) return [hold(why)];
  return [...grow(i, firstType(i, lacking), lacking, `the group has ${i.workers.length} of at least ${wanted} workers`), hold(why)];
}

/** The operator named these workers: idle or busy, they take no new job; `now` takes the jobs with it. */
function operatorDrains(i: DecisionInput, going: ReadonlySet<string>): Decision[] {
  return i.override.drains.flatMap(({ worker, now }): Decision[] => {
    const w = i.workers.find((x) => x.id === worker);
    if (w === undefined || going.has(w.id)) return [];
    if (now) return [{ do: "remove", id: w.id, basis: "now", why: `the operator said --now${w.jobs > 0 ? `: ${count(w.jobs, "job")} there will run again elsewhere` : ""}` }];
    if (isWorking(w)) return isSettled(i, w) ? [{ do: "fence", id: w.id, kind: "drain", reason: REASON_OPERATOR, why: "the operator wants it drained" }] : [];
    if (isComing(w) && !w.admitted) return [{ do: "remove", id: w.id, basis: "not-admitted", why: "the operator wants it gone, and it has not joined" }];
    return [];
  });
}

function resize(i: DecisionInput, limits: Limits, staying: readonly WorkerView[], surge: number): readonly Decision[] {
  const have = staying.length - surge;
  const { demand } = i;
  const jobs = `${count(demand.placeable, "job")} ${does(demand.placeable, "waits", "wait")}`;
  if (limits.size !== undefined) {
    const why = `the operator set the size to ${limits.size}`;
    if (have < limits.size) return increase(i, limits, firstType(i, limits.size - have), `${why}, ${have} ${does(have, "is", "are")} there`);
    if (have > limits.size) return surplus(i, staying, limits.size + surge, why);
    return [hold(`the size is ${limits.size}, as the operator set it`)];
  }
  if (have > limits.max) return surplus(i, staying, limits.max, `the maximum is ${limits.max}`);
  if (have < limits.min) return increase(i, limits, atLeast(i, limits.min - have, limits.max - have), `below the minimum of ${limits.min}`);
  if (demand.newWorkers > 0) {
    if (have >= limits.max) return exchange(i, limits, staying, jobs);
    return increase(i, limits, upTo(i, limits.max - have), `${jobs}, room is there for ${demand.fitting}`);
  }
  const coming = staying.filter(isComing).length;
  const rule = i.alarms.rules.find((r) => (r.add ?? 0) > 0);
  if (rule !== undefined && coming === 0 && have < limits.max) return increase(i, limits, firstType(i, Math.min(rule.add ?? 0, limits.max - have)), `alarm: ${rule.why}`, rule.name);
  if (demand.placeable > 0) {
    const longWait = i.oldestWaitMs !== undefined && i.oldestWaitMs >= i.alarms.highPeriodSeconds * 1000;
    if (i.alarms.high.wants && longWait && coming === 0 && have < limits.max) return increase(i, limits, firstType(i, 1), `alarm: ${i.alarms.high.why}, and ${jobs}`, "cpu-high");
    return [hold(`${jobs}; room for ${demand.placeable === 1 ? "it" : "them"} is there or on its way (${coming} booting)`)];
  }
  return shrinkIdle(i, limits, staying);
}

/** At the maximum, while jobs wait that no worker there can take: an idle one of another kind makes room, one at a time below the minimum. */
function exchange(i: DecisionInput, limits: Limits, staying: readonly WorkerView[], jobs: string): readonly Decision[] {
  const full = `at the maximum of ${limits.max}; ${jobs}`;
  const wanted = i.types.filter((t) => (i.demand.byType[t.name] ?? 0) > 0 && (t.gate.untilMs ?? 0) <= i.nowMs).map((t) => t.name);
  const due = idleVictims(staying).filter((w) =>
    (!wanted.includes(w.type) || w.retiring !== undefined) && isSettled(i, w) && secondsSince(i, w.idleSinceMs!) >= Math.min(i.scaling.idleSeconds, LOST_GRACE_SECONDS));
  if (wanted.length === 0 || due.length === 0 || i.poolClosing !== undefined) return [hold(full)];
  const mayGo = Math.max(1, staying.filter(isWorking).length - limits.min);
  return due.slice(0, Math.min(i.demand.newWorkers, mayGo)).map((w): Decision => ({ do: "fence", id: w.id, kind: "ifIdle", reason: REASON_EXCHANGE, why: `${full} that it does not get, idle for ${secondsSince(i, w.idleSinceMs!)} s: it makes room` }));
}

type Wanted = ReadonlyMap<string, number>;
const firstType = (i: DecisionInput, n: number): Wanted => new Map([[i.types[0]?.name ?? "", n]]);

/** What the queue asks for, as far as there is room; in the order of the types. */
function upTo(i: DecisionInput, room: number): Wanted {
  const wanted = new Map<string, number>();
  let left = room;
  for (const { name } of i.types) {
    const n = Math.min(left, i.demand.byType[name] ?? 0);
    if (n > 0) wanted.set(name, n);
    left -= n;
  }
  return wanted;
}

/** The minimum, of what the queue asks for and else of the first type; more where the queue asks for more. */
function atLeast(i: DecisionInput, lacking: number, room: number): Wanted {
  const wanted = new Map(upTo(i, room));
  const asked = [...wanted.values()].reduce((a, b) => a + b, 0);
  const first = i.types[0]?.name ?? "";
  if (asked < lacking) wanted.set(first, (wanted.get(first) ?? 0) + lacking - asked);
  return wanted;
}

/** Takes workers back that were only closed because they were not needed, before it makes new ones. */
function increase(i: DecisionInput, limits: Limits, wanted: Wanted, why: string, byAlarm?: string): readonly Decision[] {
  const left = new Map(wanted);
  const rescue: Decision[] = [];
  for (const w of i.workers) {
    const lacking = left.get(w.type) ?? 0;
    const back = lacking > 0 && (w.phase === "draining" || w.phase === "drained") && w.drainReason === REASON_SCALE_IN && !isDrainRequested(i, w);
    if (!back || w.retiring !== undefined || w.unhealthy !== undefined || w.doomed === true) continue;
    rescue.push({ do: "cancelDrain", id: w.id, why: `needed again: ${why}` });
    left.set(w.type, lacking - 1);
  }
  if ([...left.values()].every((n) => n <= 0)) return rescue;
  const room = limits.max - i.workers.length; // guard: every server there is counts towards the maximum
  if (room <= 0) return orHold(rescue, `${why}; ${count(i.workers.length, "server")} exist, as many as the maximum of ${limits.max} allows, until those that leave are gone`);
  return [...rescue, ...grow(i, left, room, why, byAlarm)];
}

function grow(i: DecisionInput, wanted: Wanted, room: number, why: string, byAlarm?: string): readonly Decision[] {
  if (i.poolClosing !== undefined) return [hold(`nothing is created: ${i.poolClosing}`)];
  const wait = (untilMs: number, cause: string): Decision => hold(`${why}; nothing is created for ${Math.ceil((untilMs - i.nowMs) / 1000)} s: ${cause}`);
  if (i.createGate !== undefined && i.nowMs < i.createGate.untilMs) return [wait(i.createGate.untilMs, i.createGate.why)];
  if (i.poolPartial !== undefined) return [hold(`${why}; nothing is created while the cloud's list is not the whole: ${i.poolPartial}`)];
  if (i.poolBusy !== undefined) return [hold(`${why}; ordered as soon as the cloud takes orders for the group again: ${i.poolBusy}`)];
  let left = Math.min(room, i.scaling.growStep, i.createsLeft ?? Number.POSITIVE_INFINITY);
  if (left <= 0) return [hold(`${why}; as many as scaling.createsPerMinute (${i.scaling.createsPerMinute}) allows have been ordered in this minute`)];
  const out: Decision[] = [];
  for (const [type, n] of wanted) {
    const t: TypeLimits = i.types.find((x) => x.name === type) ?? { name: type, gate: {} };
    const { untilMs = 0, atMost, why: cause } = t.gate;
    if (n > 0 && untilMs > i.nowMs) {
      out.push(wait(untilMs, cause ?? ""));
      continue;
    }
    const ofType = t.max === undefined ? Number.POSITIVE_INFINITY : t.max - i.workers.filter((w) => w.type === type).length;
    const m = Math.min(n, left, ofType, atMost ?? Number.POSITIVE_INFINITY);
    if (m > 0) out.push({ do: "grow", type, count: m, why, ...(byAlarm === undefined ? {} : { byAlarm }) });
    else if (n > 0 && atMost === 0) out.push(hold(`${why}; ${cause ?? ""}`));
    else if (n > 0 && ofType <= 0) out.push(hold(`${why}; at the maximum of ${t.max} workers of type ${type}`));
    left -= Math.max(0, m);
  }
  return out;
}
