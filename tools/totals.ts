import { appendFileSync } from "node:fs";

/** What tests came to; written for the lane runner when all tests of a lane have ended. */
export interface LaneCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Names a file when this run is one part of a larger one (`.ci/run`): the parts' sums go there, and only their total is a last line. */
export const TOTALS = "ELASTIGRID_TEST_TOTALS";

/** A run in which nothing ran proves nothing, so it fails. */
export function verdict(total: LaneCounts): { code: number; line: string; note?: string } {
  const line = `${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`;
  if (total.passed + total.failed === 0) return { code: 1, line, note: "no test ran" };
  return { code: total.failed === 0 ? 0 : 1, line };
}

/** Says what a run came to: as the last line, or as one part. The exit code. */
export function conclude(part: string, total: LaneCounts, env: NodeJS.ProcessEnv = process.env, print: (text: string) => void = (t) => void process.stdout.write(t)): number {
  const { code, line, note } = verdict(total);
  const file = env[TOTALS];
  if (file === undefined) {
    print(`${note === undefined ? "" : `\n${note}\n`}\n${line}\n`);
    return code;
  }
  appendFileSync(file, `${JSON.stringify({ part, ...total })}\n`);
  print(`\n   part ${part}: ${line}\n`);
  return total.failed === 0 ? 0 : 1;
}
