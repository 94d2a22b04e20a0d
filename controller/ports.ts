import type { CloudAlarmState } from "../components/policy/alarms";
import type { FailureClass } from "../components/policy/breaker";
import type { JobCounts, QueueJob, Room, RunningJob, UnreadableJob, WaitingGroup } from "../components/policy/demand";

/**
 * What somebody else told us, or that they did not. Policy may act only on what is known: no news is not good news, so
 * an unknown never looks like "idle", "gone" or "empty". `partial` says what a known answer leaves out, where it is not the whole:
 * what it lacks is then no evidence of absence. How old an answer is, the loop notes by its own monotonic clock (`Look`).
 */
export type Observed<T> =
  | { readonly known: true; readonly value: T; readonly partial?: string }
  | { readonly known: false; readonly reason: string };
export const known = <T>(value: T, partial?: string): Observed<T> => ({ known: true, value, ...(partial === undefined ? {} : { partial }) });
export const unknown = (reason: string): Observed<never> => ({ known: false, reason });

/** `failed`: the cloud has given it up; `gone`: the group still counts a server that no longer exists. */
export type MemberStatus = "stopped" | "starting" | "running" | "stopping" | "failed" | "gone" | "unknown";

/** A server of the group, as the cloud shows it. */
export interface Member {
  readonly id: string;
  readonly name: string;
  readonly status: MemberStatus;
  /** Its worker type by name. @default the grid's only or first type */
  readonly type?: string;
  /** Ordered, and without an identity of its own yet: it only counts, and vanishes when the real one is listed. */
  readonly placeholder?: boolean;
  /** Since when it runs, where the cloud says so: wall clock. */
  readonly activeSinceMs?: number;
  /** Its disks are still being copied: it cannot be started yet. */
  readonly copying: boolean;
  readonly macs: readonly string[];
  /** Why it shall go when its jobs are done, such as that it was made from a former definition of the group. */
  readonly retiring?: string;
  /** The group would take it away at its next change: not to be counted on until that is mended. */
  readonly doomed?: boolean;
  /** What the cloud says of a status that is no good. */
  readonly detail?: string;
}

export interface PoolView {
  /** What has been ordered and is not listed yet is among them, as `starting`. */
  readonly members: readonly Member[];
  /** The cloud is changing the group and takes no further order yet. Says what it does. */
  readonly busy?: string;
  /** The cloud could not make what it had accepted; `key` is the same as long as it is the same failure. `type`: of workers. @default the first */
  readonly failure?: { readonly key: string; readonly why: string; readonly type?: string };
  /** The group is being deleted or its template is gone: nothing may be created. Says why. */
  readonly closing?: string;
}

export interface GrowResult {
  /** Servers that certainly exist now. */
  readonly created: readonly { readonly id: string; readonly name: string }[];
  /** So many are ordered and will show as members; who they are is not known yet. None where the cloud is busy: the next look orders anew. */
  readonly accepted?: number;
  /** Why fewer were made than asked for. */
  readonly failure?: string;
  /** The failed call may have had its effect: look at the cloud again before repeating. */
  readonly ambiguous: boolean;
  /** Nothing but time or a person helps (no money, no capacity): wait longer before the next try. */
  readonly wait: boolean;
  /** What kind of failure it was: each kind has a breaker of its own. @default "ambiguous" or "transient", by the two above "refused" */
  readonly failureClass?: FailureClass;
}

/** How far the removal of a server has come. Callers repeat until "gone". `runs`: it was to be removed only if it is off, and it is not. */
export type RemovalStep = "stopping" | "deleting" | "gone" | "runs";

/** The cloud's side of the group. Every method may be repeated; a state already reached is success. */
export interface Pool {
  observe(): Promise<Observed<PoolView>>;
  /** Asks for this one server now, by a call of its own: a witness beside the list. `gone`: the cloud does not know it. */
  statusNow(id: string): Promise<Observed<MemberStatus>>;
  /** Makes that many workers of a type and starts them (as far as the cloud lets it: a stopped one is started later). */
  grow(names: readonly string[], type?: string): Promise<GrowResult>;
  /** Starts a stopped one; false when there was nothing to start yet or any more. */
  start(id: string): Promise<boolean>;
  /**
   * Takes the next step of stopping and deleting a server with its disks, and says which. Verifies "gone" for both. `onlyIfOff`: never stops
   * a server; one that runs after all is left alone and answered as `runs`.
   */
  remove(id: string, how?: { readonly onlyIfOff?: boolean }): Promise<RemovalStep>;
  /** It is not to be removed after all, though a removal had begun: what was only ordered is taken back. */
  spare?(id: string): void;
  /** Keeps the group in order between decisions: puts back what would hurt, mends what has failed. Answers what it did, a line each. */
  tend?(): Promise<readonly string[]>;
  /** The last lines of the server's console, where the cloud offers them. */
  consoleTail?(id: string): Promise<string | undefined>;
}

/** Where the cloud evaluates the group's CPU alarms: their states as it tells them. */
export interface CloudAlarms {
  observe(): Promise<Observed<CloudAlarmStates>>;
}

/** A side that the cloud does not watch is missing: the controller judges it. */
export type CloudAlarmStates = { readonly [side in "high" | "low"]?: CloudAlarmState };

