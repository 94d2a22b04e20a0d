/** Kinds of failure on the way to a worker that works; one kind says nothing about another. */
export type FailureClass =
  | "never-joined" | "boot-failed" | "no-job-ends"
  | "funds" | "capacity" | "quota" | "auth" | "invalid" | "gone" | "refused" | "transient" | "ambiguous";

/** What has happened so far with one kind of failure of one worker type. */
export interface BreakerState {
  readonly type: string;
  readonly failureClass: FailureClass;
  /** Failures without a success between them. */
  readonly inARow: number;
  /** The newest outcomes, oldest first: whether it worked. */
  readonly outcomes: readonly boolean[];
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
const AMBIGUOUS_PAUSE_MS = 15 * SECOND;
const FIRST_PAUSE_MS = 30 * SECOND;
/** One try in half an hour is what a black hole costs at most (peers.md, 4.10). */
export const LONGEST_PAUSE_MS = 1_800 * SECOND;
const TRANSIENT_LONGEST_MS = 60 * SECOND;
const REMEMBERED = 20;
/** Three bad ones are a pattern in a group of three; in a group of thousands only where they are half of what was tried. */
const OPENS_AFTER = 3;
const OPENS_AT_SHARE = 0.5;

const joins = (c: FailureClass): boolean => c === "never-joined" || c === "boot-failed" || c === "no-job-ends";
/** Somebody may have mended the cause: an order of theirs ends the wait. An answer that got lost is cleared by a look, not by a person. */
export const isMendable = (c: FailureClass): boolean => c !== "ambiguous";

/** Open: so many failed, absolutely and as a share of the newest tries, that only one is tried at a time. */
export function isOpen(s: BreakerState): boolean {
  const bad = s.outcomes.filter((ok) => !ok).length;
  return joins(s.failureClass) && s.inARow > 0 && bad >= OPENS_AFTER && bad >= s.outcomes.length * OPENS_AT_SHARE;
}

function pauseMs(c: FailureClass, inARow: number, open: boolean): number {
  if (c === "ambiguous") return AMBIGUOUS_PAUSE_MS;
  const doubling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, Math.min(20, inARow - 1)));
  if (c === "transient") return Math.min(doubling / 6, TRANSIENT_LONGEST_MS);
  return open ? LONGEST_PAUSE_MS : doubling;
}

export function afterFailure(before: BreakerState | undefined, type: string, failureClass: FailureClass, nowMs: number, what: string): BreakerState {
  const outcomes = [...(before?.outcomes ?? []), false].slice(-REMEMBERED);
  const inARow = (before?.inARow ?? 0) + 1;
  const next: BreakerState = { type, failureClass, inARow, outcomes, lastFailureMs: nowMs, untilMs: nowMs, why: what };
  const open = isOpen(next);
  const bad = outcomes.filter((ok) => !ok).length;
  const which = bad === outcomes.length ? `${bad} workers in a row` : `${bad} of the last ${outcomes.length} workers`;
  const why = open ? `${which} ${wrong(failureClass)}; one is tried every ${LONGEST_PAUSE_MS / 60_000} minutes until one works` : what;
  return { ...next, untilMs: nowMs + pauseMs(failureClass, inARow, open), why };
}

const wrong = (c: FailureClass): string => (c === "no-job-ends" ? "ended no job" : c === "boot-failed" ? "did not run" : "did not join");

/** One that works ends the wait of its kind; what failed before is remembered as a share. */
export function afterSuccess(before: BreakerState): BreakerState {
  return { ...before, inARow: 0, outcomes: [...before.outcomes, true].slice(-REMEMBERED), untilMs: 0 };
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
