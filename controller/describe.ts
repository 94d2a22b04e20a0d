import type { ControllerConfig } from "../components/config/controller-config";
import type { AlarmVerdict } from "../components/policy/alarms";
import { gateOf } from "../components/policy/breaker";
import type { Override } from "../components/policy/decision";
import { effectiveLimits } from "../components/policy/scaling";
import { leadMs } from "./learn";
import type { Controller } from "./loop";
import type { Merged } from "./memory";
import type { Journal } from "./ports";
import type { AlarmStatus, CredentialStatus, GridStatus, QueueStatus, WorkerStatus } from "./status";

const iso = (ms: number): string => new Date(ms).toISOString();
const SHOWN_DECISIONS = 50;
const SHOWN_REASONS = 20;

/** Puts the status together: everything in it is what the last pass saw. */
export function describeStatus(c: Controller, config: ControllerConfig, override: Override, journal: Journal, nowMs: number, credential?: CredentialStatus): GridStatus {
  const limits = effectiveLimits(config.workers, override);
  const p = c.latest;
  const workers = (p?.workers ?? []).map((w) => describeWorker(w, c, override));
  const pool = p?.look.pool, queue = p?.look.queue;
  const notYet = { known: false, reason: "not looked at yet" } as const;
  const nowMonotonicMs = p?.input.nowMs ?? 0;
  return {
    version: 1, gridName: config.gridName, at: iso(nowMs), startedAt: iso(c.startedAtMs),
    lastPassAt: c.lastPass && iso(c.lastPass.atMs), lastPassMs: c.lastPass?.tookMs, passes: c.passes, intervalSeconds: config.scaling.intervalSeconds, passError: c.lastPass?.error,
    mode: override.paused ? "paused" : override.size === undefined ? "auto" : "manual",
    size: {
      min: limits.min, max: limits.max, manual: limits.size, configuredMin: config.workers.min, configuredMax: config.workers.max,
      have: workers.length, ready: workers.filter((w) => w.phase === "idle" || w.phase === "busy").length,
    },
    pool: { ...(pool === undefined ? notYet : pool.known ? { known: true, closing: pool.value.closing, partial: pool.partial } : pool), lastKnownAt: c.lastKnown.poolMs === undefined ? undefined : iso(c.lastKnown.poolMs) },
    htcondor: { ...(queue === undefined ? notYet : queue.known ? { known: true, partial: queue.partial } : queue), lastKnownAt: c.lastKnown.queueMs === undefined ? undefined : iso(c.lastKnown.queueMs) },
    workers, queue: describeQueue(c),
    alarms: [
      describeAlarm("cpu-high", config.alarms.cpuHigh, p?.alarms.high),
      describeAlarm("cpu-low", config.alarms.cpuLow, p?.alarms.low),
      ...(p?.alarms.rules ?? []).map((r): AlarmStatus => ({ name: r.name, enabled: true, state: r.state, why: r.why, by: "controller" })),
    ],
    ...(credential === undefined ? {} : { credential }),
    createBlocked: blocked(c, nowMonotonicMs, nowMs),
    bootSeconds: c.memory.boots.length > 0 ? Math.round(leadMs(c.memory) / 1000) : undefined,
    decisions: journal.tail(SHOWN_DECISIONS),
  };
}

function describeQueue(c: Controller): QueueStatus | undefined {
  const p = c.latest;
  if (p === undefined || !p.look.queue.known) return undefined;
  const { counts } = p.look.queue.value;
  const { unmatchable, unmatchableWhy, reasons } = p.demand;
  return {
    waiting: Math.max(0, counts.waiting - unmatchable), running: counts.running, suspended: counts.suspended ?? 0, held: counts.held, unmatchable, unmatchableWhy,
    reasons: reasons.slice(0, SHOWN_REASONS).map(({ exampleId, count, kind, why }) => ({ job: exampleId, count, kind, why })), done: counts.done ?? 0,
  };
}

