import { rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { keptOutputsFile } from "../cli/remote";
import { automaticScaling, CHECK_NAMES, FULL, jobSubmission, manualControlAndLongJob, type CheckOutcome, type Grid } from "./checks";
import { keptLog, type LeakReport } from "./cloud";
import { lockFolder } from "./lock";
import { chart, checkTable, type RunResult, type Sample } from "./report";
import { openSession, type Session } from "./session";
import { Watcher } from "./watch";
import type { Master } from "./ssh";

/** Of the API, as stacks/Pulumi.local.yaml has it. */
const DOCUMENTED_PORT = 9931;

const HELP = `npm start: an elastic grid on a cloud of this computer's own, from nothing to nothing

  npm start                    set up, deploy, run the five checks, destroy, look for leaks
  npm start -- --keep          the same, but leave the last grid running and say how to look around
  npm start -- --down          destroy what --keep (or an interrupted run) left, and stop its cloud
  npm start -- --port N        local-cloud on another port than ${DOCUMENTED_PORT}

The last line of standard output is one JSON object; exit code 0 only if all five checks hold and nothing leaked.
State and logs: $XDG_CACHE_HOME/elastigrid/start (default ~/.cache/elastigrid/start).
`;

const packageDir = resolve(__dirname, "..", "..");

export async function main(argv: readonly string[]): Promise<number> {
  let flags: { keep?: boolean; down?: boolean; help?: boolean; port?: string };
  try {
    flags = parseArgs({ args: [...argv], options: { keep: { type: "boolean" }, down: { type: "boolean" }, help: { type: "boolean", short: "h" }, port: { type: "string" } } }).values;
  } catch (e) {
    process.stderr.write(`npm start: ${(e as Error).message}; see npm start -- --help\n`);
    return 2;
  }
  const port = Number(flags.port ?? DOCUMENTED_PORT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    process.stderr.write(`npm start: --port ${flags.port}: a port is a whole number from 1 to 65535\n`);
    return 2;
  }
  if (flags.help === true) return (process.stdout.write(HELP), 0);
  const startedMs = Date.now();
  const print = (line: string): void => void process.stderr.write(`[${((Date.now() - startedMs) / 1000).toFixed(0).padStart(4)} s] ${line}\n`);
  const cacheDir = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "elastigrid");
  const stateDir = join(cacheDir, "start");
  const outputsFile = keptOutputsFile(process.env);
  let lock;
  try {
    lock = await lockFolder(stateDir, "npm start");
  } catch (e) {
    process.stderr.write(`${(e as Error).message}\n`);
    return 1;
  }
  try {
    rmSync(outputsFile, { force: true }); // of a grid that this run replaces or removes
    await endKeptCloud(stateDir, print);
    const keep = flags.keep === true;
    const session = await step(print, "starting local-cloud", () =>
      openSession({ packageDir, stateDir, stack: "local", configFile: join(packageDir, "stacks", "Pulumi.local.yaml"), port, keep, print }));
    const interrupted = onInterrupt(session, print);
    let kept = false;
    try {
      if (port !== DOCUMENTED_PORT) await session.stack.setConfig("cloudsigma:endpoint", session.cloud.access.endpoint);
      if (flags.down === true) {
        await step(print, "pulumi destroy", () => session.stack.destroy(quietLine(print)));
        return (await leakCheck(session, print)).leaks.length === 0 ? 0 : 1;
      }
      const code = await run(session, print, startedMs, keep);
      kept = keep && code === 0;
      if (kept) tellKept(session, stateDir, await writeOutputs(session, outputsFile));
      return code;
    } finally {
      interrupted();
      if (!kept) await session.cloud.stop();
    }
  } catch (e) {
    process.stderr.write(`npm start failed: ${(e as Error).message}\nThe next \`npm start\` goes on from here; \`npm start -- --down\` removes what is there.\n`);
    process.stdout.write(`${JSON.stringify({ ok: false, error: (e as Error).message.split("\n")[0] })}\n`);
    return 1;
  } finally {
    await lock.release();
  }
}

