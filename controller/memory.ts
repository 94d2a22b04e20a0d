import type { CpuSample } from "../components/policy/alarms";
import { matchKey, whyNever, type QueueJob, type Room } from "../components/policy/demand";
import { workerHostname } from "../components/policy/names";
import type { Phase, RemovalBasis, WorkerView } from "../components/policy/scaling";
import type { CloudAlarmStates, Gate, Machine, Member, Observed, PoolView, QueueView } from "./ports";

/**
 * What the controller has seen so far. Nothing here is the truth: losing it (a crash, a restart) costs time, because idle
 * times and time limits begin anew, but never a worker, a job or a duplicate.
 */
export interface Memory {
  readonly workers: Map<string, SeenWorker>;
  /** Created, but perhaps not listed by the cloud yet. */
  readonly recentCreates: Map<string, { readonly name: string; readonly atMs: number }>;
  /** Verified gone, but perhaps still listed. */
  readonly gone: Map<string, number>;
  samples: readonly CpuSample[];
  highActedMs?: number;
  lowActedMs?: number;
  lastResizeMs?: number;
  joinFailures: number;
  lastJoinFailureMs?: number;
  lastCreateFailureMs?: number;
  /** The failure of the cloud's group that has been noted. */
  failureKey?: string;
  createFailures: number;
  /** `mendable`: somebody may have mended the cause, so a new order of theirs ends the wait. */
  createGate?: { readonly untilMs: number; readonly why: string; readonly mendable: boolean };
  /** What a worker really offers to jobs, once one has joined. */
  workerRoom?: Room;
  /** Groups of jobs that an idle worker with room did not get, and until when to believe it. */
  readonly refused: Map<string, number>;
  /** Running jobs of the last look, to count those that have left. */
  readonly jobsSeen: Set<string>;
  jobsDone: number;
}

export interface SeenWorker {
  readonly firstSeenMs: number;
  phase: Phase;
  phaseSinceMs: number;
  everJoined: boolean;
  joinedAtMs?: number;
  idleSinceMs?: number;
  fenced: boolean;
  absentLooks: number;
  removing?: RemovalBasis;
  /** When its jobs were told to go (`--now`): they get a moment to say goodbye to the queue. */
  evictedAtMs?: number;
  /** As the cloud last showed it. */
  member: Member;
  /** Full name in the pool, as last seen or as expected. */
  machine: string;
}

export const newMemory = (): Memory => ({
  workers: new Map(), recentCreates: new Map(), gone: new Map(), samples: [], joinFailures: 0, createFailures: 0, refused: new Map(), jobsSeen: new Set(), jobsDone: 0,
});

const LIST_LAG_MS = 120_000;
const REFUSAL_SHOWN_AFTER_MS = 60_000;
const REFUSAL_BELIEVED_MS = 1_800_000;

export interface Look {
  readonly pool: Observed<PoolView>;
  readonly queue: Observed<QueueView>;
  /** Missing where the cloud evaluates no alarm. */
  readonly alarms?: Observed<CloudAlarmStates>;
}

/** A worker with both its sides. */
export interface Merged extends WorkerView {
  readonly member: Member;
  readonly machine?: Machine;
  readonly machineName: string;
}

/** Puts cloud and queue together, worker by worker, and notes what that says about time. Call only with a known pool. */
export function merge(memory: Memory, members: readonly Member[], queue: Observed<QueueView>, gate: Gate, poolDomain: string, nowMs: number): readonly Merged[] {
  const all = withRecent(memory, members, nowMs);
  const present = new Set(all.map((m) => m.id));
  for (const id of memory.workers.keys()) if (!present.has(id)) memory.workers.delete(id);
  return all.map((member) => mergeOne(memory, member, queue, gate, poolDomain, nowMs));
}

/** Bridges the lag of the cloud's list in both directions. */
function withRecent(memory: Memory, members: readonly Member[], nowMs: number): readonly Member[] {
  const listed = new Set(members.map((m) => m.id));
  for (const [id, atMs] of memory.gone) if (!listed.has(id) && nowMs - atMs > LIST_LAG_MS) memory.gone.delete(id);
  for (const [id, { atMs }] of memory.recentCreates) if (listed.has(id) || nowMs - atMs > LIST_LAG_MS) memory.recentCreates.delete(id);
  const missing = [...memory.recentCreates].map(([id, { name }]): Member => ({ id, name, status: "unknown", copying: true, macs: [] }));
  // A server that has left the list may have left its disks: its removal ends when the pool has verified both.
  const leaving = [...memory.workers].flatMap(([id, w]) => (w.removing === undefined || listed.has(id) || memory.recentCreates.has(id) ? [] : [{ ...w.member, status: "stopping" as const }]));
  return [...members, ...missing, ...leaving].filter((m) => !memory.gone.has(m.id));
}

