/** What a job asks of a worker, or what a worker has: evaluated numbers in the queue's own words. */
export interface Room {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  /** GPUs and other custom resources by lower-case name (`gpus`); one that is missing is 0. */
  readonly resources?: Readonly<Record<string, number>>;
}

export type JobState = "waiting" | "running" | "suspended" | "held" | "removing" | "done" | "other";

/** One job, for people who ask for the list. */
export interface QueueJob extends Room {
  /** Cluster and process, such as `17.0`. */
  readonly id: string;
  readonly state: JobState;
  readonly owner: string;
  /** Machine that runs it, without the slot. */
  readonly machine?: string;
  readonly startedAtMs?: number;
  readonly queuedAtMs: number;
  readonly holdReason?: string;
  readonly universe?: string;
}

/** A job that occupies a machine, whatever the queue calls its state. */
export interface RunningJob {
  readonly id: string;
  readonly owner: string;
  /** Without the slot. */
  readonly machine: string;
  readonly state: "running" | "suspended" | "removing";
  /** By the queue's clock. */
  readonly startedAtMs?: number;
}

export interface UnreadableJob {
  readonly id: string;
  readonly why: string;
}

/** Waiting jobs that are alike to HTCondor: one autocluster within one universe. What is learnt of it ends with it. */
export interface WaitingGroup {
  /** Never coarser than what decides about a match: another key, another fate. */
  readonly key: string;
  readonly count: number;
  /** The job that has waited longest, such as `17.0`. */
  readonly exampleId: string;
  readonly owner: string;
  /** When its longest waiting job entered the queue, by the queue's clock. */
  readonly queuedAtMs: number;
  readonly request: Room;
  /** What decides about a match, as ClassAd expressions by attribute (`Requirements`, `RequestMemory`, ...). */
  readonly ad: Readonly<Record<string, string>>;
  /** Runs on the master itself or elsewhere (scheduler, local, grid universe): no worker helps. */
  readonly needsNoWorker?: boolean;
  /** Machines that it needs at once, all or none (parallel universe). */
  readonly gang?: number;
  /** Concurrency limits that each of its jobs takes, by lower-case name. */
  readonly limits?: Readonly<Record<string, number>>;
  /** It waits by its own wish until then, by the queue's clock (deferral less its preparation time). */
  readonly notBeforeMs?: number;
}

export interface JobCounts {
  readonly waiting: number;
  readonly running: number;
  readonly held: number;
  readonly suspended?: number;
  /** Jobs that have ended by themselves since the queue began, where it tells: removed ones are not among them. */
  readonly done?: number;
}

/** What one worker of a type offers to jobs. */
export interface Offer {
  /** The type's name. */
  readonly type: string;
  readonly room: Room;
  /** Machine ad as expressions. */
  readonly ad: Readonly<Record<string, string>>;
  /** Taken from a real worker of this very definition: an attribute that it lacks is lacking. Else lacking ones are only unknown. */
  readonly learned: boolean;
  /** Per hour, in any currency: the cheapest that matches is taken. @default 0 */
  readonly price?: number;
  /** Most workers of this type that may still be added. */
  readonly most?: number;
}

/** Room of a worker that takes jobs now. */
export interface FreeRoom {
  readonly type: string;
  readonly room: Room;
  /** The whole worker, for a gang or a job that needs all of it. */
  readonly total: Room;
  readonly ad?: Readonly<Record<string, string>>;
  /** Since when it has been without a job; missing where it works. Monotonic. */
  readonly idleForMs?: number;
}

/** What is remembered of a group that matches and yet was not served: it ends with the group. */
export interface Refusal {
  readonly sinceMs: number;
  /** One worker may be tried for it then. Monotonic. */
  readonly probeAtMs: number;
  readonly probes: number;
}

export interface DemandInput {
  readonly groups: readonly WaitingGroup[];
  readonly free: readonly FreeRoom[];
  /** Workers on their way, by type: each counts as a whole free worker. */
  readonly coming: Readonly<Record<string, number>>;
  /** In no order. */
  readonly offers: readonly Offer[];
  /** By the group's key. */
  readonly refused: ReadonlyMap<string, Refusal>;
  readonly limitsLeft?: Readonly<Record<string, number>>;
  /** Single-core places to keep free beyond what waits. @default 0 */
  readonly spareSlots?: number;
  /** Monotonic. */
  readonly nowMs: number;
  /** The queue's clock at this moment. */
  readonly queueNowMs: number;
  /** How long a new worker needs from its order to its first job: what waits by its own wish is counted so much earlier. */
  readonly leadMs: number;
}

/** Why jobs of a group do not count as demand, or count for less. */
export interface DemandReason {
  readonly key: string;
  readonly exampleId: string;
  readonly count: number;
  /** `unmatchable`: no worker of this grid can take it; `refused`: matches, yet an idle worker did not get it; `limited`: a limit outside; `later`: waits by its own wish. */
  readonly kind: "unmatchable" | "refused" | "limited" | "later" | "no-worker-needed" | "unreadable";
  readonly why: string;
}

