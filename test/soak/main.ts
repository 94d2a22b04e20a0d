import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { lockFolder } from "../../demo/lock";
import { cacheDir } from "../../tools/paths";
import { packageDir } from "../support/stack";
import { failures, runSoak, type Plan } from "./course";
import { strikeKinds, type StrikeKind } from "./judge";
import { soakReport } from "./report";
import { SoakWorld } from "./world";

const HELP = `npm run soak: a grid on real hosts, scaled at random while jobs are submitted and things are killed; then HTCondor's own log is judged

  --minutes N      how long it is driven (default 60, with which 200 scale-downs are expected; 1 to 1440)
  --seed N         repeats the sizes, jobs and strikes of a run (which meet another timing)
  --only KIND,...  strikes of these kinds only: ${strikeKinds.join(", ")}
  --report FILE    where the report goes (default docs/soak.md)
  --json           nothing but one line of JSON on standard output (it is the last line in any case)
  --help           this text

Exit code 0 if every promise holds, 1 if one is broken, 2 for wrong usage. Needs what npm start needs.
`;

const PORT = 9937;
const SCALE_DOWNS_PER_HOUR = 200;
/** A long outage of the queue, within a job's lease of 20 minutes. */
const SCHEDD_STOPPED_SECONDS = 600;

/** Rare where they hold everything up; the schedd is stopped once, in the middle of a run. */
function order(minutes: number, only: readonly StrikeKind[]): StrikeKind[] {
  const often: StrikeKind[] = [
    "false-status", "worker", "controller", "network", "false-status", "startd", "condor", "false-status", "network", "master",
  ];
  const wanted = often.filter((k) => only.includes(k));
  const round = wanted.length === 0 ? [] : Array.from({ length: Math.ceil(Math.max(10, minutes) / wanted.length) }, () => wanted).flat();
  if (only.includes("schedd")) round.splice(Math.floor(Math.min(round.length, minutes * 0.4)), 0, "schedd");
  return round;
}

export async function main(argv: readonly string[]): Promise<number> {
  let values;
  try {
    const options = {
      minutes: { type: "string" }, seed: { type: "string" }, only: { type: "string" }, report: { type: "string" },
      json: { type: "boolean" }, help: { type: "boolean", short: "h" },
    } as const;
    values = parseArgs({ args: [...argv], options }).values;
  } catch (e) {
    return (process.stderr.write(`npm run soak: ${(e as Error).message}\n`), 2);
  }
  if (values.help === true) return (process.stdout.write(HELP), 0);
  const minutes = Number(values.minutes ?? 60), seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const only = values.only?.split(",") ?? [...strikeKinds];
  const wrong = [
    ...(minutes >= 1 && minutes <= 1_440 ? [] : [`--minutes ${values.minutes}: a number from 1 to 1440`]),
    ...(Number.isInteger(seed) && seed >= 0 ? [] : [`--seed ${values.seed}: a whole number`]),
    ...only.filter((k) => !(strikeKinds as readonly string[]).includes(k)).map(
      (k) => `--only ${k}: the kinds are ${strikeKinds.join(", ")}`,
    ),
  ];
  if (wrong.length > 0) return (process.stderr.write(`npm run soak: ${wrong.join("; ")}\n`), 2);
  const startedMs = Date.now();
  const print = (line: string): void => void process.stderr.write(
    `[${((Date.now() - startedMs) / 1_000).toFixed(0).padStart(5)} s] ${line}\n`,
  );
  print(`seed ${seed}`);
  const plan: Plan = {
    seed, seconds: minutes * 60, strikes: order(minutes, only as StrikeKind[]), betweenStrikesSeconds: 40, wantedScaleDowns: Math.floor(
      (SCALE_DOWNS_PER_HOUR * Math.min(60, minutes)) / 60,
    ),
    durations: { scheddStoppedSeconds: Math.min(SCHEDD_STOPPED_SECONDS, minutes * 20), networkCutSeconds: 100 },
  };
  return soak(plan, values.report ?? join(packageDir, "docs", "soak.md"), print);
}

async function soak(plan: Plan, reportFile: string, print: (line: string) => void): Promise<number> {
  const home = join(cacheDir(), "soak");
  const lock = await lockFolder(home, "npm run soak");
  try {
    const world = await SoakWorld.open(home, PORT, print);
    let result, leaks: readonly string[] = [];
    try {
      result = await runSoak(world, plan, print);
    } finally {
      leaks = await world.close(print);
    }
    const broken = failures(result, plan, leaks);
    writeFileSync(reportFile, soakReport(result, broken, new Date()));
    for (const b of broken) print(`BROKEN: ${b}`);
    const { verdict, strikes, ...figures } = result;
    const byKind = Object.fromEntries([...new Set(strikes.map((s) => s.kind))].map((k) => [k, strikes.filter((s) => s.kind === k).length]));
    const lost = verdict.losses.filter((l) => !l.excused).length;
    process.stdout.write(
      `${JSON.stringify({ ...figures, strikes: byKind, jobs: verdict.jobs, right: verdict.right, starts: verdict.starts, lostExcused: verdict.losses.length - lost, lost, broken, ok: broken.length === 0 })}\n`,
    );
    return broken.length === 0 ? 0 : 1;
  } finally {
    await lock.release();
  }
}
