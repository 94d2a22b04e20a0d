/** Kinds of failure on the way to a worker that works; one kind says nothing about another. */
export type FailureClass =
  | "never-joined" | "boot-failed" | "no-job-ends"
  | "funds" | "capacity" | "quota" | "auth" | "invalid" | "gone" | "refused" | "transient" | "ambiguous";

/** What has happened so far with one kind of failure of one worker type. */
export interface BreakerState {
  readonly type: string;
  readonly failureClass: FailureClass;
  /** Failures without a success between them, however long that took. */
  readonly inARow: number;
  /** When it failed and when it worked, within the last hour. Monotonic. */
  readonly failedMs: readonly number[];
  readonly workedMs: readonly number[];
  readonly lastFailureMs: number;
  /** Nothing is created of this type before. Monotonic. */
  readonly untilMs: number;
  readonly why: string;
}

/** What may be created of a type now. */
export interface GateVerdict {
  /** Most workers that may be ordered now; none: no limit. */
  readonly atMost?: number;
  readonly untilMs?: number;
  readonly why?: string;
}

const SECOND = 1_000;
/** A create without a clear answer is looked for in the cloud's list, which may lag: see LIST_SETTLES_MS of the loop. */
export const AMBIGUOUS_PAUSE_MS = 15 * SECOND;
const FIRST_PAUSE_MS = 30 * SECOND;
/** One try in half an hour is what a black hole costs at most (peers.md, 4.10). */
export const LONGEST_PAUSE_MS = 1_800 * SECOND;
const TRANSIENT_LONGEST_MS = 60 * SECOND;
/** An outcome counts as a share for so long: a cohort of thousands that was ordered together is judged as a whole. */
const REMEMBERED_MS = 3_600 * SECOND;
const MOST_REMEMBERED = 5_000;
/** Three bad ones are a pattern in a group of three; in a group of thousands only where they are half of what was tried. */
const OPENS_AFTER = 3;
const OPENS_AT_SHARE = 0.5;

const joins = (c: FailureClass): boolean => c === "never-joined" || c === "boot-failed" || c === "no-job-ends";
/** Somebody may have mended the cause: an order of theirs ends the wait. An answer that got lost is cleared by a look, not by a person. */
export const isMendable = (c: FailureClass): boolean => c !== "ambiguous";
const bad = (s: BreakerState): number => Math.max(s.inARow, s.failedMs.length);

/** Open: so many failed, absolutely and as a share of what was tried lately, that only one is tried at a time. */
export const isOpen = (s: BreakerState): boolean =>
  joins(s.failureClass) && s.inARow > 0 && bad(s) >= OPENS_AFTER && bad(s) >= (bad(s) + s.workedMs.length) * OPENS_AT_SHARE;

function pauseMs(c: FailureClass, inARow: number, open: boolean): number {
  if (c === "ambiguous") return AMBIGUOUS_PAUSE_MS;
  if (open) return LONGEST_PAUSE_MS;
  // Many failures that do not open it are few among more that worked.
  const n = joins(c) && inARow >= OPENS_AFTER ? 0 : Math.min(20, inARow - 1);
  const doubling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, n));
  return c === "transient" ? Math.min(doubling / 6, TRANSIENT_LONGEST_MS) : doubling;
}

const lately = (times: readonly number[], nowMs: number): readonly number[] => times.filter((t) => nowMs - t < REMEMBERED_MS).slice(-MOST_REMEMBERED);

export function afterFailure(before: BreakerState | undefined, type: string, failureClass: FailureClass, nowMs: number, what: string): BreakerState {
  const inARow = (before?.inARow ?? 0) + 1;
  const next: BreakerState = {
    type, failureClass, inARow, failedMs: lately([...(before?.failedMs ?? []), nowMs], nowMs), workedMs: lately(before?.workedMs ?? [], nowMs), lastFailureMs: nowMs, untilMs: nowMs, why: what,
  };
  const open = isOpen(next), n = bad(next);
  const which = next.workedMs.length === 0 ? `${n} workers in a row` : `${n} of the last ${n + next.workedMs.length} workers`;
  const why = open ? `${which} ${wrong(failureClass)}; one is tried every ${LONGEST_PAUSE_MS / 60_000} minutes until one works` : what;
  return { ...next, untilMs: nowMs + pauseMs(failureClass, inARow, open), why };
}

const wrong = (c: FailureClass): string => (c === "no-job-ends" ? "ended no job" : c === "boot-failed" ? "did not run" : "did not join");

/** One that works ends the wait of its kind, and counts against what failed. */
export function afterSuccess(before: BreakerState | undefined, type: string, failureClass: FailureClass, nowMs: number): BreakerState {
  const fresh: BreakerState = { type, failureClass, inARow: 0, failedMs: [], workedMs: [], lastFailureMs: Number.NEGATIVE_INFINITY, untilMs: 0, why: "" };
  const s = before ?? fresh;
  return { ...s, inARow: 0, failedMs: lately(s.failedMs, nowMs), workedMs: lately([...s.workedMs, nowMs], nowMs), untilMs: 0 };
}

/** As long as no worker of a definition has ever joined, so many may be on their way: what a bad image costs at most (peers.md, 4.10). */
export const UNPROVEN_AT_ONCE = 3;

/** What all breakers of a type together allow. `unproven`: how many are on their way, where none has joined yet. */
export function gateOf(states: Iterable<BreakerState>, type: string, nowMs: number, unproven?: number): GateVerdict {
  let verdict: GateVerdict = unproven === undefined ? {} : { atMost: Math.max(0, UNPROVEN_AT_ONCE - unproven), why: "no worker of this definition has joined yet: the first ones are watched before more are made" };
  for (const s of states) {
    if (s.type !== type) continue;
    if (s.untilMs > nowMs && s.untilMs > (verdict.untilMs ?? 0)) verdict = { ...verdict, untilMs: s.untilMs, why: s.why };
    if (isOpen(s)) verdict = { ...verdict, atMost: Math.min(1, verdict.atMost ?? 1) };
  }
  return verdict;
}
