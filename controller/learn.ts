import { afterFailure, afterSuccess, type FailureClass } from "../components/policy/breaker";
import type { FreeRoom, Offer, Room, WaitingGroup } from "../components/policy/demand";
import { learnRefusals, waitsForRoom } from "../components/policy/refusals";
import { breakerKey, type Memory, type Merged } from "./memory";
import type { Machine, QueueView } from "./ports";

const REMEMBERED_BOOTS = 20;
/** Before a first worker has joined: a minute is what CloudSigma's slow clones need (peers.md, section 5: 80 to 110 s with the boot). */
const FIRST_LEAD_MS = 90_000;
/** From a claim to a running shadow: seconds (htcondor.md, C); longer is a claim that waits for something else. */
const STARTING_MS = 20_000;
/** So many different jobs came back from a worker on which none has ended: it is broken. */
const RETURNED_JOBS = 3;

/** Learns from a look what workers offer, which jobs no idle worker gets, how long a boot takes, and which workers work at all. */
export function learn(memory: Memory, queue: QueueView, workers: readonly Merged[], free: readonly FreeRoom[], nowMs: number, wallMs: number): void {
  learnOffers(memory, workers);
  const refused = learnRefusals(memory.refused, queue.groups.filter((g) => waitsForRoom(g, queue.limitsLeft, wallMs)), free, servedSince(memory, queue), nowMs, wallMs);
  memory.refused.clear();
  for (const [key, r] of refused) memory.refused.set(key, r);
  learnBoots(memory, workers, nowMs);
  learnBroken(memory, queue, workers);
}

/** Room of workers that take jobs now. */
export function freeRooms(workers: readonly Merged[], nowMs: number): readonly FreeRoom[] {
  const free: FreeRoom[] = [];
  for (const { machine: m, type, phase, jobs, unhealthy, idleSinceMs } of workers) {
    if (m === undefined || (phase !== "idle" && phase !== "busy") || unhealthy !== undefined) continue;
    free.push({ type, room: roomNow(m, jobs), total: m.total, idleForMs: idleSinceMs === undefined ? undefined : nowMs - idleSinceMs });
  }
  return free;
}

/** An ad may be older than the jobs that the queue has there by now: each takes a core's share of what the ad calls free. */
function roomNow(m: Machine, jobs: number): Room {
  const newer = jobs - m.claims;
  if (newer <= 0) return m.free;
  const share = newer / Math.max(1, m.total.cpus);
  const less = (free: number, total: number): number => Math.max(0, free - total * share);
  return { ...m.free, cpus: Math.max(0, m.free.cpus - newer), memoryMiB: less(m.free.memoryMiB, m.total.memoryMiB), diskMiB: less(m.free.diskMiB, m.total.diskMiB) };
}

/** A worker of a former definition says nothing about what a new one offers. */
function learnOffers(memory: Memory, workers: readonly Merged[]): void {
  for (const w of workers) {
    if (w.machine === undefined || w.retiring !== undefined) continue;
    const known = memory.offers.get(w.type);
    if (known === undefined || hasMore(w.machine, known)) memory.offers.set(w.type, offerOf(w.type, w.machine, known));
  }
}

/** Whether the machine shows anything that the offer does not have yet. */
const hasMore = ({ total, ad }: Machine, { room, ad: knownAd }: Offer): boolean =>
  total.cpus > room.cpus || total.memoryMiB > room.memoryMiB || total.diskMiB > room.diskMiB || total.resources !== room.resources || (ad !== undefined && ad !== knownAd);

function offerOf(type: string, { total, ad }: Machine, known: Offer | undefined): Offer {
  const most = (a: number, b = 0): number => Math.max(a, b);
  return {
    type, learned: true, ad: ad ?? known?.ad ?? {},
    room: { ...total, cpus: most(total.cpus, known?.room.cpus), memoryMiB: most(total.memoryMiB, known?.room.memoryMiB), diskMiB: most(total.diskMiB, known?.room.diskMiB) },
  };
}

