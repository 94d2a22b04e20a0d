import { evaluateRule, lastActedOf, sampleMetrics, windowSeconds, type RuleVerdict } from "../components/policy/alarm-rules";
import { cloudVerdict, evaluateAlarm, remember, type AlarmVerdict } from "../components/policy/alarms";
import { gateOf } from "../components/policy/breaker";
import { declaredAd, DEFAULT_TYPE, typesOf, type ControllerConfig } from "../components/config/controller-config";
import { NO_DEMAND, packDemand, type Demand, type FreeRoom, type Offer } from "../components/policy/demand";
import { isComing, isWorking, type DecisionInput, type Override } from "../components/policy/decision";
import { effectiveLimits } from "../components/policy/scaling";
import { freeRooms, leadMs, learn, lessStarting } from "./learn";
import type { Look, Memory, Merged } from "./memory";
import { jobsByMachine, merge, type JobsByMachine } from "./merge";
import type { Gate, JournalEntry, Observed, QueueView } from "./ports";

/** One look at the grid, put together: what policy decides on, and what the status shows. */
export interface Picture {
  /** Wall clock. */
  readonly atMs: number;
  readonly look: Look;
  readonly workers: readonly Merged[];
  readonly demand: Demand;
  readonly alarms: { readonly high: AlarmVerdict; readonly low: AlarmVerdict; readonly rules: readonly RuleVerdict[] };
  readonly input: DecisionInput;
}

export interface PictureInput {
  readonly look: Look;
  readonly config: ControllerConfig;
  readonly override: Override;
  readonly gate: Gate;
  /** The journal's newest entries, which rules may count. */
  readonly journal: readonly JournalEntry[];
  /** Monotonic. */
  readonly nowMs: number;
  readonly wallMs: number;
  /** Shown on where the cloud is unknown. */
  readonly previous: readonly Merged[];
}

const MINUTE_MS = 60_000;
/** Longer than any of the calls of a look may take by itself (15 s HTCondor's tools, 20 s the cloud). */
const OLD_MS = 45_000;
/** Looks further apart than this many intervals (or half a minute) have not watched what lies between. */
const GAP_INTERVALS = 3;
const GAP_MS = 30_000;

/** Turns a look into plain data. */
export function picture(memory: Memory, p: PictureInput): Picture {
  const { config, override, nowMs, wallMs } = p;
  const running = jobsByMachine(p.look.queue);
  const look = { ...p.look, pool: withAge(p.look.pool, p.look.ageMs), queue: withAge(withoutCollector(p.look.queue, running), p.look.ageMs) };
  const { pool, queue } = look;
  const gapMs = Math.max(GAP_MS, config.scaling.intervalSeconds * 1000 * GAP_INTERVALS);
  const workers = pool.known
    ? merge(memory, { members: pool.value.members, queue, running, gate: p.gate, poolDomain: config.poolDomain, defaultType: DEFAULT_TYPE, pins: override.pins, billingPeriodSeconds: config.scaling.billingPeriodSeconds, gapMs, nowMs, wallMs })
    : p.previous;
  const free = pool.known && queue.known ? freeRooms(workers, nowMs) : [];
  if (pool.known && queue.known) learn(memory, queue.value, workers, free, nowMs, wallMs);
  sample(memory, look, workers, config, nowMs);
  const { cpuHigh } = config.alarms;
  const demand = queue.known && pool.known ? demandOf(memory, queue.value, workers, free, p) : NO_DEMAND;
  const alarms = { high: verdict("high", memory, look, config, nowMs), low: verdict("low", memory, look, config, nowMs), rules: judgeRules(memory, p, workers, demand) };
  memory.orders = memory.orders.filter((o) => nowMs - o.atMs < MINUTE_MS);
  const { createsPerMinute } = config.scaling;
  const input: DecisionInput = {
    nowMs, workers, demand, alarms: { ...alarms, highPeriodSeconds: cpuHigh.periodSeconds * cpuHigh.evaluationPeriods },
    poolUnknown: pool.known ? undefined : pool.reason, queueUnknown: queue.known ? undefined : queue.reason,
    poolPartial: pool.known ? pool.partial : undefined, queuePartial: queue.known ? queue.partial : undefined,
    poolClosing: pool.known ? pool.value.closing : undefined, poolBusy: pool.known ? pool.value.busy : undefined,
    oldestWaitMs: demand.oldestQueuedMs === undefined ? undefined : Math.max(0, wallMs - demand.oldestQueuedMs),
    limits: config.workers, types: typesOf(config.workers).map((t) => ({ name: t.name, max: t.max, gate: gateOf(memory.breakers.values(), t.name, nowMs, unproven(memory, t.name, workers)) })),
    override, scaling: config.scaling, lastResizeMs: memory.lastResizeMs, createGate: memory.createGate,
    createsLeft: createsPerMinute === undefined ? undefined : createsPerMinute - memory.orders.reduce((n, o) => n + o.count, 0),
  };
  return { atMs: wallMs, look, workers, demand, alarms, input };
}

function demandOf(memory: Memory, queue: QueueView, workers: readonly Merged[], free: readonly FreeRoom[], { config, override, nowMs, wallMs }: PictureInput): Demand {
  return packDemand({
    groups: lessStarting(memory, queue, nowMs), free, coming: comingByType(workers), offers: offersOf(memory, config, workers), refused: memory.refused,
    most: Math.max(0, effectiveLimits(config.workers, override).max - workers.length), unreadable: queue.unreadable,
    limitsLeft: queue.limitsLeft, spareSlots: config.scaling.spareSlots, nowMs, queueNowMs: wallMs, leadMs: leadMs(memory),
  });
}

