import { automaticScaling, CHECK_NAMES, FULL, FULL_OPENSTACK, jobSubmission, manualControlAndLongJob, type CheckOutcome, type Grid, type Scale } from "./checks";
import type { LeakReport } from "./cloud";
import { chart, checkTable, type RunResult, type Sample } from "./report";
import type { Session } from "./session";
import type { Master } from "./ssh";
import { Watcher } from "./watch";

export type Print = (line: string) => void;

/** Why checks that log in cannot be made here; undefined where servers really run. */
export interface CourseOptions {
  readonly keep: boolean;
  readonly noGuests?: string;
}

/** Deploys, checks, destroys; prints the tables and the JSON line. */
export async function runCourse(session: Session, print: Print, startedMs: number, options: CourseOptions): Promise<number> {
  const scale = session.cloud.name === "openstack" ? FULL_OPENSTACK : FULL;
  const watcher = new Watcher(print, startedMs);
  const outcomes: CheckOutcome[] = [];
  const ups: number[] = [], downs: number[] = [];
  for (let round = 1; round < scale.rounds; round += 1) {
    ups.push((await step(print, `pulumi up (${round} of ${scale.rounds})`, () => session.stack.up(quietLine(print)))).seconds);
    downs.push((await step(print, `pulumi destroy (${round} of ${scale.rounds})`, () => session.stack.destroy(quietLine(print)))).seconds);
  }
  ups.push((await step(print, `pulumi up (${scale.rounds} of ${scale.rounds})`, () => session.stack.up(quietLine(print)))).seconds);
  const skipped = options.noGuests === undefined ? [] : GUEST_CHECKS;
  if (options.noGuests === undefined) outcomes.push(...(await guestChecks(session, scale, watcher, print)));
  else for (const name of skipped) print(`check ${name}: SKIPPED: ${options.noGuests}`);
  let leaks: LeakReport = { leaks: [], prepaid: [] };
  if (!options.keep) {
    downs.push((await step(print, `pulumi destroy (${scale.rounds} of ${scale.rounds})`, () => session.stack.destroy(quietLine(print)))).seconds);
    leaks = await leakCheck(session, print);
  }
  outcomes.push(recreatable(scale, ups, downs, options.keep));
  return finish(session.cloud.name, scale, outcomes, skipped, watcher, ups, leaks);
}

const GUEST_CHECKS: readonly string[] = [CHECK_NAMES.jobs, CHECK_NAMES.scaling, CHECK_NAMES.manual, CHECK_NAMES.longJob];

/** The checks that log in to the master: 1, 3, 4 and 5. */
async function guestChecks(session: Session, scale: Scale, watcher: Watcher, print: Print): Promise<readonly CheckOutcome[]> {
  const outcomes: CheckOutcome[] = [];
  const master: Master = await session.connect();
  try {
    watcher.follow(master);
    const grid: Grid = { stack: session.stack, master, watcher, scale, print };
    const check = async (title: string, names: readonly string[], work: () => Promise<readonly CheckOutcome[]>): Promise<void> => {
      print(title);
      const from = Date.now();
      outcomes.push(...(await work().catch((e: Error) => names.map((name) => failed(name, e, (Date.now() - from) / 1000)))));
    };
    await check("check 1: job submission and execution", [CHECK_NAMES.jobs], async () => [await jobSubmission(grid)]);
    await check("check 3: automatic scaling", [CHECK_NAMES.scaling], async () => [await automaticScaling(grid)]);
    await check("checks 4 and 5: manual control, and a long job through it", [CHECK_NAMES.manual, CHECK_NAMES.longJob], () => manualControlAndLongJob(grid));
  } finally {
    watcher.unfollow();
    await master.close();
  }
  return outcomes;
}

/** A check that could not be carried out to its end; the others go on, and the grid is still destroyed. */
const failed = (name: string, e: Error, seconds: number): CheckOutcome => ({ name, ok: false, jobs: 0, evicted: 0, seconds, ours: "broke off", why: e.message.split("\n")[0] ?? "", ancestor: "" });

function recreatable(scale: Scale, ups: readonly number[], downs: readonly number[], keep: boolean): CheckOutcome {
  const list = (values: readonly number[]): string => values.map((s) => s.toFixed(0)).join(", ");
  return {
    name: CHECK_NAMES.recreatable, ok: ups.length === scale.rounds && downs.length === scale.rounds - (keep ? 1 : 0), jobs: 0, evicted: 0, seconds: 0,
    ours: `${ups.length} ups (${list(ups)} s) and ${downs.length} destroys (${list(downs)} s), none failed`, ancestor: "20.9 % failed; 234 s mean",
  };
}

function finish(cloud: string, scale: Scale, outcomes: readonly CheckOutcome[], skipped: readonly string[], watcher: Watcher, ups: readonly number[], leaks: LeakReport): number {
  const samples: readonly Sample[] = watcher.samples;
  const checks = [...outcomes].sort((a, b) => a.name.localeCompare(b.name));
  const ok = checks.length + skipped.length === 5 && checks.every((c) => c.ok) && leaks.leaks.length === 0;
  process.stderr.write(`\n${checkTable(checks)}\n${skipped.map((name) => `${name}: skipped\n`).join("")}\n${samples.length > 0 ? `${chart(samples)}\n\n` : ""}`);
  const result: RunResult = {
    cloud,
    jobs: checks.reduce((sum, c) => sum + c.jobs, 0),
    evicted: checks.reduce((sum, c) => sum + c.evicted, 0),
    scalingFactor: checks.find((c) => c.scalingFactor !== undefined)?.scalingFactor ?? 0,
    scalingCeiling: checks.find((c) => c.scalingCeiling !== undefined)?.scalingCeiling ?? 0,
    workersMax: scale.workersMax,
    workersPeak: watcher.peakWorkers,
    firstJobSeconds: checks.find((c) => c.firstJobSeconds !== undefined)?.firstJobSeconds ?? 0,
    upSeconds: Math.round((ups.reduce((a, b) => a + b, 0) / ups.length) * 10) / 10,
    leaks: leaks.leaks.length,
    checks: Object.fromEntries(checks.map((c) => [c.name.slice(2), c.ok])),
    ...(skipped.length > 0 ? { skipped: skipped.map((name) => name.slice(2)) } : {}),
    ok,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return ok ? 0 : 1;
}

export async function leakCheck(session: Session, print: Print): Promise<LeakReport> {
  const found = await session.cloud.leaks();
  print(found.leaks.length === 0 ? "leak check: nothing left that costs money" : `leak check: LEFT: ${found.leaks.map(String).join("; ")}`);
  for (const line of found.prepaid) print(`  paid in advance, not renewed: ${line}`);
  return found;
}

export async function step<T>(print: Print, what: string, work: () => Promise<T>): Promise<T> {
  const from = Date.now();
  print(`${what} ...`);
  const value = await work();
  print(`${what}: done in ${((Date.now() - from) / 1000).toFixed(1)} s`);
  return value;
}

/** The engine's own lines about resources, without its headers. */
export const quietLine = (print: Print) => (line: string): void => {
  if (/^\s*(\+|~|-|\+-)\s+\S+/.test(line) && / (created|updated|deleted|replaced|failed)/.test(line)) print(`  ${line.trim()}`);
};
