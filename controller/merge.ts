import { isSureOff, SURE_LOOKS, UNLISTED_CONFIRM_SECONDS, type OffWord, type Phase } from "../components/policy/decision";
import type { RunningJob } from "../components/policy/demand";
import { workerHostname } from "../components/policy/names";
import { isBeforeStartd, noteOrphans } from "../components/policy/orphans";
import type { Memory, Merged, SeenWorker } from "./memory";
import type { Gate, Machine, Member, MemberStatus, Observed, QueueView } from "./ports";

export interface MergeInput {
  readonly members: readonly Member[];
  readonly queue: Observed<QueueView>;
  /** The queue's running jobs, by machine. */
  readonly running: JobsByMachine;
  readonly gate: Gate;
  readonly poolDomain: string;
  readonly defaultType: string;
  readonly pins?: readonly string[];
  readonly billingPeriodSeconds?: number;
  /** How long two looks may lie apart before the time between them counts as unseen. */
  readonly gapMs: number;
  readonly nowMs: number;
  readonly wallMs: number;
}

/** A verified-gone server may stay in a list that lags so long; one that is listed longer is there after all. */
const LIST_LAG_MS = 120_000;
const OFF: ReadonlySet<MemberStatus> = new Set(["stopped", "failed", "gone"]);

/**
 * Puts cloud and queue together, worker by worker, and notes what that says about time. Call only with a known pool. Here and in what follows
 * ten thousand workers are gone through in loops of functions that last: one that is made anew in each pass (`all.map((m) => ...)`) loses its
 * compiled form at every collection of garbage.
 */
export function merge(memory: Memory, i: MergeInput): readonly Merged[] {
  skipUnseenTime(memory, i);
  const machines = byServer(i.queue), returned = returnedBy(i.queue);
  const workers: Merged[] = [];
  for (const member of membersWithMemory(memory, i, machines)) workers.push(mergeOne(memory, member, i, machines.get(member.id), returned));
  return workers;
}

/** What nobody watched is no idle time, and no time in which a worker should have joined. */
function skipUnseenTime(memory: Memory, i: MergeInput): void {
  if (!i.queue.known) return;
  const { lastQueueLookMs } = memory;
  memory.lastQueueLookMs = i.nowMs;
  if (lastQueueLookMs === undefined || i.nowMs - lastQueueLookMs <= i.gapMs) return;
  const unseen = i.nowMs - lastQueueLookMs;
  for (const w of memory.workers.values()) {
    if (w.idleSinceMs !== undefined) w.idleSinceMs = i.nowMs;
    if (w.phase === "joining" || w.phase === "lost") w.phaseSinceMs = Math.min(i.nowMs, w.phaseSinceMs + unseen);
  }
}

function byServer(queue: Observed<QueueView>): ReadonlyMap<string, Machine> {
  const out = new Map<string, Machine>();
  for (const m of queue.known ? queue.value.machines : []) {
    if (m.serverId === undefined) continue;
    const other = out.get(m.serverId);
    // Two ads of one server (an old name and a new one): the newer speaks, and whoever has jobs counts.
    out.set(m.serverId, other === undefined ? m : { ...(m.heardAtMs >= other.heardAtMs ? m : other), claims: Math.max(m.claims, other.claims) });
  }
  return out;
}

export type JobsByMachine = ReadonlyMap<string, readonly RunningJob[]>;

export function jobsByMachine(queue: Observed<QueueView>): JobsByMachine {
  const out = new Map<string, RunningJob[]>();
  for (const j of queue.known ? queue.value.running : []) {
    const there = out.get(j.machine);
    if (there === undefined) out.set(j.machine, [j]);
    else there.push(j);
  }
  return out;
}

function returnedBy(queue: Observed<QueueView>): ReadonlyMap<string, ReadonlySet<string>> {
  const out = new Map<string, Set<string>>();
  for (const { id, machine } of queue.known ? queue.value.returned ?? [] : []) out.set(machine, (out.get(machine) ?? new Set()).add(id));
  return out;
}

/**
 * The cloud's list, and who else must exist: whom an earlier list showed or a create answered, until several lists over a while lack it
 * and a question for it alone says so too; and who speaks to the collector. An empty or shrunken list is not believed at once. Whoever is
 * not among them is forgotten.
 */
function membersWithMemory(memory: Memory, i: MergeInput, machines: ReadonlyMap<string, Machine>): readonly Member[] {
  const { gone } = memory;
  for (const [id, atMs] of gone) if (i.nowMs - atMs > LIST_LAG_MS) gone.delete(id);
  const listed = new Set<string>();
  for (const m of i.members) listed.add(m.id);
  const missing = missingMembers(memory, i, listed, machines);
  // The last of those that are listed twice speaks.
  const once = listed.size === i.members.length ? i.members : [...new Map(i.members.map((m) => [m.id, m])).values()];
  const all = missing.length === 0 ? once : [...once, ...missing];
  for (const id of gone.keys()) memory.workers.delete(id);
  return gone.size === 0 ? all : all.filter((m) => !gone.has(m.id));
}