/** The longest wait before workers of some type may be made. */
function blocked(c: Controller, monotonicMs: number, nowMs: number): GridStatus["createBlocked"] {
  const types = c.latest?.input.types ?? [];
  const gates = [c.memory.createGate, ...types.map((t) => gateOf(c.memory.breakers.values(), t.name, monotonicMs))].flatMap((g) => (g?.untilMs !== undefined && g.untilMs > monotonicMs ? [g] : []));
  const last = gates.sort((a, b) => (b.untilMs ?? 0) - (a.untilMs ?? 0))[0];
  return last === undefined ? undefined : { until: iso(nowMs + (last.untilMs ?? 0) - monotonicMs), why: last.why ?? "" };
}

function describeAlarm(name: AlarmStatus["name"], rule: ControllerConfig["alarms"]["cpuHigh"], v: AlarmVerdict | undefined): AlarmStatus {
  return {
    name, enabled: rule.enabled, state: v?.state ?? "insufficient data", thresholdPercent: rule.thresholdPercent, why: v?.why ?? "not looked at yet", by: v?.by ?? "controller",
    averagePercent: v?.averagePercent === undefined ? undefined : Math.round(v.averagePercent * 10) / 10,
  };
}

function describeWorker(w: Merged, c: Controller, override: Override): WorkerStatus {
  const { nowMs, wallMs } = { nowMs: c.latest?.input.nowMs ?? 0, wallMs: c.latest?.atMs ?? 0 };
  const seen = c.memory.workers.get(w.id);
  const since = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : Math.max(0, Math.round((nowMs - ms) / 1000)));
  const between = (from: number | undefined, to: number | undefined): number | undefined => (from === undefined || to === undefined ? undefined : Math.max(0, Math.round((to - from) / 100) / 10));
  const knownSeconds = since(seen?.firstSeenMs) ?? 0;
  const upSeconds = w.member.activeSinceMs === undefined ? 0 : Math.floor((wallMs - w.member.activeSinceMs) / 1000);
  return {
    name: w.name, type: w.type, serverUuid: w.id, serverName: w.member.name, serverStatus: w.server, phase: w.phase, phaseSince: iso(wallMs - (nowMs - w.phaseSinceMs)),
    phaseSeconds: since(w.phaseSinceMs) ?? 0, cpuPercent: w.machine?.cpuPercent, jobs: w.jobs, ageSeconds: Math.max(knownSeconds, upSeconds), pinned: w.pinned === true ? true : undefined,
    boot: {
      serverSeconds: between(seen?.orderedAtMs, seen?.runningAtMs), joinSeconds: between(seen?.runningAtMs, seen?.joinedAtMs),
      totalSeconds: between(seen?.orderedAtMs, seen?.joinedAtMs), firstJobSeconds: between(seen?.joinedAtMs, seen?.firstJobAtMs),
    },
    why: whyPhase(w, override),
  };
}

function whyPhase(w: Merged, override: Override): string {
  const wanted = override.drains.some((d) => d.worker === w.id) ? "the operator wants it drained" : w.unhealthy ?? (w.off !== undefined ? `the cloud says ${w.server}, the pool hears from it` : undefined) ?? w.retiring ?? (w.pinned === true ? "pinned" : "");
  const jobs = `${w.jobs} job${w.jobs === 1 ? "" : "s"}`;
  switch (w.phase) {
    case "booting": return w.server === "failed" || w.server === "gone" ? `server ${w.server}${w.detail === undefined ? "" : `: ${w.detail}`}` : w.server === "unknown" ? "being made" : w.server === "stopped" ? "made, not started yet" : `server ${w.server}`;
    case "joining": return w.admitted ? "has its token, not in the pool yet" : "runs, has not asked for its token yet";
    case "idle": return wanted || "no job";
    case "busy": return wanted || jobs;
    case "draining": return `${w.drainReason?.startsWith("elastigrid:") ? "takes no new job" : `drained by hand (${w.drainReason ?? "no reason given"}): left alone`}; ${jobs} to finish`;
    case "drained": return w.drainReason?.startsWith("elastigrid:") ? "nothing runs there, may go" : `drained by hand (${w.drainReason ?? "no reason given"}): left alone`;
    case "removing": return "being stopped and deleted";
    case "lost": return w.server === "stopped" ? "was in the pool, is switched off" : "was in the pool, which does not hear from it";
  }
}
