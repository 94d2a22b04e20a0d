import { loadavg } from "node:os";
import { percentile } from "../../bench/bench";
import { seeded } from "../../local-cloud/http/faults";
import { pause, until } from "../support/chaos";
import { parseJobLog } from "./job-log";
import { judge, type Action, type Strike, type StrikeKind, type Verdict } from "./judge";
import { strike, type Durations } from "./strikes";
import { MOST_WORKERS, type SoakWorld } from "./world";

export interface Plan {
  readonly seed: number;
  readonly seconds: number;
  /** In this order, again from the first when all have struck. */
  readonly strikes: readonly StrikeKind[];
  readonly betweenStrikesSeconds: number;
  readonly durations: Durations;
  /** A job whose startd was killed waits so long before it starts again. @default the grid's own */
  readonly leaseSeconds?: number;
  /** What the soak must have reached for its promises to count. */
  readonly wantedScaleDowns: number;
}

export interface SoakResult {
  readonly seed: number;
  readonly seconds: number;
  readonly orders: number;
  /** Workers closed to new work because the group had to become smaller. */
  readonly scaleDowns: number;
  readonly removed: number;
  /** Taken back into service while they drained. */
  readonly takenBack: number;
  readonly joined: number;
  readonly strikes: readonly Strike[];
  /** Strikes that met nobody within a minute. */
  readonly missed: readonly StrikeKind[];
  /** Strikes that the soak itself could not carry out: a fault of its own. */
  readonly botched: readonly string[];
  readonly verdict: Verdict;
  readonly loadAverage: { readonly median: number; readonly most: number };
  readonly drainSeconds: { readonly median: number; readonly most: number };
}

const QUEUE_EMPTY_MS = 900_000;
const READ_EVERY_MS = 60_000;
/** With more waiting jobs nobody would ever be idle, and every scale-down a long drain. */
const MOST_WAITING = 12;

/**
 * Drives the grid for the plan's time: sizes, submissions and strikes at random times of their own; then lets the queue run empty and
 * judges.
 */