function mergeOne(memory: Memory, member: Member, queue: Observed<QueueView>, gate: Gate, poolDomain: string, nowMs: number): Merged {
  const expected = `${workerHostname(member.id)}.${poolDomain}`;
  const seen = memory.workers.get(member.id) ?? fresh(member, expected, nowMs);
  seen.member = member;
  memory.workers.set(member.id, seen);
  const machine = queue.known ? queue.value.machines.find((m) => m.serverId === member.id) : undefined;
  if (machine !== undefined) seen.machine = machine.name;
  const running = queue.known ? queue.value.jobs.filter((j) => j.state === "running" && j.machine === seen.machine) : [];
  const jobs = Math.max(machine?.claims ?? 0, running.length);
  if (queue.known) note(seen, member, machine, jobs, nowMs);
  const starts = running.flatMap((j) => (j.startedAtMs === undefined ? [] : [j.startedAtMs]));
  return {
    id: member.id, name: workerHostname(member.id), phase: seen.phase, phaseSinceMs: seen.phaseSinceMs, server: member.status, copying: member.copying,
    detail: member.detail, retiring: member.retiring, doomed: member.doomed,
    everJoined: seen.everJoined, admitted: seen.everJoined || gate.admitted(member.id), jobs, oldestJobStartMs: starts.length > 0 ? Math.min(...starts) : undefined,
    idleSinceMs: seen.idleSinceMs, drainReason: machine?.drainReason, fenced: seen.fenced, absentLooks: seen.absentLooks,
    member, machine, machineName: seen.machine,
  };
}

const fresh = (member: Member, machine: string, nowMs: number): SeenWorker => ({ member, firstSeenMs: nowMs, phase: "booting", phaseSinceMs: nowMs, everJoined: false, fenced: false, absentLooks: 0, machine });

function note(seen: SeenWorker, member: Member, machine: Machine | undefined, jobs: number, nowMs: number): void {
  const phase = phaseOf(seen, member, machine, jobs);
  if (machine === undefined) seen.absentLooks += 1;
  else {
    seen.absentLooks = 0;
    if (!seen.everJoined) seen.joinedAtMs = nowMs;
    seen.everJoined = true;
    seen.fenced = machine.draining && (machine.drainReason?.startsWith("elastigrid:") ?? false);
  }
  if (phase !== seen.phase) {
    seen.phase = phase;
    seen.phaseSinceMs = nowMs;
  }
  if (phase !== "idle") seen.idleSinceMs = undefined;
  else seen.idleSinceMs ??= nowMs;
}

function phaseOf(seen: SeenWorker, member: Member, machine: Machine | undefined, jobs: number): Phase {
  if (seen.removing !== undefined) return "removing";
  if (machine === undefined || member.status === "stopped") {
    if (seen.everJoined || machine !== undefined) return "lost";
    return member.status === "running" ? "joining" : "booting";
  }
  if (machine.drained && jobs === 0) return "drained";
  if (machine.draining) return "draining";
  return jobs > 0 ? "busy" : "idle";
}

/** Learns what a worker offers, which jobs no worker gets, and how many jobs have left the queue. */
export function learn(memory: Memory, queue: QueueView, workers: readonly Merged[], nowMs: number): void {
  const totals = workers.flatMap((w) => (w.machine === undefined ? [] : [w.machine.total]));
  if (totals.length > 0) {
    const most = (of: (t: (typeof totals)[number]) => number): number => Math.max(...totals.map(of));
    memory.workerRoom = { cpus: most((t) => t.cpus), memoryMiB: most((t) => t.memoryMiB), diskMiB: most((t) => t.diskMiB) };
  }
  for (const [key, untilMs] of memory.refused) if (nowMs >= untilMs) memory.refused.delete(key);
  for (const j of queue.jobs) if (j.state === "running") memory.refused.delete(matchKey(j));
  const rooms = workers.flatMap((w) => (w.phase === "idle" && w.machine !== undefined && nowMs - (w.idleSinceMs ?? nowMs) >= REFUSAL_SHOWN_AFTER_MS ? [room(w.machine)] : []));
  for (const j of queue.jobs) {
    if (j.state !== "waiting" || nowMs - j.queuedAtMs < REFUSAL_SHOWN_AFTER_MS) continue;
    if (rooms.some((r) => whyNever(j, r) === undefined)) memory.refused.set(matchKey(j), nowMs + REFUSAL_BELIEVED_MS);
  }
  countDone(memory, queue.jobs);
}

function countDone(memory: Memory, jobs: readonly QueueJob[]): void {
  const now = new Set(jobs.map((j) => j.id));
  for (const id of memory.jobsSeen) if (!now.has(id)) { memory.jobsDone += 1; memory.jobsSeen.delete(id); }
  for (const id of now) memory.jobsSeen.add(id);
}

export const room = (m: Machine): Room => ({ cpus: m.free.cpus, memoryMiB: m.free.memoryMiB, diskMiB: m.free.diskMiB });
