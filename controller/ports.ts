import type { CloudAlarmState } from "../components/policy/alarms";
import type { JobCounts, QueueJob } from "../components/policy/demand";

/**
 * What somebody else told us, or that they did not. Policy may act only on what is known: no news is not good news, so
 * an unknown never looks like "idle", "gone" or "empty".
 */
export type Observed<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly reason: string };
export const known = <T>(value: T): Observed<T> => ({ known: true, value });
export const unknown = (reason: string): Observed<never> => ({ known: false, reason });

/** `failed`: the cloud has given it up; `gone`: the group still counts a server that no longer exists. */
export type MemberStatus = "stopped" | "starting" | "running" | "stopping" | "failed" | "gone" | "unknown";

/** A server of the group, as the cloud shows it. */
export interface Member {
  readonly id: string;
  readonly name: string;
  readonly status: MemberStatus;
  /** Since when it runs, where the cloud says so. */
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
  /** The cloud could not make what it had accepted; `key` is the same as long as it is the same failure. */
  readonly failure?: { readonly key: string; readonly why: string };
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
}

/** How far the removal of a server has come. Callers repeat until "gone". */
export type RemovalStep = "stopping" | "deleting" | "gone";

/** The cloud's side of the group. Every method may be repeated; a state already reached is success. */
export interface Pool {
  observe(): Promise<Observed<PoolView>>;
  /** Makes that many workers and starts them (as far as the cloud lets it: a stopped one is started later). */
  grow(names: readonly string[]): Promise<GrowResult>;
  /** Starts a stopped one; false when there was nothing to start yet or any more. */
  start(id: string): Promise<boolean>;
  /** Takes the next step of stopping and deleting a server with its disks, and says which. Verifies "gone" for both. */
  remove(id: string): Promise<RemovalStep>;
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
  /** When the collector last heard from it. */
  readonly heardAtMs: number;
}

export interface Size {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

export interface QueueView {
  readonly machines: readonly Machine[];
  readonly jobs: readonly QueueJob[];
  readonly counts: JobCounts;
}

/**
 * `accepted`: it takes no new job from now on. `refusedBusy`: it runs something, and stays in service. `alreadyDraining`: the
 * live daemon says that it drains. `notThere`: the collector does not know it. `notNow`: closing it at this moment would end its
 * jobs, so nothing was done; the next pass asks again. `unknown`: no answer, anything may be the case.
 */
export type FenceAnswer = "accepted" | "refusedBusy" | "notNow" | "alreadyDraining" | "notThere" | "unknown";
export interface FenceResult {
  readonly answer: FenceAnswer;
  readonly detail: string;
}

/** What holds a machine at this moment: jobs by the schedd's word, claims by the startd's; either of them is enough. */
export interface Occupancy {
  readonly jobs: number;
  readonly claims: number;
  /** The collector has an ad of it. */
  readonly listed: boolean;
}

/** HTCondor's side of the group. */
export interface Queue {
  observe(): Promise<Observed<QueueView>>;
  /** `ifIdle` is HTCondor's compare-and-drain: refused in the same instant when any slot is in use. */
  fence(machine: string, kind: "ifIdle" | "drain", reason: string): Promise<FenceResult>;
  /** Puts a draining worker back into service. */
  cancelDrain(machine: string): Promise<FenceResult>;
  /** Ends its jobs now; only for an operator's `--now`. */
  evict(machine: string): Promise<FenceResult>;
  /** The machine verifiably no longer exists: the collector forgets it, and its jobs (the answer's number) start elsewhere now, not when their lease ends. */
  gone(machine: string): Promise<Observed<number>>;
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
  nowMs(): number;
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
