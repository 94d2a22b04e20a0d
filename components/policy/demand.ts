/** What a job asks of a worker; the queue's own words (RequestCpus, RequestMemory, RequestDisk). */
export interface JobRequest {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

export interface QueueJob extends JobRequest {
  /** Cluster and process, such as `17.0`. */
  readonly id: string;
  readonly state: "waiting" | "running" | "held" | "other";
  readonly owner: string;
  /** Machine that runs it, without the slot. */
  readonly machine?: string;
  readonly startedAtMs?: number;
  readonly queuedAtMs: number;
  readonly holdReason?: string;
  /** The job's Requirements as text: jobs with the same text and sizes match the same workers. */
  readonly requirements: string;
}

export interface JobCounts {
  readonly waiting: number;
  readonly running: number;
  readonly held: number;
}

/** Room on a worker. */
export type Room = JobRequest;

export interface DemandInput {
  readonly waiting: readonly QueueJob[];
  /** Free room of workers that take jobs now. */
  readonly free: readonly Room[];
  /** Workers on their way: each counts as a whole free worker. */
  readonly booting: number;
  /** What one worker offers to jobs. */
  readonly worker: Room;
  /** Groups of jobs (by `matchKey`) that an idle worker with room for them did not get: a new one would not either. */
  readonly refused?: ReadonlySet<string>;
}

export interface Demand {
  /** Waiting jobs that a worker of this group can take. */
  readonly placeable: number;
  /** Workers to add so that every placeable job could run at once. */
  readonly newWorkers: number;
  /** Placeable jobs that fit into the room there is, or that is on its way. */
  readonly fitting: number;
  readonly unmatchable: number;
  /** The reason of the first unmatchable job, with its id. */
  readonly unmatchableWhy?: string;
}

/** Jobs with the same key are alike for matching. */
export const matchKey = (j: QueueJob): string => `${j.cpus}/${j.memoryMiB}/${j.diskMiB}/${j.requirements}`;

/**
 * How many workers the waiting jobs need beyond the room there is. Jobs are packed by what they ask for, largest first,
 * into free room, then booting workers, then new ones; like jobs are counted together, so 10 000 of them cost no more than ten.
 */
export function packDemand(input: DemandInput): Demand {
  const groups = new Map<string, { job: QueueJob; count: number }>();
  for (const job of input.waiting) {
    const key = matchKey(job);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { job, count: 1 });
    else group.count += 1;
  }
  const bins: Room[] = [...input.free, ...Array.from({ length: input.booting }, () => input.worker)];
  const open: Room[] = []; // new workers with room left
  let newWorkers = 0, placeable = 0, fitting = 0, unmatchable = 0;
  let unmatchableWhy: string | undefined;
  const largestFirst = [...groups.entries()].sort(([, a], [, b]) => b.job.cpus - a.job.cpus || b.job.memoryMiB - a.job.memoryMiB);
  for (const [key, { job, count }] of largestFirst) {
    const misfit = whyNever(job, input.worker) ?? (input.refused?.has(key) ? "an idle worker with room for it did not match its Requirements" : undefined);
    if (misfit !== undefined) {
      unmatchable += count;
      unmatchableWhy ??= `job ${job.id}: ${misfit}`;
      continue;
    }
    placeable += count;
    let left = place(bins, job, count);
    fitting += count - left;
    left = place(open, job, left);
    if (left === 0) continue;
    const each = fits(input.worker, job);
    const more = Math.ceil(left / each);
    newWorkers += more;
    // Only the last one can have room for another kind of job beyond what all of them have left over.
    const last = left - (more - 1) * each;
    if (more > 1) open.push(...Array.from({ length: Math.min(more - 1, 64) }, () => minus(input.worker, job, each)));
    open.push(minus(input.worker, job, last));
  }
  return { placeable, newWorkers, fitting, unmatchable, unmatchableWhy };
}

/** Why a worker of this size can never take the job; undefined when it can. */
export function whyNever(job: JobRequest, worker: Room): string | undefined {
  if (job.cpus > worker.cpus) return `asks for ${job.cpus} cpus, a worker has ${worker.cpus}`;
  if (job.memoryMiB > worker.memoryMiB) return `asks for ${job.memoryMiB} MiB of memory, a worker has ${worker.memoryMiB}`;
  if (job.diskMiB > worker.diskMiB) return `asks for ${Math.ceil(job.diskMiB)} MiB of disk, a worker has ${Math.floor(worker.diskMiB)}`;
  return undefined;
}

function fits(room: Room, job: JobRequest): number {
  const by = (have: number, each: number): number => (each <= 0 ? Number.POSITIVE_INFINITY : Math.floor(have / each + 1e-9));
  const n = Math.min(by(room.cpus, job.cpus), by(room.memoryMiB, job.memoryMiB), by(room.diskMiB, job.diskMiB));
  return Number.isFinite(n) ? Math.max(0, n) : 1_000_000;
}

const minus = (room: Room, job: JobRequest, n: number): Room => ({
  cpus: room.cpus - n * job.cpus, memoryMiB: room.memoryMiB - n * job.memoryMiB, diskMiB: room.diskMiB - n * job.diskMiB,
});

/** Puts as many of `count` like jobs into the bins as fit; answers how many are left. */
function place(bins: Room[], job: JobRequest, count: number): number {
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
