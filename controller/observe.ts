import { cloudVerdict, evaluateAlarm, remember, type AlarmVerdict } from "../components/policy/alarms";
import type { ControllerConfig } from "../components/config/controller-config";
import { matchKey, packDemand, type Demand, type Room } from "../components/policy/demand";
import { slotMemoryMiB } from "../components/policy/sizes";
import type { DecisionInput, Override } from "../components/policy/scaling";
import { learn, merge, room, type Look, type Memory, type Merged } from "./memory";
import type { Gate } from "./ports";

/** One look at the grid, put together: what policy decides on, and what the status shows. */
export interface Picture {
  readonly atMs: number;
  readonly look: Look;
  readonly workers: readonly Merged[];
  readonly demand: Demand;
  readonly alarms: { readonly high: AlarmVerdict; readonly low: AlarmVerdict };
  readonly input: DecisionInput;
}

const NO_DEMAND: Demand = { placeable: 0, newWorkers: 0, fitting: 0, unmatchable: 0 };
const AFTER_THREE = 3;

/** Turns a look into plain data. `previous` workers are shown on where the cloud is unknown. */
export function picture(memory: Memory, look: Look, config: ControllerConfig, override: Override, gate: Gate, nowMs: number, previous: readonly Merged[]): Picture {
  const { pool, queue } = look;
  const workers = pool.known ? merge(memory, pool.value.members, queue, gate, config.poolDomain, nowMs) : previous;
  if (pool.known && queue.known) {
    learn(memory, queue.value, workers, nowMs);
    memory.joinFailures = forgive(memory, workers);
  }
  sample(memory, look, workers, config, nowMs);
  const { cpuHigh } = config.alarms;
  const alarms = { high: verdict("high", memory, look, config, nowMs), low: verdict("low", memory, look, config, nowMs) };
  const waiting = queue.known ? queue.value.jobs.filter((j) => j.state === "waiting") : [];
  const demand = queue.known && pool.known ? packDemand({
    waiting, worker: workerRoom(memory, config), refused: new Set(memory.refused.keys()),
    free: workers.flatMap((w) => (w.machine !== undefined && w.retiring === undefined && (w.phase === "idle" || w.phase === "busy") ? [room(w.machine)] : [])),
    booting: workers.filter((w) => (w.phase === "booting" || w.phase === "joining") && w.retiring === undefined && w.server !== "failed" && w.server !== "gone").length,
  }) : NO_DEMAND;
  const queued = waiting.filter((j) => !memory.refused.has(matchKey(j))).map((j) => j.queuedAtMs);
  const broken = memory.joinFailures >= AFTER_THREE;
  const input: DecisionInput = {
    nowMs, workers, demand, alarms: { ...alarms, highPeriodSeconds: cpuHigh.periodSeconds * cpuHigh.evaluationPeriods },
    poolUnknown: pool.known ? undefined : pool.reason, queueUnknown: queue.known ? undefined : queue.reason,
    poolClosing: pool.known ? pool.value.closing : undefined, poolBusy: pool.known ? pool.value.busy : undefined,
    oldestWaitingMs: queued.length > 0 ? queued.reduce((a, b) => Math.min(a, b)) : undefined,
    limits: config.workers, override, scaling: config.scaling, lastResizeMs: memory.lastResizeMs,
    createGate: memory.createGate === undefined ? undefined : { ...memory.createGate, atMost: broken ? 1 : undefined },
  };
  return { atMs: nowMs, look, workers, demand, alarms, input };
}

/** The cloud's own word where it evaluates the alarm; else ours, from what the workers tell. */
function verdict(side: "high" | "low", memory: Memory, { alarms }: Look, config: ControllerConfig, nowMs: number): AlarmVerdict {
  const rule = side === "high" ? config.alarms.cpuHigh : config.alarms.cpuLow;
  const actedMs = side === "high" ? memory.highActedMs : memory.lowActedMs;
  if (alarms?.known === false) return cloudVerdict(rule, alarms, nowMs, actedMs);
  const state = alarms?.value[side];
  return state === undefined ? evaluateAlarm(side, rule, memory.samples, nowMs, actedMs) : cloudVerdict(rule, { known: true, value: state }, nowMs, actedMs);
}

/** A worker that joined after the last failures shows that joining works again. */
function forgive(memory: Memory, workers: readonly Merged[]): number {
  if (memory.joinFailures === 0) return 0;
  const since = memory.lastJoinFailureMs ?? 0;
  const joined = workers.some((w) => (w.phase === "idle" || w.phase === "busy") && (memory.workers.get(w.id)?.joinedAtMs ?? 0) > since);
  if (joined) memory.createGate = undefined;
  return joined ? 0 : memory.joinFailures;
}

function workerRoom(memory: Memory, config: ControllerConfig): Room {
  return memory.workerRoom ?? { cpus: config.workers.vcpus, memoryMiB: slotMemoryMiB(config.workers.memoryMiB), diskMiB: config.workers.diskMiB };
}

function sample(memory: Memory, look: Look, workers: readonly Merged[], config: ControllerConfig, nowMs: number): void {
  const { cpuHigh, cpuLow } = config.alarms;
  const windowSeconds = Math.max(cpuHigh.periodSeconds * cpuHigh.evaluationPeriods, cpuLow.periodSeconds * cpuLow.evaluationPeriods);
  const uses = look.queue.known && look.pool.known ? workers.flatMap((w) => (w.machine?.cpuPercent === undefined || w.phase === "removing" ? [] : [w.machine.cpuPercent])) : [];
  const averagePercent = uses.length > 0 ? uses.reduce((a, b) => a + b, 0) / uses.length : undefined;
  memory.samples = remember(memory.samples, { atMs: nowMs, averagePercent }, windowSeconds);
}
