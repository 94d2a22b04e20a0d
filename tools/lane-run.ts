import { existsSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { lanes, type LaneName } from "./lane-table";
import { LINGER_SECONDS, runMocha, type CommandLine, type HowItEnded } from "./mocha-run";
import { packageRoot } from "./paths";
import type { Print } from "./side-by-side";
import type { LaneCounts } from "./totals";

export interface LaneResult extends LaneCounts {
  readonly interrupted?: boolean;
}

let runs = 0;

/** Runs spec files of a lane in one mocha. With `print`, all that they say comes when they have ended; without, at once. */
export async function runSpecs(name: LaneName, files: readonly string[], print?: Print): Promise<LaneResult> {
  const file = join(packageRoot, "dist", `.lane-${name}-${process.pid}-${(runs += 1)}.json`);
  rmSync(file, { force: true });
  const { timeoutSeconds, load } = lanes[name];
  const limitSeconds = lanes[name].limitSeconds * (process.env["ELASTIGRID_LONG"] === "1" ? 5 : 1);
  const args = [
    "--enable-source-maps", join(packageRoot, "node_modules", "mocha", "bin", "_mocha"), "--no-config", "--no-package",
    "--reporter", join(packageRoot, "dist", "tools", "lane-reporter.js"),
    "--timeout", String(timeoutSeconds * 1_000), "--slow", String(timeoutSeconds * 250), ...files,
  ];
  try {
    const command = await placed(name, [process.execPath, ...args], { ...process.env, ELASTIGRID_LANE_COUNTS: file });
    const how = await runMocha(command, { limitSeconds, testsEnded: () => existsSync(file), print, yields: load === "busy" });
    const none: LaneCounts = { passed: 0, failed: 0, skipped: 0 };
    const counts = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as LaneCounts) : none;
    const fault = laneFault(name, how, counts, limitSeconds);
    if (fault === undefined) return counts;
    if (print === undefined) process.stdout.write(`   ${fault}\n`);
    else print(`   ${fault}${files.length === 1 ? ` (${basename(files[0] ?? "")})` : ""}\n`);
    return { ...counts, failed: counts.failed + 1, interrupted: how.stopped === "interrupted" };
  } finally {
    rmSync(file, { force: true });
  }
}

/** Where the lane's mocha runs: on this computer, or in the lab's network namespace. */
async function placed(name: LaneName, argv: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandLine> {
  if (lanes[name].needsLab !== true) return { argv, env };
  // Loaded only then: the others must run where the lab's parts cannot even be asked.
  const { intoLab } = await import("../test/openstack-lab/enter.js");
  const { labHome, placesOf } = await import("../test/openstack-lab/places.js");
  return intoLab(placesOf(labHome()), argv, withoutOpenstack(env));
}

/** The caller's own OpenStack is not where tests run. */
const withoutOpenstack = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([k]) => !k.startsWith("OS_")));

/** What went wrong beyond the tests that failed; mocha's exit code alone would not say. */
export function laneFault(name: LaneName, how: HowItEnded, counts: LaneCounts, limitSeconds: number): string | undefined {
  if (how.stopped === "limit") return `lane ${name} did not end within ${limitSeconds} s and was stopped`;
  if (how.stopped === "lingering") return `lane ${name}: something that its tests started still ran ${LINGER_SECONDS} s after the last one`;
  if (how.stopped === "interrupted") return `lane ${name} was interrupted`;
  if (how.signal !== null) return `lane ${name} was ended by ${how.signal}`;
  if (how.code !== 0 && counts.failed === 0) return `lane ${name} ended with code ${how.code} although no test failed`;
  return undefined;
}