function missingMembers(memory: Memory, i: MergeInput, listed: ReadonlySet<string>, machines: ReadonlyMap<string, Machine>): readonly Member[] {
  const missing: Member[] = [], vanished: string[] = [];
  for (const w of memory.workers.values()) {
    const { id } = w.member;
    if (listed.has(id)) {
      if (w.member.placeholder === true) continue;
      w.unlisted = undefined;
      w.saidGone = false;
      continue;
    }
    if (w.member.placeholder === true) {
      vanished.push(id);
      continue;
    }
    w.unlisted = { sinceMs: w.unlisted?.sinceMs ?? i.nowMs, looks: (w.unlisted?.looks ?? 0) + 1 };
    // A server that has left the list may have left its disks: its removal ends when the pool has verified both.
    if (w.removing !== undefined) missing.push({ ...w.member, status: "stopping" });
    else if (!(w.saidGone && isDueForQuestion(w, i.nowMs) && !machines.has(id))) missing.push({ ...w.member, status: "unknown", detail: "the cloud's list lacks it" }); // guard: an empty list is not believed
    else vanished.push(id);
  }
  for (const [id, m] of machines) if (!listed.has(id) && !memory.workers.has(id)) missing.push({ id, name: m.name, status: "unknown", copying: false, macs: [], detail: "the pool knows it, the cloud's list lacks it" });
  for (const id of vanished) memory.workers.delete(id);
  return missing;
}

export const isDueForQuestion = (w: SeenWorker, nowMs: number): boolean =>
  w.unlisted !== undefined && w.unlisted.looks >= SURE_LOOKS && nowMs - w.unlisted.sinceMs >= UNLISTED_CONFIRM_SECONDS * 1000;

/** Whom the list has lacked for so long that it should be asked for by name. */
export function dueForQuestion(memory: Memory, nowMs: number, most: number): readonly string[] {
  const due: string[] = [];
  for (const w of memory.workers.values()) {
    if (due.length >= most) break;
    if (w.unlisted !== undefined && w.removing === undefined && isDueForQuestion(w, nowMs)) due.push(w.member.id);
  }
  return due;
}

function mergeOne(memory: Memory, member: Member, i: MergeInput, machine: Machine | undefined, returned: ReadonlyMap<string, ReadonlySet<string>>): Merged {
  const { nowMs } = i;
  let seen = memory.workers.get(member.id);
  if (seen === undefined) memory.workers.set(member.id, (seen = freshWorker(member, i.poolDomain, nowMs)));
  seen.member = member;
  if (machine !== undefined) {
    seen.machine = machine.name;
    seen.address = machine.address ?? seen.address;
    noteHeard(seen, machine.heardAtMs, nowMs);
  }
  const jobsThere = i.running.get(seen.machine) ?? NO_JOBS;
  const jobs = Math.max(machine?.claims ?? 0, jobsThere.length);
  const off = noteOff(seen, member, nowMs), oldest = oldestStart(jobsThere);
  if (i.queue.known) {
    note(seen, member, machine, jobs, off, i);
    noteJobs(seen, jobsThere, machine?.claims ?? 0, returned, nowMs);
    if (i.queue.partial === undefined) noteOlderJobs(seen, jobsThere, oldest, machine?.startedAtMs, nowMs);
  }
  const period = (i.billingPeriodSeconds ?? 0) * 1000;
  return {
    id: member.id, name: seen.hostname, type: member.type ?? machine?.workerType ?? i.defaultType, phase: seen.phase, phaseSinceMs: seen.phaseSinceMs, server: member.status, copying: member.copying,
    detail: member.detail, off, retiring: member.retiring, doomed: member.doomed, unhealthy: seen.unhealthy, doubtful: seen.gaveBackJobs.size > 0 && !seen.endedJob ? true : undefined, proven: seen.endedJob ? true : undefined, pinned: i.pins?.includes(member.id) === true ? true : undefined,
    everJoined: seen.everJoined, admitted: seen.everJoined || i.gate.admitted(member.id), jobs, oldestJobStartMs: oldest,
    idleSinceMs: seen.idleSinceMs, drainReason: machine?.drainReason, fenced: seen.fenced, absentLooks: seen.absentLooks, cancelledAtMs: seen.cancelledAtMs,
    billedForMs: period > 0 && member.activeSinceMs !== undefined ? period - (Math.max(0, i.wallMs - member.activeSinceMs) % period) : undefined,
    member, machine, machineName: seen.machine,
  };
}

export function freshWorker(member: Member, poolDomain: string, nowMs: number): SeenWorker {
  const hostname = workerHostname(member.id);
  return {
    member, hostname, machine: `${hostname}.${poolDomain}`, firstSeenMs: nowMs, phase: "booting", phaseSinceMs: nowMs, everJoined: false, fenced: false, absentLooks: 0, saidGone: false,
    running: NO_JOBS, endedJob: false, gaveBackJobs: new Set(),
  };
}

