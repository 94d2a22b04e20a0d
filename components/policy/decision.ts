import type { ScalingSettings } from "../config/controller-config";
import type { RuleVerdict } from "./alarm-rules";
import type { AlarmVerdict } from "./alarms";
import type { GateVerdict } from "./breaker";
import type { Demand } from "./demand";

/** What a decision is made from, and what it can be: plain data. All times are of one monotonic clock. */

export type Phase = "booting" | "joining" | "idle" | "busy" | "draining" | "drained" | "removing" | "lost";
export type ServerStatus = "stopped" | "starting" | "running" | "stopping" | "failed" | "gone" | "unknown";

/** What speaks for a server being off (stopped, failed or gone), by the cloud's word alone. */
export interface OffWord {
  readonly sinceMs: number;
  /** Looks in a row that said so. */
  readonly looks: number;
  /** Its machine ad was heard after the first of these looks: it lives, whatever the cloud says. */
  readonly contradicted: boolean;
  /** Repeated often and long enough, and contradicted by nobody: see `isSureOff`. */
  readonly sure: boolean;
}

/** A worker as cloud and queue together show it. */
export interface WorkerView {
  readonly id: string;
  /** Short name in the pool. */
  readonly name: string;
  /** Name of its worker type. */
  readonly type: string;
  readonly phase: Phase;
  readonly phaseSinceMs: number;
  readonly server: ServerStatus;
  /** What the cloud says of a server that is no good. */
  readonly detail?: string;
  readonly off?: OffWord;
  /** It was made from a former definition. It serves on until its turn to be renewed comes. */
  readonly retiring?: string;
  /** It is in the pool, and no job ends there. */
  readonly unhealthy?: string;
  /** A job came back from it, and none has ended there yet: it goes before those that are known to work. */
  readonly doubtful?: boolean;
  /** A job is known to have ended there. */
  readonly proven?: boolean;
  /** The operator wants it kept, whatever the size. */
  readonly pinned?: boolean;
  /** The cloud's group would take it away at its next change: it is not taken back into service until that is mended. */
  readonly doomed?: boolean;
  /** Its disks are still being copied: it cannot be started yet. */
  readonly copying: boolean;
  /** Whether it has been in the pool while this controller watched. */
  readonly everJoined: boolean;
  /** It has a token and may join at any moment. */
  readonly admitted: boolean;
  /** Jobs there by either witness: claims on the machine, or running jobs of the queue. */
  readonly jobs: number;
  /** Start of its oldest running job, by the queue's clock: only to be compared with others'. */
  readonly oldestJobStartMs?: number;
  /** Since when it has been without a job, as far as we watched. */
  readonly idleSinceMs?: number;
  readonly drainReason?: string;
  /** We closed it to new work, HTCondor agreed, and its daemon has not been seen in service since. */
  readonly fenced: boolean;
  /** Looks in a row, each with an answer of the queue, that did not show it. */
  readonly absentLooks: number;
  /** When it was last taken back into service. */
  readonly cancelledAtMs?: number;
  /** Until what it costs is paid anyway, where the cloud bills by periods. */
  readonly billedForMs?: number;
}

export interface Override {
  readonly min?: number;
  readonly max?: number;
  readonly size?: number;
  readonly paused?: boolean;
  /** Workers that the operator wants gone. `now`: with their jobs. */
  readonly drains: readonly { readonly worker: string; readonly now: boolean }[];
  /** Workers that no scaling takes away. @default none */
  readonly pins?: readonly string[];
}

/** One type of the group, as far as its size matters. */
export interface TypeLimits {
  readonly name: string;
  readonly max?: number;
  /** Why and until when creating is held back. */
  readonly gate: GateVerdict;
}

/** What is in force: the operator's word before the configuration's. */
export interface Limits {
  readonly min: number;
  readonly max: number;
  /** The operator's size, within 0 and max. */
  readonly size?: number;
}

