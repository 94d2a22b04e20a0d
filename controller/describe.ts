import type { ControllerConfig } from "../components/config/controller-config";
import type { AlarmVerdict } from "../components/policy/alarms";
import { effectiveLimits, type Override } from "../components/policy/scaling";
import type { Controller } from "./loop";
import type { Merged } from "./memory";
import type { Journal } from "./ports";
import type { AlarmStatus, CredentialStatus, GridStatus, QueueStatus, WorkerStatus } from "./status";

const iso = (ms: number): string => new Date(ms).toISOString();
const SHOWN_DECISIONS = 50;

/** Puts the status together: everything in it is what the last pass saw. */
export function describeStatus(c: Controller, config: ControllerConfig, override: Override, journal: Journal, nowMs: number, credential?: CredentialStatus): GridStatus {
  const limits = effectiveLimits(config.workers, override);
  const p = c.latest;
  const workers = (p?.workers ?? []).map((w) => describeWorker(w, c, override, nowMs));
  const pool = p?.look.pool, queue = p?.look.queue;
  const notYet = { known: false, reason: "not looked at yet" } as const;
  const gate = c.memory.createGate;
  return {
    version: 1, gridName: config.gridName, at: iso(nowMs), startedAt: iso(c.startedAtMs),
    lastPassAt: c.lastPass && iso(c.lastPass.atMs), lastPassMs: c.lastPass?.tookMs, passes: c.passes, intervalSeconds: config.scaling.intervalSeconds, passError: c.lastPass?.error,
    mode: override.paused ? "paused" : override.size === undefined ? "auto" : "manual",
    size: {
      min: limits.min, max: limits.max, manual: limits.size, configuredMin: config.workers.min, configuredMax: config.workers.max,
      have: workers.length, ready: workers.filter((w) => w.phase === "idle" || w.phase === "busy").length,
    },
    pool: { ...(pool === undefined ? notYet : pool.known ? { known: true, closing: pool.value.closing } : pool), lastKnownAt: c.lastKnown.poolMs === undefined ? undefined : iso(c.lastKnown.poolMs) },
    htcondor: { ...(queue === undefined ? notYet : queue.known ? { known: true } : queue), lastKnownAt: c.lastKnown.queueMs === undefined ? undefined : iso(c.lastKnown.queueMs) },
    workers, queue: describeQueue(c),
    alarms: [
      describeAlarm("cpu-high", config.alarms.cpuHigh, p?.alarms.high),
      describeAlarm("cpu-low", config.alarms.cpuLow, p?.alarms.low),
    ],
    ...(credential === undefined ? {} : { credential }),
    createBlocked: gate !== undefined && gate.untilMs > nowMs ? { until: iso(gate.untilMs), why: gate.why } : undefined,
    decisions: journal.tail(SHOWN_DECISIONS),
  };
}

function describeQueue(c: Controller): QueueStatus | undefined {
  const p = c.latest;
  if (p === undefined || !p.look.queue.known) return undefined;
  const { counts } = p.look.queue.value;
  const { unmatchable, unmatchableWhy } = p.demand;
  return { waiting: counts.waiting - unmatchable, running: counts.running, held: counts.held, unmatchable, unmatchableWhy, done: c.memory.jobsDone };
}

function describeAlarm(name: AlarmStatus["name"], rule: ControllerConfig["alarms"]["cpuHigh"], v: AlarmVerdict | undefined): AlarmStatus {
  return {
    name, enabled: rule.enabled, state: v?.state ?? "insufficient data", thresholdPercent: rule.thresholdPercent, why: v?.why ?? "not looked at yet", by: v?.by ?? "controller",
    averagePercent: v?.averagePercent === undefined ? undefined : Math.round(v.averagePercent * 10) / 10,
  };
}

function describeWorker(w: Merged, c: Controller, override: Override, nowMs: number): WorkerStatus {
  const firstSeen = c.memory.workers.get(w.id)?.firstSeenMs ?? nowMs;
  return {
    name: w.name, serverUuid: w.id, serverName: w.member.name, serverStatus: w.server, phase: w.phase, phaseSince: iso(w.phaseSinceMs),
    phaseSeconds: Math.max(0, Math.floor((nowMs - w.phaseSinceMs) / 1000)), cpuPercent: w.machine?.cpuPercent, jobs: w.jobs,
    ageSeconds: Math.max(0, Math.floor((nowMs - Math.min(firstSeen, w.member.activeSinceMs ?? firstSeen)) / 1000)), why: whyPhase(w, override),
  };
}

function whyPhase(w: Merged, override: Override): string {
  const wanted = override.drains.some((d) => d.worker === w.id) ? "the operator wants it drained" : w.retiring ?? "";
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