function comingByType(workers: readonly Merged[]): Readonly<Record<string, number>> {
  const coming: Record<string, number> = {};
  for (const w of workers) if (isComing(w) && w.retiring === undefined) coming[w.type] = (coming[w.type] ?? 0) + 1;
  return coming;
}

/**
 * The schedd knows jobs on machines that the collector does not list: one such machine may be dead, most of them together tell of a
 * collector that has just begun. Nobody is absent or idle by its word then.
 */
function withoutCollector(queue: Observed<QueueView>, running: JobsByMachine): Observed<QueueView> {
  if (!queue.known || queue.partial !== undefined) return queue;
  const { machines } = queue.value;
  if (running.size <= machines.length) return queue; // no more can be lacking than there are
  const listed = new Set(machines.map((m) => m.name));
  const lacking = [...running.keys()].filter((machine) => !listed.has(machine)).length;
  if (lacking < 2 || lacking <= machines.length) return queue;
  return { ...queue, partial: `jobs run on ${lacking} machines that the collector does not list, which lists ${machines.length}` };
}

/** An answer this old may tell of another grid than the one there is: nothing is made or chosen by it. */
const withAge = <T>(seen: Observed<T>, ageMs = 0): Observed<T> =>
  !seen.known || seen.partial !== undefined || ageMs < OLD_MS ? seen : { ...seen, partial: `it is ${Math.round(ageMs / 1000)} s old` };

/** The operator's own rules, judged on what this look and those before it have shown. */
function judgeRules(memory: Memory, { look, config, nowMs, wallMs, journal }: PictureInput, workers: readonly Merged[], demand: Demand): readonly RuleVerdict[] {
  const { rules = [] } = config.alarms;
  if (rules.length === 0) return [];
  const { pool, queue } = look;
  const notHelped = new Set(demand.reasons.map((r) => r.key));
  const seen = sampleMetrics({
    nowMs, queueNowMs: wallMs, journal,
    ...(queue.known ? { waiting: queue.value.groups.filter((g) => g.needsNoWorker !== true && !notHelped.has(g.key)), running: queue.value.counts.running } : {}),
    ...(queue.known && pool.known ? { workers: workers.filter(isServing).map((w) => ({ cpuPercent: w.machine?.cpuPercent, ...(w.idleSinceMs === undefined ? {} : { idleForMs: nowMs - w.idleSinceMs }) })) } : {}),
  }, memory.metrics.at(-1));
  memory.metrics = remember(memory.metrics, seen, windowSeconds(rules));
  return rules.map((r) => evaluateRule(r, memory.metrics, nowMs, lastActedOf(r, rules, memory.actedMs)));
}

const isServing = (w: Merged): boolean => isComing(w) || isWorking(w);

/** How many are on their way, where none of the type has ever joined. */
function unproven(memory: Memory, type: string, workers: readonly Merged[]): number | undefined {
  if (memory.proven.has(type)) return undefined;
  let coming = 0;
  for (const w of workers) {
    if (w.type !== type || w.retiring !== undefined) continue;
    if (w.everJoined) return undefined;
    if (isComing(w)) coming += 1;
  }
  return coming;
}

/** What a new worker of each type offers: as one has shown, or as declared. */
function offersOf(memory: Memory, config: ControllerConfig, workers: readonly Merged[]): readonly Offer[] {
  const types = typesOf(config.workers);
  return types.map((type): Offer => {
    const { name, vcpus, memoryMiB, diskMiB, resources, price, max } = type;
    const declared: Offer = { type: name, learned: false, ad: declaredAd(type, types), room: { cpus: vcpus, memoryMiB, diskMiB, ...(resources === undefined ? {} : { resources }) } };
    const most = max === undefined ? undefined : Math.max(0, max - workers.filter((w) => w.type === name).length);
    return { ...(memory.offers.get(name) ?? declared), ...(price === undefined ? {} : { price }), ...(most === undefined ? {} : { most }) };
  });
}

/** The cloud's own word where it evaluates the alarm; else ours, from what the workers tell. */
function verdict(side: "high" | "low", memory: Memory, { alarms }: Look, config: ControllerConfig, nowMs: number): AlarmVerdict {
  const rule = side === "high" ? config.alarms.cpuHigh : config.alarms.cpuLow;
  const actedMs = memory.actedMs.get(`cpu-${side}`);
  if (alarms?.known === false) return cloudVerdict(rule, alarms, nowMs, actedMs);
  const state = alarms?.value[side];
  return state === undefined ? evaluateAlarm(side, rule, memory.samples, nowMs, actedMs) : cloudVerdict(rule, { known: true, value: state }, nowMs, actedMs);
}

function sample(memory: Memory, look: Look, workers: readonly Merged[], config: ControllerConfig, nowMs: number): void {
  const { cpuHigh, cpuLow } = config.alarms;
  const windowSeconds = Math.max(cpuHigh.periodSeconds * cpuHigh.evaluationPeriods, cpuLow.periodSeconds * cpuLow.evaluationPeriods);
  const averagePercent = look.queue.known && look.pool.known ? averageUse(workers) : undefined;
  memory.samples = remember(memory.samples, { atMs: nowMs, averagePercent }, windowSeconds);
}

function averageUse(workers: readonly Merged[]): number | undefined {
  let sum = 0, told = 0;
  for (const { machine, phase } of workers) {
    if (machine?.cpuPercent === undefined || phase === "removing") continue;
    sum += machine.cpuPercent;
    told += 1;
  }
  return told > 0 ? sum / told : undefined;
}