/** A worker's startd as the collector knows it. */
export interface Machine {
  /** Full name, such as `w-1a2b3c4d.grid.internal`. */
  readonly name: string;
  /** The cloud's uuid that the worker publishes; missing in a foreign machine. */
  readonly serverId?: string;
  /** The worker type that it publishes. */
  readonly workerType?: string;
  /** Jobs on it: claimed slots, whether a job is starting, running or ending in them. */
  readonly claims: number;
  /** It takes no new job. */
  readonly draining: boolean;
  readonly drainReason?: string;
  /** `Drained` and `Idle` and no slot left: nothing runs, and nothing can start. */
  readonly drained: boolean;
  readonly total: Size;
  readonly free: Size;
  /** Average use of all its vcpus, 0 to 100; missing until its first measurement. */
  readonly cpuPercent?: number;
  /** When the collector last heard from it, by the collector's clock: compare it only with itself. */
  readonly heardAtMs: number;
  /** When its startd began, by the collector's clock; missing where its ad does not tell. */
  readonly startedAtMs?: number;
  /** Where its startd listens, such as `10.77.0.12:9618`: for asking the host itself whether it is there. */
  readonly address?: string;
  /** Its ad as expressions, where the look fetched it: what a worker of its type offers to jobs. */
  readonly ad?: Readonly<Record<string, string>>;
}

export type Size = Room;

export interface QueueView {
  readonly machines: readonly Machine[];
  /** Waiting jobs, those alike to HTCondor together. */
  readonly groups: readonly WaitingGroup[];
  /** Jobs that occupy a machine. */
  readonly running: readonly RunningJob[];
  readonly counts: JobCounts;
  /** Jobs whose ads make no sense: counted, told, and nobody else's business. */
  readonly unreadable?: readonly UnreadableJob[];
  /** Jobs that came back from a machine without having finished there, newest first: a worker that many come back from is broken. */
  readonly returned?: readonly { readonly id: string; readonly machine: string; readonly atMs: number }[];
  /** Free places of concurrency limits by lower-case name; one that is missing is not limited. */
  readonly limitsLeft?: Readonly<Record<string, number>>;
}

/** What one machine does at this instant, by queue and collector asked anew for it alone. */
export interface Occupancy {
  /** Jobs that the queue has there, whatever their state, as long as they have that host. */
  readonly jobs: number;
  /** Slots that are not unclaimed; 0 too where the collector has no ad of it. */
  readonly claims: number;
  readonly hasAd: boolean;
}

/** Whether a host answers at its own address: `answers`: something took or refused the connection; `silent`: nobody said anything, three times. */
export interface ProbeResult {
  readonly answer: "answers" | "silent" | "unknown";
  readonly detail: string;
}

/**
 * `accepted`: it takes no new job from now on. `refusedBusy`: it runs something, and stays in service. `notNow`: closing it
 * at this moment would end its jobs (HTCondor has lost its promise there): nothing was done, ask again. `alreadyDraining`: the live daemon says that it drains. `notThere`: the collector
 * does not know it. `unknown`: no answer, anything may be the case.
 */
export type FenceAnswer = "accepted" | "refusedBusy" | "notNow" | "alreadyDraining" | "notThere" | "unknown";
export interface FenceResult {
  readonly answer: FenceAnswer;
  readonly detail: string;
}

/** HTCondor's side of the group. */
export interface Queue {
  observe(): Promise<Observed<QueueView>>;
  /** The last question before a removal: what these machines do right now. A machine that is missing in the answer was not told of. */
  occupancy(machines: readonly string[]): Promise<Observed<ReadonlyMap<string, Occupancy>>>;
  /** Asks the host itself, at the address of its ad: a witness beside queue and cloud. */
  probe(address: string): Promise<ProbeResult>;
  /** Every job of the queue, for people who ask; never part of a pass. */
  jobs(limit: number): Promise<Observed<readonly QueueJob[]>>;
  /** `ifIdle` is HTCondor's compare-and-drain: refused in the same instant when any slot is in use. */
  fence(machine: string, kind: "ifIdle" | "drain", reason: string): Promise<FenceResult>;
  /** Puts a draining worker back into service. */
  cancelDrain(machine: string): Promise<FenceResult>;
  /** Ends its jobs now; only for an operator's `--now`. */
  evict(machine: string): Promise<FenceResult>;
  /** The machine verifiably no longer exists: the collector forgets it, and its jobs (the answer's number) start elsewhere now, not when their lease ends. */
  gone(machine: string): Promise<Observed<number>>;
  /**
   * These jobs are older than the machine's startd, so that their claims are lost: asks anew, and lets those of which that is certain start anew
   * now, not when their lease ends. Answers how many; a job with a claim that may live is left alone.
   */
  releaseLostClaims(machine: string, jobs: readonly RunningJob[]): Promise<Observed<number>>;
}

/** Who may still be let into the pool. */
export interface Gate {
  /** This server was made just now: nobody has asked for it yet. */
  created(id: string): void;
  /** Whether the server has been given a token, and so may join at any moment. Unknown counts as yes. */
  admitted(id: string): boolean;
  /** Gives it no token from now on. False when it already has one. */
  close(id: string): boolean;
}

export interface Clock {
  /** Wall clock, for what people read. It may jump; no duration is measured by it. */
  nowMs(): number;
  /** Monotonic, from any origin: every duration and time limit is measured by it. */
  monotonicMs(): number;
}

export interface JournalEntry {
  readonly seq: number;
  readonly at: string;
  /** `hold`, `grow`, `fence`, `remove`, `replace`, `operator`, `unknown`, `enrol`, ... */
  readonly what: string;
  readonly why: string;
  readonly worker?: string;
}

export interface Journal {
  write(what: string, why: string, worker?: string): void;
  /** The newest entries, oldest first. */
  tail(count: number): readonly JournalEntry[];
}