export interface Demand {
  /** Waiting jobs that a worker of this grid can take, now. */
  readonly placeable: number;
  /** Workers to add so that every placeable job could run at once. */
  readonly newWorkers: number;
  /** The same by type. */
  readonly byType: Readonly<Record<string, number>>;
  /** Placeable jobs that fit into the room there is, or that is on its way. */
  readonly fitting: number;
  /** Jobs that do not count. */
  readonly unmatchable: number;
  /** The reason of the first of them, with its id. */
  readonly unmatchableWhy?: string;
  /** One for each group that does not count in full. */
  readonly reasons: readonly DemandReason[];
  /** When the longest waiting placeable job entered the queue, by the queue's clock. */
  readonly oldestQueuedMs?: number;
  /** Single-core places free beyond what waits, in what is there or on its way. */
  readonly spare: number;
}

export const NO_DEMAND: Demand = { placeable: 0, newWorkers: 0, byType: {}, fitting: 0, unmatchable: 0, reasons: [], spare: 0 };

/**
 * How many workers the waiting jobs need beyond the room there is. Groups are packed by what they ask for, largest first, into free
 * room, then workers on their way, then new ones of the cheapest type that matches; 10 000 like jobs cost no more than ten.
 */
export function packDemand(input: DemandInput): Demand {
  const bins: Room[] = [...input.free.map((f) => f.room), ...input.offers.flatMap((o) => Array.from({ length: input.coming[o.type] ?? 0 }, () => o.room))];
  const open = new Map<string, Room[]>();
  const byType: Record<string, number> = {};
  const reasons: DemandReason[] = [];
  let placeable = 0, fitting = 0;
  let oldestQueuedMs: number | undefined;
  const offers = [...input.offers].sort((a, b) => (a.price ?? 0) - (b.price ?? 0) || (a.type < b.type ? -1 : 1));
  const largestFirst = [...input.groups].sort((a, b) => b.request.cpus - a.request.cpus || b.request.memoryMiB - a.request.memoryMiB || (a.key < b.key ? -1 : 1));
  for (const group of largestFirst) {
    const { key, exampleId, count } = group;
    if (group.needsNoWorker === true) continue;
    const misfits = offers.map((o) => whyNever(group.request, o.room));
    const offer = offers[misfits.indexOf(undefined)];
    if (offer === undefined || input.refused.has(key)) {
      const kind = offer === undefined ? "unmatchable" : "refused";
      reasons.push({ key, exampleId, count, kind, why: misfits[0] ?? "an idle worker with room for it did not match its Requirements" });
      continue;
    }
    placeable += count;
    oldestQueuedMs = Math.min(oldestQueuedMs ?? Number.POSITIVE_INFINITY, group.queuedAtMs);
    let left = place(bins, group.request, count);
    fitting += count - left;
    const opened = open.get(offer.type) ?? [];
    left = place(opened, group.request, left);
    if (left === 0) continue;
    const each = fits(offer.room, group.request);
    const more = Math.ceil(left / each);
    byType[offer.type] = (byType[offer.type] ?? 0) + more;
    const last = left - (more - 1) * each;
    if (more > 1) opened.push(...Array.from({ length: Math.min(more - 1, 64) }, () => minus(offer.room, group.request, each)));
    opened.push(minus(offer.room, group.request, last));
    open.set(offer.type, opened);
  }
  const unmatchable = reasons.reduce((n, r) => n + r.count, 0);
  const first = reasons[0];
  return {
    placeable, fitting, unmatchable, reasons, byType, oldestQueuedMs, spare: bins.reduce((n, r) => n + Math.max(0, Math.floor(r.cpus)), 0),
    newWorkers: Object.values(byType).reduce((a, b) => a + b, 0),
    ...(first === undefined ? {} : { unmatchableWhy: `job ${first.exampleId}: ${first.why}` }),
  };
}

/** Why a worker of this size can never take the job; undefined when it can. */
export function whyNever(job: Room, worker: Room): string | undefined {
  if (job.cpus > worker.cpus) return `asks for ${job.cpus} cpus, a worker has ${worker.cpus}`;
  if (job.memoryMiB > worker.memoryMiB) return `asks for ${job.memoryMiB} MiB of memory, a worker has ${worker.memoryMiB}`;
  if (job.diskMiB > worker.diskMiB) return `asks for ${Math.ceil(job.diskMiB)} MiB of disk, a worker has ${Math.floor(worker.diskMiB)}`;
  return undefined;
}

function fits(room: Room, job: Room): number {
  const by = (have: number, each: number): number => (each <= 0 ? Number.POSITIVE_INFINITY : Math.floor(have / each + 1e-9));
  const n = Math.min(by(room.cpus, job.cpus), by(room.memoryMiB, job.memoryMiB), by(room.diskMiB, job.diskMiB));
  return Number.isFinite(n) ? Math.max(0, n) : 1_000_000;
}

const minus = (room: Room, job: Room, n: number): Room => ({
  cpus: room.cpus - n * job.cpus, memoryMiB: room.memoryMiB - n * job.memoryMiB, diskMiB: room.diskMiB - n * job.diskMiB,
});

/** Puts as many of `count` like jobs into the bins as fit; answers how many are left. */
function place(bins: Room[], job: Room, count: number): number {
  let left = count;
  for (let i = 0; i < bins.length && left > 0; i += 1) {
    const room = bins[i]!;
    const n = Math.min(left, fits(room, job));
    if (n === 0) continue;
    bins[i] = minus(room, job, n);
    left -= n;
  }
  return left;
}