function noteHeard(seen: SeenWorker, raw: number, nowMs: number): void {
  if (seen.heard === undefined) seen.heard = { raw, atMs: nowMs };
  else if (seen.heard.raw !== raw) {
    seen.heard.raw = raw;
    seen.heard.atMs = nowMs;
  }
}

function oldestStart(jobs: readonly RunningJob[]): number | undefined {
  let oldest: number | undefined;
  for (const { startedAtMs } of jobs) if (startedAtMs !== undefined && (oldest === undefined || startedAtMs < oldest)) oldest = startedAtMs;
  return oldest;
}

/** The cloud's word that it is off: since when, how often in a row, and whether the worker itself was heard since. */
function noteOff(seen: SeenWorker, member: Member, nowMs: number): OffWord | undefined {
  seen.off = OFF.has(member.status) ? { sinceMs: seen.off?.sinceMs ?? nowMs, looks: (seen.off?.looks ?? 0) + 1 } : undefined;
  if (seen.off === undefined) return undefined;
  const word = { ...seen.off, contradicted: seen.heard !== undefined && seen.heard.atMs > seen.off.sinceMs };
  return { ...word, sure: isSureOff(word, nowMs) };
}

function note(seen: SeenWorker, member: Member, machine: Machine | undefined, jobs: number, off: OffWord | undefined, i: MergeInput): void {
  const partial = i.queue.known && i.queue.partial !== undefined;
  if (machine === undefined && partial) return; // what a partial answer lacks is not absent
  const { nowMs } = i;
  const phase = phaseOf(seen, member, machine, jobs, off);
  if (member.status === "running") seen.runningAtMs ??= nowMs;
  if (machine === undefined) seen.absentLooks += 1;
  else {
    seen.absentLooks = 0;
    if (!seen.everJoined) seen.joinedAtMs = nowMs;
    seen.everJoined = true;
    seen.fenced = machine.draining && (machine.drainReason?.startsWith("elastigrid:") ?? false);
    if (jobs > 0) seen.firstJobAtMs ??= nowMs;
  }
  if (phase !== seen.phase) {
    seen.phase = phase;
    seen.phaseSinceMs = nowMs;
  }
  if (phase !== "idle") seen.idleSinceMs = undefined;
  else seen.idleSinceMs ??= nowMs;
}

const NO_JOBS: readonly RunningJob[] = [];

/** Nothing is made for the many whose oldest job is younger than their startd. */
function noteOlderJobs(seen: SeenWorker, jobs: readonly RunningJob[], oldestMs: number | undefined, startedAtMs: number | undefined, nowMs: number): void {
  const older = oldestMs !== undefined && startedAtMs !== undefined && isBeforeStartd(oldestMs, startedAtMs);
  if (older) seen.orphans = noteOrphans(seen.orphans, { startedAtMs, heardAtMs: seen.heard?.atMs, jobs, nowMs });
  else if (seen.orphans !== undefined) seen.orphans = undefined;
}

/** Which jobs have ended there, and how many are starting that the queue still calls waiting. */
function noteJobs(seen: SeenWorker, jobsThere: readonly RunningJob[], claims: number, returned: ReadonlyMap<string, ReadonlySet<string>>, nowMs: number): void {
  const back = returned.get(seen.machine);
  if (back !== undefined) for (const id of back) seen.gaveBackJobs.add(id);
  if (!seen.endedJob) seen.endedJob = hasEnded(seen.running, jobsThere, back);
  seen.running = seen.endedJob ? NO_JOBS : jobsThere;
  const ahead = claims - jobsThere.length;
  seen.ahead = ahead <= 0 ? undefined : { sinceMs: seen.ahead?.jobs === ahead ? seen.ahead.sinceMs : nowMs, jobs: ahead };
}

/** Whether one of the jobs that were there is there no more, and did not come back to the queue. */
function hasEnded(before: readonly RunningJob[], now: readonly RunningJob[], back: ReadonlySet<string> | undefined): boolean {
  for (const { id } of before) if (back?.has(id) !== true && !isAmong(now, id)) return true;
  return false;
}

function isAmong(jobs: readonly RunningJob[], id: string): boolean {
  for (const j of jobs) if (j.id === id) return true;
  return false;
}

/** A machine ad says what a worker does, whatever the cloud says of its server; without one the cloud's word tells how far it is. */
function phaseOf(seen: SeenWorker, member: Member, machine: Machine | undefined, jobs: number, off: OffWord | undefined): Phase {
  if (seen.removing !== undefined) return "removing";
  if (machine === undefined) { // guard: a live ad beats the cloud's word
    if (seen.everJoined) return "lost";
    if (member.status === "running") return "joining";
    // One that ran keeps its time limit, whatever a single answer says.
    return seen.phase === "joining" && off?.sure !== true ? "joining" : "booting";
  }
  if (machine.drained && jobs === 0) return "drained";
  if (machine.draining) return "draining";
  return jobs > 0 ? "busy" : "idle";
}
