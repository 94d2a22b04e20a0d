import { existsSync, readdirSync } from "node:fs";
import { basename, join, sep } from "node:path";
import { runSpecs, type LaneResult } from "./lane-run";
import { allLanes, lanes, type LaneName } from "./lane-table";
import { packageRoot } from "./paths";
import { problemLine } from "./problem";
import type { Part, Readiness } from "./setup";
import { sideBySide, slotsHere, type Ended, type Item, type Print } from "./side-by-side";
import type { LaneCounts } from "./totals";

export interface LaneReadiness extends Readiness {
  /** The OpenStack lab; left out by those who do not run its lane. */
  readonly lab?: Part;
}

/** Brings the OpenStack lab up around the work; why not, where this computer cannot. */
export type BringLab = (work: () => Promise<LaneCounts>) => Promise<{ readonly lab: LaneCounts } | { readonly skipped: Part["problems"] }>;

/** Spec files of a lane that are to run. */
export interface Chosen {
  readonly lane: LaneName;
  readonly files: readonly string[];
}

/**
 * What `npm test -- WORD...` asks for: LANE, or LANE/SPEC for the spec files of that name (`grid/queue-view`, `unit/policy/demand`);
 * without words all lanes.
 * @throws Error that names every word that is neither, and what there is
 */
export function choose(words: readonly string[], specsOf: (lane: LaneName) => readonly string[] = specs): Chosen[] {
  const wrong: string[] = [], chosen = new Map<LaneName, Set<string>>();
  for (const word of words.length === 0 ? allLanes : words) {
    const [first, ...rest] = word.split("/");
    const lane = allLanes.find((l) => l === first), spec = rest.join("/").replace(/\.spec\.[jt]s$/, "");
    if (lane === undefined) {
      wrong.push(`no such lane: ${word}; there are: ${allLanes.join(", ")}`);
      continue;
    }
    const all = specsOf(lane), named = all.filter((f) => rest.length === 0 || `/${slashed(f)}`.endsWith(`/${spec}.spec.js`));
    if (named.length === 0 && rest.length > 0) wrong.push(`no spec file ${spec} in lane ${lane}; there are: ${all.map(specName).join(", ")}`);
    chosen.set(lane, new Set([...(chosen.get(lane) ?? []), ...named]));
  }
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
  return allLanes.flatMap((lane) => (chosen.has(lane) ? [{ lane, files: [...(chosen.get(lane) ?? [])] }] : []));
}

/** So that not all wait for one in the end. */
export const longestFirst = (chosen: readonly Chosen[]): Chosen[] => [...chosen].sort((a, b) => lanes[b.lane].usualMinutes - lanes[a.lane].usualMinutes);

/** Runs the lanes, several beside one another where there are several, and counts all their tests. */
export async function runLanes(chosen: readonly Chosen[], ready: LaneReadiness, bringLab?: BringLab): Promise<LaneCounts> {
  const skipped: LaneName[] = [], items: Item<LaneResult>[] = [];
  for (const { lane: name, files } of longestFirst(chosen)) {
    const why = skipReason(name, ready) ?? (files.length === 0 ? `no spec files in test/${name}` : undefined);
    if (why === undefined) items.push(...itemsOf(name, files, bringLab));
    else {
      process.stdout.write(`\n== lane ${name}: ${lanes[name].isReal}\n   skipped: ${why}\n`);
      skipped.push(name);
    }
  }
  const results = await sideBySide(items, slotsHere(), toStdout);
  if (results.length > 1) toStdout(`\n   in all:\n${results.map(summary).join("")}`);
  return [...results.map((r) => r.result), { ...none, skipped: skipped.length }].reduce(sum, none);
}

const none: LaneCounts = { passed: 0, failed: 0, skipped: 0 };
const sum = (a: LaneCounts, b: LaneCounts): LaneCounts =>
  ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped });

/** Whoever reads the end of a long run finds here which part failed. */
function summary({ title, seconds, result: r }: Ended<LaneResult>): string {
  const mark = r.failed > 0 ? "FAILED" : "";
  return `   ${title.padEnd(28)} ${String(seconds).padStart(5)} s  ${r.passed} passed, ${r.failed} failed, ${r.skipped} skipped  ${mark}`.trimEnd() + "\n";
}

function itemsOf(name: LaneName, files: readonly string[], bringLab: BringLab | undefined): Item<LaneResult>[] {
  const { isReal, load, apart, filesAtOnce } = lanes[name];
  const item = (title: string, run: Item<LaneResult>["run"]): Item<LaneResult> =>
    ({ title, load, heading: `== lane ${title}: ${isReal}`, run: (print) => run(print).catch((e: Error) => brokeOff(e, print)) });
  if (apart === true) return files.map((f) => item(`${name} ${specName(f)}`, (print) => runSpecs(name, [f], print)));
  const work = (print: Print | undefined): Promise<LaneResult> =>
    filesAtOnce === undefined ? runSpecs(name, files, print) : runFiles(name, files, filesAtOnce, print);
  if (lanes[name].needsLab !== true || bringLab === undefined) return [item(name, work)];
  return [item(name, async (print) => {
    let result: LaneResult = { ...none, skipped: 1 };
    const ran = await bringLab(async () => (result = await work(print)));
    if ("skipped" in ran) (print ?? toStdout)(`   skipped: ${reasons(ran.skipped)}\n`);
    return result;
  })];
}

function brokeOff(e: Error, print: Print = toStdout): LaneResult {
  print(`   could not be run to its end: ${e.message}\n`);
  return { ...none, failed: 1 };
}

/** One line with every reason why a lane cannot run here; undefined when it can. */
export function skipReason(name: LaneName, ready: LaneReadiness): string | undefined {
  const lane = lanes[name];
  const lab = lane.needsLab === true ? (ready.lab?.problems ?? []) : [];
  const problems = [...(lane.needsEngine ? ready.engine.problems : []), ...(lane.needsHosts ? ready.hosts.problems : []), ...lab];
  return problems.length === 0 ? undefined : reasons(problems);
}

const reasons = (problems: Part["problems"]): string => problems.map((p) => problemLine(p).replace(/\s*\n\s*/g, " | ")).join("; ");
const slashed = (path: string): string => path.split(sep).join("/");
const specName = (file: string): string => basename(file).replace(/\.spec\.js$/, "");
const toStdout: Print = (text) => void process.stdout.write(text);

function specs(name: LaneName): string[] {
  const folder = join(packageRoot, "dist", "test", name);
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((f) => f.endsWith(".spec.js")).sort().map((f) => join(folder, f));
}

async function runFiles(name: LaneName, files: readonly string[], atOnce: number, print: Print | undefined): Promise<LaneResult> {
  const queue = [...files];
  let total = none, interrupted = false;
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined && !interrupted; file = queue.shift()) {
      if (print === undefined) process.stdout.write(`   ${basename(file)} begins; what it says comes when it has ended\n`);
      const result = await runSpecs(name, [file], print ?? toStdout);
      total = sum(total, result);
      interrupted ||= result.interrupted === true;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return { ...total, interrupted };
}