/** A group is served where fewer of its jobs wait, or where its longest waiting one has gone. */
function servedSince(memory: Memory, queue: QueueView): ReadonlySet<string> {
  const served = new Set<string>();
  const now = new Map(queue.groups.map((g) => [g.key, { count: g.count, queuedAtMs: g.queuedAtMs }]));
  for (const [key, before] of memory.groupsSeen) {
    const g = now.get(key);
    if (g !== undefined && (g.count < before.count || g.queuedAtMs > before.queuedAtMs)) served.add(key);
  }
  memory.groupsSeen = now;
  return served;
}

function learnBoots(memory: Memory, workers: readonly Merged[], nowMs: number): void {
  if (!hasJoined(memory, nowMs)) return; // most looks: nobody
  for (const w of workers) {
    const seen = memory.workers.get(w.id);
    if (seen?.joinedAtMs !== nowMs || seen.orderedAtMs === undefined) continue;
    memory.boots = [...memory.boots, nowMs - seen.orderedAtMs].slice(-REMEMBERED_BOOTS);
    for (const failureClass of ["never-joined", "boot-failed"] as const) noteSuccess(memory, w.type, failureClass, nowMs);
  }
}

function hasJoined(memory: Memory, nowMs: number): boolean {
  for (const w of memory.workers.values()) if (w.joinedAtMs === nowMs) return true;
  return false;
}

/** Time from an order to a worker in the pool, as nine of ten needed less than. */
export function leadMs(memory: Memory): number {
  const sorted = [...memory.boots].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.9))] ?? FIRST_LEAD_MS;
}

/**
 * A worker from which several jobs came back unfinished while none has ended there. Jobs that also came back from a worker on which others do
 * end are no witnesses: it is the jobs then.
 */
function learnBroken(memory: Memory, queue: QueueView, workers: readonly Merged[]): void {
  const back = queue.returned ?? [];
  if (back.length === 0) return;
  const fine = new Set(workers.filter((w) => memory.workers.get(w.id)?.endedJob === true).map((w) => w.machineName));
  const odd = new Set(back.filter((r) => fine.has(r.machine)).map((r) => r.id));
  for (const w of workers) {
    const seen = memory.workers.get(w.id);
    if (seen === undefined || seen.endedJob || seen.unhealthy !== undefined) continue;
    const witnesses = [...seen.gaveBackJobs].filter((id) => !odd.has(id));
    if (witnesses.length < RETURNED_JOBS) continue;
    seen.unhealthy = `${witnesses.length} jobs came back from it unfinished (${witnesses.slice(0, 3).join(", ")}), and none has ended there`;
    noteFailure(memory, w.type, "no-job-ends", `${w.name}: ${seen.unhealthy}`, memory.lastQueueLookMs ?? 0);
  }
}

/** Waiting jobs less those that are starting: their slots are claimed, and no room is to be looked for. A claim that stays without a job is none. */
export function lessStarting(memory: Memory, queue: QueueView, nowMs: number): readonly WaitingGroup[] {
  let starting = 0;
  for (const w of memory.workers.values()) if (w.ahead !== undefined && nowMs - w.ahead.sinceMs < STARTING_MS) starting += w.ahead.jobs;
  if (starting === 0) return queue.groups;
  return [...queue.groups].sort((a, b) => a.queuedAtMs - b.queuedAtMs).flatMap((g): WaitingGroup[] => {
    if (g.needsNoWorker === true) return [g];
    const taken = Math.min(starting, g.count);
    starting -= taken;
    return taken === g.count ? [] : [{ ...g, count: g.count - taken }];
  });
}

export function noteFailure(memory: Memory, type: string, failureClass: FailureClass, why: string, nowMs: number): void {
  const key = breakerKey(type, failureClass);
  memory.breakers.set(key, afterFailure(memory.breakers.get(key), type, failureClass, nowMs, why));
}

export function noteSuccess(memory: Memory, type: string, failureClass: FailureClass, nowMs: number): void {
  const key = breakerKey(type, failureClass);
  memory.breakers.set(key, afterSuccess(memory.breakers.get(key), type, failureClass, nowMs));
}
