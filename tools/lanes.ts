import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { LINGER_SECONDS, runMocha, type CommandLine, type HowItEnded } from "./mocha-run";
import { packageRoot } from "./paths";
import { problemLine } from "./problem";
import type { Part, Readiness } from "./setup";
import type { LaneCounts } from "./totals";

export const allLanes = ["unit", "engine", "grid", "chaos", "openstack"] as const;
export type LaneName = (typeof allLanes)[number];

export interface LaneReadiness extends Readiness {
  /** The OpenStack lab; left out by those who do not run its lane. */
  readonly lab?: Part;
}

interface LaneResult extends LaneCounts {
  readonly interrupted?: boolean;
}

interface Lane {
  readonly isReal: string;
  readonly needsEngine: boolean;
  readonly needsHosts: boolean;
  readonly needsLab?: boolean;
  /** So many spec files at a time: where tests mostly wait for others. */
  readonly sideBySide?: number;
  /** For one test. */
  readonly timeoutSeconds: number;
  /** For the whole lane: a hang ends loudly. */
  readonly limitSeconds: number;
}

const lanes: Record<LaneName, Lane> = {
  unit: { isReal: "pure functions, and components under mocks", needsEngine: false, needsHosts: false, timeoutSeconds: 20, limitSeconds: 600 },
  engine: { isReal: "the Pulumi engine and plugins, local-cloud without hosts", needsEngine: true, needsHosts: false, timeoutSeconds: 600, limitSeconds: 1_500 },
  grid: { isReal: "the same, servers that boot, HTCondor, jobs", needsEngine: true, needsHosts: true, timeoutSeconds: 600, limitSeconds: 1_800 },
  chaos: { isReal: "faults at every call", needsEngine: true, needsHosts: true, timeoutSeconds: 600, limitSeconds: 1_800 },
  openstack: { isReal: "OpenStack's own services on this computer, the Pulumi engine and plugins", needsEngine: true, needsHosts: false, needsLab: true, sideBySide: 3, timeoutSeconds: 600, limitSeconds: 1_800 },
};

/** Runs the lanes one after another and counts all their tests. */
export async function runLanes(names: readonly LaneName[], ready: LaneReadiness): Promise<LaneCounts> {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const name of names) {
    const why = skipReason(name, ready) ?? (specs(name).length === 0 ? `no spec files in test/${name}` : undefined);
    process.stdout.write(`\n== lane ${name}: ${lanes[name].isReal}\n`);
    if (why !== undefined) process.stdout.write(`   skipped: ${why}\n`);
    const counts: LaneResult = why === undefined ? await runLane(name) : { passed: 0, failed: 0, skipped: 1 };
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    if (counts.interrupted === true) break;
  }
  return total;
}

/** One line with every reason why a lane cannot run here; undefined when it can. */
export function skipReason(name: LaneName, ready: LaneReadiness): string | undefined {
  const lane = lanes[name];
  const problems = [...(lane.needsEngine ? ready.engine.problems : []), ...(lane.needsHosts ? ready.hosts.problems : []), ...(lane.needsLab === true ? (ready.lab?.problems ?? []) : [])];
  return problems.length === 0 ? undefined : problems.map((p) => problemLine(p).replace(/\s*\n\s*/g, " | ")).join("; ");
}

function specs(name: LaneName): string[] {
  const folder = join(packageRoot, "dist", "test", name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".spec.js")).sort().map((f) => join(folder, f));
}

async function runLane(name: LaneName): Promise<LaneResult> {
  const files = specs(name), { sideBySide } = lanes[name];
  if (sideBySide === undefined) return runSpecs(name, files);
  const total = { passed: 0, failed: 0, skipped: 0, interrupted: false };
  const work = async (): Promise<void> => {
    for (let file = files.shift(); file !== undefined && !total.interrupted; file = files.shift()) {
      process.stdout.write(`   ${basename(file)} begins; what it says comes when it has ended\n`);
      const counts = await runSpecs(name, [file], (text) => void process.stdout.write(text));
      total.passed += counts.passed;
      total.failed += counts.failed;
      total.skipped += counts.skipped;
      total.interrupted ||= counts.interrupted === true;
    }
  };
  await Promise.all(Array.from({ length: sideBySide }, work));
  return total;
}

let runs = 0;

async function runSpecs(name: LaneName, files: readonly string[], print?: (text: string) => void): Promise<LaneResult> {
  const file = join(packageRoot, "dist", `.lane-${name}-${process.pid}-${(runs += 1)}.json`);
  rmSync(file, { force: true });
  const { timeoutSeconds } = lanes[name];
  const limitSeconds = lanes[name].limitSeconds * (process.env["ELASTIGRID_LONG"] === "1" ? 5 : 1);
  const args = [
    "--enable-source-maps", join(packageRoot, "node_modules", "mocha", "bin", "_mocha"), "--no-config", "--no-package",
    "--reporter", join(packageRoot, "dist", "tools", "lane-reporter.js"), "--timeout", String(timeoutSeconds * 1_000), "--slow", String(timeoutSeconds * 250), ...files,
  ];
  try {
    const how = await runMocha(await placed(name, [process.execPath, ...args], { ...process.env, ELASTIGRID_LANE_COUNTS: file }), limitSeconds, () => existsSync(file), print);
    const counts: LaneCounts = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as LaneCounts) : { passed: 0, failed: 0, skipped: 0 };
    const fault = laneFault(name, how, counts, limitSeconds);
    if (fault === undefined) return counts;
    process.stdout.write(`   ${fault}${print === undefined ? "" : ` (${files.map((f) => basename(f)).join(", ")})`}\n`);
    return { ...counts, failed: counts.failed + 1, interrupted: how.stopped === "interrupted" };
  } finally {
    rmSync(file, { force: true });
  }
}

/** Where the lane's mocha runs: on this computer, or in the lab's network namespace. */
async function placed(name: LaneName, argv: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandLine> {
  if (lanes[name].needsLab !== true) return { argv, env };
  // Loaded only then: the others must run where the lab's parts cannot even be asked.
  const [{ intoLab }, { labHome, placesOf }] = await Promise.all([import("../test/openstack-lab/enter.js"), import("../test/openstack-lab/places.js")]);
  return intoLab(placesOf(labHome()), argv, withoutOpenstack(env));
}

/** The caller's own OpenStack is not where tests run. */
const withoutOpenstack = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => Object.fromEntries(Object.entries(env).filter(([k]) => !k.startsWith("OS_")));

/** What went wrong beyond the tests that failed; mocha's exit code alone would not say. */
export function laneFault(name: LaneName, how: HowItEnded, counts: LaneCounts, limitSeconds: number): string | undefined {
  if (how.stopped === "limit") return `lane ${name} did not end within ${limitSeconds} s and was stopped`;
  if (how.stopped === "lingering") return `lane ${name}: something that its tests started still ran ${LINGER_SECONDS} s after the last one`;
  if (how.stopped === "interrupted") return `lane ${name} was interrupted`;
  if (how.signal !== null) return `lane ${name} was ended by ${how.signal}`;
  if (how.code !== 0 && counts.failed === 0) return `lane ${name} ended with code ${how.code} although no test failed`;
  return undefined;
}