export async function runSoak(world: SoakWorld, plan: Plan, print: (line: string) => void): Promise<SoakResult> {
  const began = Date.now(), end = began + plan.seconds * 1_000;
  const strikes: Strike[] = [], missed: StrikeKind[] = [], botched: string[] = [], loads: number[] = [];
  let orders = 0, submitted = 0, waiting = 0, failure: Error | undefined;
  const goesOn = (): boolean => Date.now() < end && failure === undefined;
  // A generator each: what one does must not shift what the others do, or a seed would repeat nothing.
  const [sizes, work, blows] = [1, 2, 3].map((n) => seeded(plan.seed + n)) as [() => number, () => number, () => number];
  const napping = async (seconds: number): Promise<void> => pause(Math.max(0, Math.min(seconds * 1_000, end - Date.now())));

  const resize = async (): Promise<void> => {
    for (let large = true; goesOn(); large = !large) {
      const n = large ? 2 + Math.floor(sizes() * (MOST_WORKERS - 1)) : Math.floor(sizes() * 2);
      const command = sizes() < 0.1 ? "elastigrid scale --auto" : `elastigrid scale ${n}`;
      if ((await world.attempt(command)) !== undefined) orders += 1;
      await napping(large ? 6 + sizes() * 8 : 2 + sizes() * 5);
    }
  };
  const submitting = async (): Promise<void> => {
    while (goesOn()) {
      const count = 1 + Math.floor(work() * 3), seconds = work() < 0.08 ? 20 + Math.floor(work() * 60) : 1 + Math.floor(work() * 8);
      if (waiting <= MOST_WAITING) submitted += await world.submit(count, seconds, plan.leaseSeconds);
      await napping(work() * 6);
    }
  };
  /** A busy worker may have to be waited for. */
  const found = async (kind: StrikeKind): Promise<Strike | undefined> => {
    for (const limit = Date.now() + 60_000; goesOn() && Date.now() < limit; await pause(500)) {
      const done = await strike(kind, world, blows, plan.durations);
      if (done !== undefined) return done;
    }
    return undefined;
  };
  const striking = async (): Promise<void> => {
    for (let i = 0; goesOn(); i += 1) {
      await napping(plan.betweenStrikesSeconds * (0.5 + blows()));
      if (!goesOn()) break;
      const kind = plan.strikes[i % plan.strikes.length] as StrikeKind;
      const done = await found(kind).catch((e: Error) => {
        botched.push(`${kind}: ${e.message.split("\n")[0]}`);
        print(`strike ${kind} could not be carried out: ${e.message}`);
        return "botched" as const;
      });
      if (done === "botched") continue;
      if (done === undefined) missed.push(kind);
      else {
        strikes.push(done);
        print(`strike ${strikes.length}: ${done.what}${done.worker === undefined ? "" : ` (${done.worker})`}`);
      }
    }
  };
  const reporting = async (): Promise<void> => {
    for (let next = began + READ_EVERY_MS; goesOn(); await pause(2_000)) {
      loads.push(loadavg()[0] ?? 0);
      waiting = (await world.status())?.queue?.waiting ?? waiting;
      if (Date.now() < next) continue;
      next += READ_EVERY_MS;
      const closed = scaleDownsOf(await world.actions()).length;
      print(
        `${Math.round((Date.now() - began) / 1_000)} of ${plan.seconds} s: ${orders} orders, ${closed} scale-downs, ${submitted} jobs submitted, ${strikes.length} strikes`,
      );
    }
  };
  const guarded = (work: () => Promise<void>): Promise<void> => work().catch((e: Error) => void (failure ??= e));
  await Promise.all([guarded(resize), guarded(submitting), guarded(striking), guarded(reporting)]);
  if (failure !== undefined) throw failure;

  print("the queue runs empty");
  await world.insist("automatic size", "elastigrid scale --auto");
  const left = async (): Promise<number> => Number((await world.attempt("condor_q -allusers -af ClusterId | wc -l"))?.trim() ?? Number.NaN);
  await until(
    "an empty queue", QUEUE_EMPTY_MS, async () => (await left()) === 0 || (await pause(2_000), false),
  ).catch((e: Error) => print(e.message));
  const actions = await world.actions();
  const verdict = judge(parseJobLog(await world.jobLog()), await world.jobRows(), strikes, actions);
  const drains = drainTimes(actions);
  return {
    seed: plan.seed, seconds: Math.round((Date.now() - began) / 1_000), orders, strikes, missed, botched, verdict,
    scaleDowns: scaleDownsOf(actions).length, removed: count(actions, "gone"), takenBack: count(actions, "cancel-drain"), joined: count(actions, "enrol"),
    loadAverage: { median: percentile(loads, 0.5), most: Math.max(...loads) },
    drainSeconds: { median: percentile(drains, 0.5), most: Math.max(...drains) },
  };
}

const count = (actions: readonly Action[], what: string): number => actions.filter((a) => a.what === what).length;
const scaleDownsOf = (actions: readonly Action[]): Action[] => actions.filter((a) => a.what === "fence" || a.what === "drain");

/** From the order to close a worker to its last trace gone. */
function drainTimes(actions: readonly Action[]): number[] {
  const closed = new Map<string, number>();
  return actions.flatMap((a) => {
    if (a.worker === undefined) return [];
    if (a.what === "fence" || a.what === "drain") closed.set(a.worker, a.atMs);
    if (a.what === "cancel-drain") closed.delete(a.worker);
    const from = a.what === "gone" ? closed.get(a.worker) : undefined;
    return from === undefined ? [] : [(a.atMs - from) / 1_000];
  });
}

/** Everything that does not hold, whatever the judge says of jobs. */
export function failures(result: SoakResult, plan: Plan, leaks: readonly string[]): string[] {
  return [
    ...result.verdict.broken,
    ...(result.verdict.jobs === 0 ? ["no job ran: nothing was proven"] : []),
    ...(result.scaleDowns >= plan.wantedScaleDowns ? [] : [`${result.scaleDowns} scale-downs of at least ${plan.wantedScaleDowns}: run it longer`]),
    ...result.botched.map((b) => `a strike that could not be carried out: ${b}`),
    ...leaks.map((l) => `left at the cloud: ${l}`),
  ];
}