export interface DecisionInput {
  readonly nowMs: number;
  readonly poolUnknown?: string;
  readonly queueUnknown?: string;
  /** The cloud's list is not the whole: what it lacks may be there. */
  readonly poolPartial?: string;
  /** The queue's answer is not the whole: nobody is idle or absent by it. */
  readonly queuePartial?: string;
  /** Nothing may be created: the group is being deleted. */
  readonly poolClosing?: string;
  /** The cloud takes no order for the group at the moment. */
  readonly poolBusy?: string;
  readonly workers: readonly WorkerView[];
  readonly demand: Demand;
  /** How long the longest waiting placeable job has waited. */
  readonly oldestWaitMs?: number;
  readonly limits: { readonly min: number; readonly max: number };
  /** The first one makes the minimum. */
  readonly types: readonly TypeLimits[];
  readonly override: Override;
  readonly scaling: ScalingSettings;
  readonly alarms: { readonly high: AlarmVerdict; readonly low: AlarmVerdict; readonly highPeriodSeconds: number; readonly rules: readonly RuleVerdict[] };
  /** When the group last changed its size. */
  readonly lastResizeMs?: number;
  /** Creating is held back for all types (an answer was ambiguous, the controller has just begun). */
  readonly createGate?: { readonly untilMs: number; readonly why: string };
  /** How many may still be ordered within this minute; missing: no limit. */
  readonly createsLeft?: number;
}

/** `off`: the cloud says, repeatedly, that its server does not run. */
export type RemovalBasis = "continue" | "drained" | "gone-after-fence" | "off" | "not-admitted" | "never-joined" | "lost" | "now";

export type Decision =
  | { readonly do: "grow"; readonly type: string; readonly count: number; readonly why: string; readonly byAlarm?: string }
  | { readonly do: "start"; readonly id: string; readonly why: string }
  | { readonly do: "cancelDrain"; readonly id: string; readonly why: string }
  | { readonly do: "fence"; readonly id: string; readonly kind: "ifIdle" | "drain"; readonly reason: string; readonly why: string; readonly byAlarm?: string }
  | { readonly do: "remove"; readonly id: string; readonly basis: RemovalBasis; readonly why: string }
  | { readonly do: "hold"; readonly why: string };

export const REASON_SCALE_IN = "elastigrid:scale-in";
/** Of one that makes room for another kind: it is not taken back for more of its own. */
export const REASON_EXCHANGE = "elastigrid:exchange";
export const REASON_OPERATOR = "elastigrid:drain";
export const REASON_RETIRING = "elastigrid:retiring";
export const isOurs = (reason: string | undefined): boolean => reason?.startsWith("elastigrid:") ?? false;

/** So many looks in a row must say the same of what is not there: one may be wrong, and a second one repeats what a cache held. */
export const SURE_LOOKS = 3;
/**
 * So long a server must be said to be off, and its ad not be heard: three of a worker's UPDATE_INTERVALs (10 s), in which one that lives
 * would have been heard.
 */
export const OFF_CONFIRM_SECONDS = 30;
/** Copying a large disk may take this long on a real cloud; longer means stuck. */
export const BOOT_LIMIT_SECONDS = 1_800;
/** A server that a list lacks is asked for by a call of its own then, and is gone only when that says so too: lists lag and may be empty. */
export const UNLISTED_CONFIRM_SECONDS = 30;
/** A worker that vanished keeps its place so long, so that no substitute is made at once. */
export const LOST_GRACE_SECONDS = 60;
/** One that was just put back into service may be getting a job at this moment: it is not drained again before. */
export const CANCEL_SETTLES_SECONDS = 10;

export const hold = (why: string): Decision => ({ do: "hold", why });
export const secondsSince = (i: DecisionInput, ms: number): number => Math.floor((i.nowMs - ms) / 1000);
export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;
export const does = (n: number, one: string, many: string): string => (n === 1 ? one : many);

/** On its way, unless the cloud has surely given it up. A clone is `stopped` until it is started. */
export const isComing = (w: WorkerView): boolean => (w.phase === "booting" || w.phase === "joining") && !(w.off?.sure === true && w.server !== "stopped");
/** In the pool and taking jobs: what works. */
export const isWorking = (w: WorkerView): boolean => w.phase === "idle" || w.phase === "busy";
/** The cloud's word that a server is off, repeated long enough and contradicted by nobody. */
export const isSureOff = (word: Omit<OffWord, "sure">, nowMs: number): boolean =>
  !word.contradicted && word.looks >= SURE_LOOKS && nowMs - word.sinceMs >= OFF_CONFIRM_SECONDS * 1000;
export const isDrainRequested = (i: DecisionInput, w: WorkerView): boolean => i.override.drains.length > 0 && i.override.drains.some((d) => d.worker === w.id);
