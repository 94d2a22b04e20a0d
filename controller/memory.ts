import type { MetricSample } from "../components/policy/alarm-rules";
import type { CpuSample } from "../components/policy/alarms";
import type { BreakerState, FailureClass } from "../components/policy/breaker";
import type { Offer, Refusal, RunningJob } from "../components/policy/demand";
import type { Orphans } from "../components/policy/orphans";
import { SURE_LOOKS, type Phase, type RemovalBasis, type WorkerView } from "../components/policy/decision";
import type { CloudAlarmStates, Machine, Member, Observed, PoolView, QueueView } from "./ports";

/**
 * What the controller has seen so far; all times monotonic. Nothing here is the truth: losing it (a crash, a restart) costs time, because
 * idle times and time limits begin anew, but never a worker, a job or a duplicate.
 */
export interface Memory {
  readonly workers: Map<string, SeenWorker>;
  /** Verified gone, but perhaps still listed. */
  readonly gone: Map<string, number>;
  samples: readonly CpuSample[];
  /** For the operator's own rules, oldest first. */
  metrics: readonly MetricSample[];
  /** When an alarm or rule last acted, by its name. */
  readonly actedMs: Map<string, number>;
  lastResizeMs?: number;
  /** By type and class of failure. */
  readonly breakers: Map<string, BreakerState>;
  /** The failure of the cloud's group that has been noted. */
  failureKey?: string;
  createGate?: { readonly untilMs: number; readonly why: string };
  /** So many lists are looked at before anything is made: a new controller's first ones, and those after a create without a clear answer. */
  listsToSee: number;
  /** When workers were ordered, of the last minute. */
  orders: readonly { readonly atMs: number; readonly count: number }[];
  /** What a worker of a type really offers to jobs, once one has joined. */
  readonly offers: Map<string, Offer>;
  /** Types of which a worker has joined, also before this controller began. */
  readonly proven: Set<string>;
  /** Groups of jobs that match and were not served by an idle worker with room. */
  readonly refused: Map<string, Refusal>;
  /** How long workers needed from the order to the pool, newest last. */
  boots: readonly number[];
  /** Groups of the last look, to see which have been served. */
  groupsSeen: ReadonlyMap<string, { readonly count: number; readonly queuedAtMs: number }>;
  lastQueueLookMs?: number;
}

export interface SeenWorker {
  readonly firstSeenMs: number;
  phase: Phase;
  phaseSinceMs: number;
  everJoined: boolean;
  /** When this controller ordered it. */
  orderedAtMs?: number;
  /** First seen running. */
  runningAtMs?: number;
  joinedAtMs?: number;
  firstJobAtMs?: number;
  idleSinceMs?: number;
  fenced: boolean;
  cancelledAtMs?: number;
  absentLooks: number;
  /** Its removal has been ordered; `answered`: and the cloud has said that it takes place. */
  removing?: { readonly basis: RemovalBasis; readonly answered: boolean };
  /** When its jobs were told to go (`--now`): they get a moment to say goodbye to the queue. */
  evictedAtMs?: number;
  /** As the cloud last showed it. */
  member: Member;
  /** The cloud's word that it is off, since when and how often in a row. */
  off?: { readonly sinceMs: number; readonly looks: number };
  /** The cloud's list has lacked it. */
  unlisted?: { readonly sinceMs: number; readonly looks: number };
  /** What a question for it alone said, when the list lacked it. */
  saidGone: boolean;
  /** The collector's time of its last ad, and when we saw that change. */
  heard?: { raw: number; atMs: number };
  unhealthy?: string;
  /** The last lines of its console are in the journal. */
  consoleTold?: boolean;
  /** Jobs seen running there at the last look, as long as none has ended there. */
  running: readonly RunningJob[];
  /** A job that ran there has left it and did not come back to the queue. */
  endedJob: boolean;
  /** Jobs that came back to the queue from it, unfinished. */
  readonly gaveBackJobs: Set<string>;
  /** More slots are claimed than jobs run: jobs that the queue still calls waiting are starting there. */
  ahead?: { readonly sinceMs: number; readonly jobs: number };
  /** Jobs that are older than its startd. */
  orphans?: Orphans;
  /** Short name in the pool. */
  readonly hostname: string;
  /** Full name in the pool, as last seen or as expected. */
  machine: string;
  address?: string;
}

export const newMemory = (): Memory => ({
  listsToSee: SURE_LOOKS, workers: new Map(), gone: new Map(), samples: [], metrics: [], actedMs: new Map(), breakers: new Map(), orders: [], offers: new Map(), proven: new Set(), refused: new Map(), boots: [], groupsSeen: new Map(),
});

export interface Look {
  readonly pool: Observed<PoolView>;
  readonly queue: Observed<QueueView>;
  /** Missing where the cloud evaluates no alarm. */
  readonly alarms?: Observed<CloudAlarmStates>;
  /** How old the answers are at most when they are judged: time since the questions were put. */
  readonly ageMs?: number;
}

/** A worker with both its sides. */
export interface Merged extends WorkerView {
  readonly member: Member;
  readonly machine?: Machine;
  readonly machineName: string;
}

export const breakerKey = (type: string, failureClass: FailureClass): string => `${type}/${failureClass}`;