/** Deploys, checks, destroys; prints the tables and the JSON line. */
async function run(session: Session, print: (line: string) => void, startedMs: number, keep: boolean): Promise<number> {
  const watcher = new Watcher(print, startedMs);
  const outcomes: CheckOutcome[] = [];
  const ups: number[] = [], downs: number[] = [];
  for (let round = 1; round < FULL.rounds; round += 1) {
    ups.push((await step(print, `pulumi up (${round} of ${FULL.rounds})`, () => session.stack.up(quietLine(print)))).seconds);
    downs.push((await step(print, `pulumi destroy (${round} of ${FULL.rounds})`, () => session.stack.destroy(quietLine(print)))).seconds);
  }
  ups.push((await step(print, `pulumi up (${FULL.rounds} of ${FULL.rounds})`, () => session.stack.up(quietLine(print)))).seconds);
  const master: Master = await session.connect();
  let leaks: LeakReport = { leaks: [], prepaid: [] };
  try {
    watcher.follow(master);
    const grid: Grid = { stack: session.stack, master, watcher, scale: FULL, print };
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
  if (!keep) {
    downs.push((await step(print, `pulumi destroy (${FULL.rounds} of ${FULL.rounds})`, () => session.stack.destroy(quietLine(print)))).seconds);
    leaks = await leakCheck(session, print);
  }
  outcomes.push(recreatable(ups, downs, keep));
  return finish(outcomes, watcher.samples, watcher.peakWorkers, ups, leaks);
}

/** A check that could not be carried out to its end; the others go on, and the grid is still destroyed. */
const failed = (name: string, e: Error, seconds: number): CheckOutcome => ({ name, ok: false, jobs: 0, evicted: 0, seconds, ours: "broke off", why: e.message.split("\n")[0] ?? "", ancestor: "" });

function recreatable(ups: readonly number[], downs: readonly number[], keep: boolean): CheckOutcome {
  const list = (values: readonly number[]): string => values.map((s) => s.toFixed(0)).join(", ");
  return {
    name: CHECK_NAMES.recreatable, ok: ups.length === FULL.rounds && downs.length === FULL.rounds - (keep ? 1 : 0), jobs: 0, evicted: 0, seconds: 0,
    ours: `${ups.length} ups (${list(ups)} s) and ${downs.length} destroys (${list(downs)} s), none failed`, ancestor: "20.9 % failed; 234 s mean",
  };
}

function finish(outcomes: readonly CheckOutcome[], samples: readonly Sample[], peak: number, ups: readonly number[], leaks: LeakReport): number {
  const checks = [...outcomes].sort((a, b) => a.name.localeCompare(b.name));
  const ok = checks.length === 5 && checks.every((c) => c.ok) && leaks.leaks.length === 0;
  process.stderr.write(`\n${checkTable(checks)}\n\n${chart(samples)}\n\n`);
  const result: RunResult = {
    jobs: checks.reduce((sum, c) => sum + c.jobs, 0),
    evicted: checks.reduce((sum, c) => sum + c.evicted, 0),
    scalingFactor: checks.find((c) => c.scalingFactor !== undefined)?.scalingFactor ?? 0,
    workersMax: FULL.workersMax,
    workersPeak: peak,
    firstJobSeconds: checks.find((c) => c.firstJobSeconds !== undefined)?.firstJobSeconds ?? 0,
    upSeconds: Math.round((ups.reduce((a, b) => a + b, 0) / ups.length) * 10) / 10,
    leaks: leaks.leaks.length,
    checks: Object.fromEntries(checks.map((c) => [c.name.slice(2), c.ok])),
    ok,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return ok ? 0 : 1;
}

async function leakCheck(session: Session, print: (line: string) => void): Promise<LeakReport> {
  const found = await session.cloud.leaks();
  print(found.leaks.length === 0 ? "leak check: nothing left that costs money" : `leak check: LEFT: ${found.leaks.map(String).join("; ")}`);
  for (const line of found.prepaid) print(`  paid in advance, not renewed: ${line}`);
  return found;
}

async function step<T>(print: (line: string) => void, what: string, work: () => Promise<T>): Promise<T> {
  const from = Date.now();
  print(`${what} ...`);
  const value = await work();
  print(`${what}: done in ${((Date.now() - from) / 1000).toFixed(1)} s`);
  return value;
}

/** The engine's own lines about resources, without its headers. */
const quietLine = (print: (line: string) => void) => (line: string): void => {
  if (/^\s*(\+|~|-|\+-)\s+\S+/.test(line) && / (created|updated|deleted|replaced|failed)/.test(line)) print(`  ${line.trim()}`);
};

/** Ctrl-C ends the engine in good order first; a second one ends at once. */
function onInterrupt(session: Session, print: (line: string) => void): () => void {
  let count = 0;
  const handler = (): void => {
    count += 1;
    if (count > 1) process.exit(130);
    print("interrupted: ending; the next `npm start` goes on from here, `npm start -- --down` removes everything");
    // the engine still needs the cloud for the step at hand
    void session.stack.interrupt().then(() => session.cloud.stop()).finally(() => process.exit(130));
  };
  process.on("SIGINT", handler).on("SIGTERM", handler);
  return () => void process.off("SIGINT", handler).off("SIGTERM", handler);
}

/** What the command line program needs to find the master, its key included: for this user only. */
async function writeOutputs(session: Session, file: string): Promise<string> {
  writeFileSync(file, JSON.stringify(await session.stack.outputs()), { mode: 0o600 });
  return file;
}

function tellKept(session: Session, stateDir: string, outputsFile: string): void {
  process.stderr.write(`The grid is running. In this folder:
  export ELASTIGRID_OUTPUTS=${outputsFile}
  npx elastigrid status            what it does and why
  npx elastigrid scale 3           set the size by hand; scale --auto gives it back
  npx elastigrid ssh               a shell on the master; there, \`su - grid\` and condor_submit
  npx elastigrid --help            the rest
The API: ${session.cloud.access.endpoint} (credentials in ${join(stateDir, "cloud", "credentials.json")}, log in ${keptLog(join(stateDir, "cloud"))})
To end it: npm start -- --down
`);
}

/** An earlier \`--keep\` left a cloud running: this run takes its state over, so that process must end first. */
async function endKeptCloud(stateDir: string, print: (line: string) => void): Promise<void> {
  const { keptCloud } = await import("./cloud.js");
  const kept = keptCloud(join(stateDir, "cloud"));
  if (kept === undefined) return;
  print(`a cloud kept by an earlier run (process ${kept.pid}) hands over`);
  process.kill(kept.pid, "SIGTERM");
  for (let i = 0; i < 300; i += 1) {
    await new Promise((r) => setTimeout(r, 200));
    if (keptCloud(join(stateDir, "cloud")) === undefined) return;
  }
  throw new Error(`the kept cloud (process ${kept.pid}) does not stop; end it by hand`);
}
