import { SURE_LOOKS } from "./decision";
import type { RunningJob } from "./demand";

/*
 * When a worker's startd has ended and another one has begun, the queue shows its jobs as running until their lease ends (20 minutes),
 * though nothing runs: a startd never takes over the claims of the one before it. Such jobs are told from others by age: no job is older
 * than the startd that runs it.
 */

/**
 * So much younger than the job a startd must be. Its start is worked out from three times of a whole second each, compared with a fourth,
 * and an ad that was some seconds on its way makes it look younger. condor_master starts a new startd 10 s after the end of the former one
 * at the earliest (MASTER_BACKOFF_CONSTANT 9, and 1), so that little is missed.
 */
export const ORPHAN_MARGIN_MS = 10_000;
/** More than a worker's UPDATE_INTERVAL (10 s): the next ad has been heard by then. */
export const ORPHAN_CONFIRM_MS = 15_000;
/** Three UPDATE_INTERVALs: a startd that is not heard for longer says nothing. */
const AD_FRESH_MS = 30_000;
/** A claim that the queue did not let go is tried again after this time, and so often in all; then its lease ends it. */
const NEXT_TRY_MS = 60_000;
const MOST_TRIES = 5;

interface Orphan {
  readonly job: RunningJob;
  readonly sinceMs: number;
  readonly looks: number;
}

/** Jobs of one machine that are older than its startd; times monotonic. */
export interface Orphans {
  readonly jobs: ReadonlyMap<string, Orphan>;
  readonly tries: number;
  readonly notBeforeMs: number;
}

/** What one look shows of a machine. */
export interface StartdLook {
  /** When its startd began, by the queue's clock. */
  readonly startedAtMs?: number;
  /** When its ad was last heard; monotonic. */
  readonly heardAtMs?: number;
  readonly jobs: readonly RunningJob[];
  /** Monotonic. */
  readonly nowMs: number;
}

/** Whether a job that began then is of a startd before this one. Both times are the queue's: a worker's own clock may be hours away. */
export const isBeforeStartd = (jobAtMs: number, startdAtMs: number): boolean =>
  jobAtMs + ORPHAN_MARGIN_MS < startdAtMs; // guard: the startd is younger than the job

export const isOlderThanStartd = ({ startedAtMs, machines = 1, state }: RunningJob, startdAtMs: number): boolean =>
  startedAtMs !== undefined && state !== "removing" && machines === 1 && isBeforeStartd(startedAtMs, startdAtMs);

const isFresh = (heardAtMs: number | undefined, nowMs: number): boolean => heardAtMs !== undefined && nowMs - heardAtMs <= AD_FRESH_MS;

/** The same start of a job. */
const keyOf = (j: RunningJob): string => `${j.id} ${j.startedAtMs}`;

/**
 * After one more look. One that does not show a job so, or nothing fresh of the startd, makes it begin anew; looks without an answer are
 * not put here.
 */
export function noteOrphans(before: Orphans | undefined, { startedAtMs, heardAtMs, jobs, nowMs }: StartdLook): Orphans | undefined {
  if (startedAtMs === undefined || !isFresh(heardAtMs, nowMs)) return undefined;
  let found: Map<string, Orphan> | undefined;
  for (const job of jobs) {
    if (!isOlderThanStartd(job, startedAtMs)) continue;
    const seen = before?.jobs.get(keyOf(job));
    (found ??= new Map()).set(keyOf(job), { job, sinceMs: seen?.sinceMs ?? nowMs, looks: (seen?.looks ?? 0) + 1 });
  }
  if (found === undefined) return undefined;
  return { jobs: found, tries: before?.tries ?? 0, notBeforeMs: before?.notBeforeMs ?? Number.NEGATIVE_INFINITY };
}

/** Jobs whose claims may be given up now. */
export function dueOrphans(o: Orphans, heardAtMs: number | undefined, nowMs: number): readonly RunningJob[] {
  const due: RunningJob[] = [];
  if (o.tries >= MOST_TRIES || nowMs < o.notBeforeMs || heardAtMs === undefined || !isFresh(heardAtMs, nowMs)) return due;
  for (const { job, sinceMs, looks } of o.jobs.values()) {
    const seenOften = looks >= SURE_LOOKS && nowMs - sinceMs >= ORPHAN_CONFIRM_MS; // guard: one odd look is no evidence
    if (seenOften && heardAtMs > sinceMs) due.push(job); // guard: the startd has been heard again since
  }
  return due;
}

export const afterTry = (o: Orphans, nowMs: number): Orphans => ({ ...o, tries: o.tries + 1, notBeforeMs: nowMs + NEXT_TRY_MS });
