/**
 * What `GET /status` answers: everything a screen, a demo or a monitor needs about the grid at this moment. Fields are
 * only ever added. Times are ISO 8601 in UTC.
 */
export interface GridStatus {
  readonly version: 1;
  readonly gridName: string;
  /** When this answer was put together. */
  readonly at: string;
  readonly startedAt: string;
  /** The last completed look at queue and cloud; missing before the first. */
  readonly lastPassAt?: string;
  readonly lastPassMs?: number;
  readonly passes: number;
  readonly intervalSeconds: number;
  /** Why the last pass failed as a whole; missing when it did not. */
  readonly passError?: string;
  readonly mode: "auto" | "manual" | "paused";
  readonly size: SizeStatus;
  /** Whether the cloud answered, and if not, why. */
  readonly pool: SourceStatus & { readonly closing?: string };
  /** Whether HTCondor answered, and if not, why. */
  readonly htcondor: SourceStatus;
  /** As last seen: check `pool.known` and `htcondor.known` before trusting it. */
  readonly workers: readonly WorkerStatus[];
  /** Missing while HTCondor does not answer. */
  readonly queue?: QueueStatus;
  readonly alarms: readonly AlarmStatus[];
  readonly credential?: CredentialStatus;
  /** Creating is held back until then, because workers did not join or the cloud refused. */
  readonly createBlocked?: { readonly until: string; readonly why: string };
  /** From an order to the pool, as nine of ten workers needed less than; missing before the first. */
  readonly bootSeconds?: number;
  /** The newest entries of the journal, oldest first. `what` is "hold" where nothing is done. */
  readonly decisions: readonly DecisionStatus[];
}

export interface SourceStatus {
  readonly known: boolean;
  readonly reason?: string;
  /** When it last answered. */
  readonly lastKnownAt?: string;
  /** What the answer leaves out, where it is not the whole. */
  readonly partial?: string;
}

export interface SizeStatus {
  /** In force now, overrides included. */
  readonly min: number;
  readonly max: number;
  /** Set by the operator; missing in automatic mode. */
  readonly manual?: number;
  readonly configuredMin: number;
  readonly configuredMax: number;
  /** Servers of the group in the cloud, whatever they do. */
  readonly have: number;
  /** Workers in the pool that take jobs. */
  readonly ready: number;
}

/**
 * booting: the server is being made or starts; joining: it runs, but the pool does not know it yet; idle; busy; draining:
 * takes no new job, its jobs run to their end; drained: nothing runs, may go; removing: being stopped and deleted; lost: it
 * was in the pool and is not any more.
 */
export type WorkerPhase = "booting" | "joining" | "idle" | "busy" | "draining" | "drained" | "removing" | "lost";

export interface WorkerStatus {
  /** Name in the pool, such as `w-1a2b3c4d`. */
  readonly name: string;
  /** Its worker type. */
  readonly type: string;
  readonly serverUuid: string;
  readonly serverName: string;
  readonly serverStatus: string;
  readonly phase: WorkerPhase;
  readonly phaseSince: string;
  readonly phaseSeconds: number;
  readonly cpuPercent?: number;
  readonly jobs: number;
  /** Since when this controller has known the server. */
  readonly ageSeconds: number;
  /** No scaling takes it. */
  readonly pinned?: boolean;
  /** Phases of its boot, as far as this controller watched them. */
  readonly boot: BootStatus;
  /** Why it is in this phase, or what it waits for. */
  readonly why: string;
}

export interface BootStatus {
  /** From the order until the cloud showed it running. */
  readonly serverSeconds?: number;
  /** From then until the pool knew it. */
  readonly joinSeconds?: number;
  /** From the order until the pool knew it. */
  readonly totalSeconds?: number;
  /** From joining until its first job. */
  readonly firstJobSeconds?: number;
}

export interface QueueStatus {
  /** Jobs that could run on a worker of this group. */
  readonly waiting: number;
  readonly running: number;
  readonly suspended: number;
  readonly held: number;
  /** Jobs that no worker helps: not counted as waiting. */
  readonly unmatchable: number;
  readonly unmatchableWhy?: string;
  /** Why, for jobs that are alike, with one of them. */
  readonly reasons: readonly { readonly job: string; readonly count: number; readonly kind: string; readonly why: string }[];
  /** Jobs that have ended by themselves since the queue began; removed ones are not among them. */
  readonly done: number;
}

export interface AlarmStatus {
  /** `cpu-high`, `cpu-low`, or the name of a rule of the operator's own. */
  readonly name: string;
  readonly enabled: boolean;
  readonly state: "ok" | "alarm" | "insufficient data";
  readonly averagePercent?: number;
  /** Of the two CPU alarms. */
  readonly thresholdPercent?: number;
  readonly why: string;
  /** Who judges: the cloud's own alarm, or the controller from what the workers tell. */
  readonly by: "cloud" | "controller";
}

/** What the controller logs in to the cloud with. */
export interface CredentialStatus {
  /** Missing where it does not expire. */
  readonly expiresAt?: string;
  /** What to do, and until when. */
  readonly warning?: string;
}

export interface DecisionStatus {
  readonly seq: number;
  readonly at: string;
  readonly what: string;
  readonly why: string;
  readonly worker?: string;
}
