import { expectedCode } from "../../demo/jobs";
import type { JobEvent } from "./job-log";

/** What the soak did to the grid on purpose. */
export interface Strike {
  readonly kind: StrikeKind;
  readonly atMs: number;
  /** When what it did was over: healed, continued, back again. */
  readonly untilMs: number;
  /** Short name of the worker that it struck; none where it struck the master. */
  readonly worker?: string;
  readonly what: string;
}
export const strikeKinds = ["worker", "startd", "master", "condor", "controller", "schedd", "network", "false-status"] as const;
export type StrikeKind = (typeof strikeKinds)[number];

/** Only with these a job has a right to start again: they kill its own machine, or the daemon that holds it there. */
const KILLS_ITS_JOBS: readonly StrikeKind[] = ["worker", "startd"];

/** What the controller did, as its journal tells. */
export interface Action {
  readonly atMs: number;
  readonly what: string;
  readonly why: string;
  readonly worker?: string;
}

/** What `condor_history` and `condor_q` say of a job. */
export interface JobRow {
  readonly ClusterId: number;
  readonly ProcId: number;
  readonly JobStatus: number;
  readonly ExitCode?: number;
  readonly NumJobStarts?: number;
}

/** A run of a job that did not end by itself. */
export interface Loss {
  readonly job: string;
  readonly worker: string;
  readonly startedMs: number;
  readonly lostMs: number;
  readonly excused: boolean;
  readonly cause: string;
}

export interface Verdict {
  readonly jobs: number;
  /** Jobs that left the queue once, with their own exit code. */
  readonly right: number;
  readonly starts: number;
  readonly losses: readonly Loss[];
  /** One line for each promise that does not hold. */
  readonly broken: readonly string[];
}

/** How long a loss may come after its cause: a lease of 20 minutes, and a while for the queue to notice. */
const AFTER_MS = 1_320_000;
const ACTIONS: readonly string[] = ["fence", "drain", "replace", "remove", "evict", "cancel-drain"];

/**
 * Puts together what HTCondor wrote of its jobs, what the soak did, and what the controller did. The promise is one start per job,
 * except where its own machine was killed; who else is to blame for a loss is said, and is a broken promise whoever it was.
 */
export function judge(
  events: readonly JobEvent[], rows: readonly JobRow[], strikes: readonly Strike[], actions: readonly Action[],
): Verdict {
  const byJob = new Map<string, JobEvent[]>();
  for (const e of events) byJob.set(e.job, [...(byJob.get(e.job) ?? []), e]);
  const ended = new Map<string, JobRow[]>();
  for (const r of rows) {
    const job = `${r.ClusterId}.${r.ProcId}`;
    ended.set(job, [...(ended.get(job) ?? []), r]);
  }
  const losses: Loss[] = [], broken: string[] = [];
  let right = 0, starts = 0;
  for (const job of new Set([...byJob.keys(), ...ended.keys()])) {
    const runs = runsOf(byJob.get(job) ?? []);
    starts += runs.length;
    for (const { worker, startedMs, lostMs } of runs)
      if (lostMs !== undefined) losses.push({ job, worker, startedMs, lostMs, ...blame(worker, startedMs, lostMs, strikes, actions) });
    const found = ended.get(job) ?? [];
    const wrong = wrongEnd(found);
    if (wrong === undefined) right += 1;
    else broken.push(`job ${job} ${wrong}`);
    const counted = found[0]?.NumJobStarts;
    if (counted !== undefined && counted > runs.length) broken.push(
      `job ${job}: history counts ${counted} starts, its log shows ${runs.length}`,
    );
  }
  for (const l of losses) if (!l.excused) broken.push(`job ${l.job} on ${l.worker}: ${l.cause}`);
  return { jobs: byJob.size, right, starts, losses, broken };
}

function wrongEnd(rows: readonly JobRow[]): string | undefined {
  const [row] = rows;
  if (row === undefined) return "is in its log, but neither in the queue nor in its history";
  if (rows.length > 1) return `is ${rows.length} times in the history`;
  if (row.JobStatus !== 4) return `has not completed (status ${row.JobStatus})`;
  const wanted = expectedCode(row.ProcId);
  return row.ExitCode === wanted ? undefined : `returned ${row.ExitCode ?? "nothing"} instead of ${wanted}`;
}

interface Run {
  readonly worker: string;
  readonly startedMs: number;
  lostMs?: number;
}

/** A run begins with 001. It is lost when the job is evicted, fails to reconnect, throws its shadow, or simply begins again. */
function runsOf(events: readonly JobEvent[]): Run[] {
  const runs: Run[] = [];
  let open = false;
  for (const e of events) {
    const last = runs.at(-1);
    if (e.code === 1) {
      if (open && last !== undefined) last.lostMs ??= e.atMs;
      runs.push({ worker: e.worker ?? "an unknown machine", startedMs: e.atMs });
      open = true;
    } else if (open && last !== undefined && [4, 7, 9, 12, 24].includes(e.code)) {
      last.lostMs = e.atMs;
      open = false;
    } else if (e.code === 5) open = false;
  }
  return runs;
}

function blame(
  worker: string, fromMs: number, toMs: number, strikes: readonly Strike[], actions: readonly Action[],
): { excused: boolean; cause: string } {
  const near = (atMs: number, untilMs = atMs): boolean => untilMs >= fromMs - 2_000 && atMs <= toMs + 2_000 && toMs - untilMs <= AFTER_MS;
  const mine = strikes.filter((s) => s.worker === worker && near(s.atMs, s.untilMs));
  const acted = actions.filter((a) => a.worker === worker && ACTIONS.includes(a.what) && near(a.atMs));
  // No run outlives that, however late it is noticed.
  const kill = strikes.find((s) => s.worker === worker && KILLS_ITS_JOBS.includes(s.kind) && s.untilMs >= fromMs - 2_000 && s.atMs <= toMs + 2_000);
  const removal = acted.find((a) => ["remove", "replace", "evict"].includes(a.what));
  // The controller may tidy up after a kill; it may not have been first.
  const wasFirst = kill !== undefined && (removal === undefined || removal.atMs >= kill.atMs);
  if (wasFirst) return { excused: true, cause: `the soak struck its own machine (${kill.what})` };
  const told = [
    ...mine.map((s) => ({ atMs: s.atMs, text: `the soak: ${s.what}` })),
    ...acted.map((a) => ({ atMs: a.atMs, text: `the controller: ${a.what}: ${a.why}` })),
  ];
  const everywhere = strikes.filter(
    (s) => s.worker === undefined && near(s.atMs, s.untilMs),
  ).map((s) => ({ atMs: s.atMs, text: `the soak: ${s.what}` }));
  const all = [...told, ...everywhere].sort((a, b) => a.atMs - b.atMs).map((t) => t.text);
  return {
    excused: false,
    cause: `lost without its machine being killed; near it: ${all.length === 0 ? "nothing that is known" : all.join(" | ")}`,
  };
}
