import { readFileSync, writeFileSync } from "node:fs";
import { quietLine, step, type Print } from "./course";
import type { Session } from "./session";
import { differences, withSettings, type Setting } from "./settings";

/** The schema refuses the grid that `--set` describes. */
export class RefusedSettings extends Error {}

/** Throws what the schema says of the configuration with these settings. */
export function checkSettings(configFile: string, settings: readonly Setting[]): string {
  const wanted = withSettings(readFileSync(configFile, "utf8"), settings);
  if ("problem" in wanted) throw new RefusedSettings(wanted.problem);
  return wanted.yaml;
}

/**
 * `--grid-only`: makes the grid, or changes the one that is kept, and does nothing with it. A change that fails leaves the
 * configuration as it was.
 */
export async function bringGrid(session: Session, documentedFile: string, settings: readonly Setting[], print: Print): Promise<number> {
  const { workingConfig } = session.stack;
  const before = readFileSync(workingConfig, "utf8");
  writeFileSync(workingConfig, checkSettings(workingConfig, settings));
  const other = differences(readFileSync(documentedFile, "utf8"), readFileSync(workingConfig, "utf8"));
  if (other.length > 0) print(`other than documented: ${other.join(" ")}`);
  const { seconds, changes } = await step(print, "pulumi up", () => session.stack.up(quietLine(print))).catch((e: unknown) => {
    writeFileSync(workingConfig, before);
    throw e;
  });
  const upSeconds = Math.round(seconds * 10) / 10;
  process.stdout.write(`${JSON.stringify({ cloud: session.cloud.name, gridOnly: true, upSeconds, changes, settings: other, ok: true })}\n`);
  return 0;
}
