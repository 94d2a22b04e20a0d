import { readFileSync } from "node:fs";
import Module from "node:module";
import { join, relative, resolve } from "node:path";
import { mutants } from "./mutants";

/** What came of one mutant's stories. */
export interface MutantResult {
  /** Checks whose text was not found, or not just once. */
  readonly lost: readonly string[];
  /** The story that failed, with its seed and why; missing where all passed. */
  readonly failed?: { readonly story: string; readonly seed: number; readonly why: string };
  readonly played: number;
  /** What the controller threw by itself, as one that a bad replacement has broken does: that breaks no promise, it is no controller. */
  readonly threw?: string;
}

const dist = resolve(__dirname, "..", "..", "..");

/** The file's text with these checks taken out. */
export function mutated(text: string, file: string, keys: readonly string[]): { readonly text: string; readonly lost: readonly string[] } {
  const lost: string[] = [];
  let out = text;
  for (const key of keys) {
    const m = mutants[key];
    if (m === undefined) throw new RangeError(`no mutant is called ${key}`);
    if (m.file !== file) continue;
    const found = [...out.matchAll(new RegExp(m.find, "g"))].length;
    if (found === 1) out = out.replace(m.find, () => m.put);
    else lost.push(key);
  }
  return { text: out, lost };
}

/** Loads the controller without these checks: must come before anything that loads it otherwise. */
export function mutate(keys: readonly string[]): string[] {
  const lost: string[] = [];
  const files = new Set(keys.flatMap((k) => mutants[k]?.file ?? []));
  for (const file of files) lost.push(...mutated(readFileSync(join(dist, file), "utf8"), file, keys).lost);
  // The one place where Node turns a file's text into a module.
  const proto = Module.prototype as unknown as { _compile(text: string, name: string): unknown };
  const compile = proto._compile;
  proto._compile = function (text, name) {
    const file = relative(dist, name);
    return compile.call(this, files.has(file) ? mutated(text, file, keys).text : text, name);
  };
  return lost;
}

async function run(keys: readonly string[], stories: readonly string[], [from, to]: readonly [number, number]): Promise<MutantResult> {
  const lost = mutate(keys);
  if (lost.length > 0) return { lost, played: 0 };
  // Spec files declare their stories in passing; nobody runs them as tests here.
  Object.assign(globalThis, { describe: (_: string, body: () => void) => body() });
  const { all, Stage } = await import("./story.js");
  for (const name of ["scale-down", "false-words", "outages", "crashes", "broken-workers", "demand", "renewal", "doubt", "orphans"])
    await import(`../${name}.spec.js`);
  let played = 0;
  for (let seed = from; seed <= to; seed += 1) {
    for (const name of stories) {
      const story = all.find((s) => s.name === name);
      if (story === undefined) throw new RangeError(`no story is called ${name}`);
      played += 1;
      const stage = new Stage();
      try {
        await story.play(seed, stage);
      } catch (e) {
        const threw = stage.sim?.journal.find((j) => j.what === "pass-failed" && j.why !== "killed")?.why;
        if (threw !== undefined) return { lost, played, threw };
        return { lost, played, failed: { story: name, seed, why: e instanceof Error ? e.message.split("\n")[0]! : String(e) } };
      }
    }
  }
  return { lost, played };
}

if (require.main === module) {
  const [keys, stories, seeds] = process.argv.slice(2);
  const [from = 1, to = from] = (seeds ?? "").split("-").map(Number);
  run(
    (keys ?? "").split(",").filter((k) => k !== ""),
    (stories ?? "").split(","),
    [from, to],
  ).then(
    (result) => process.stdout.write(`${JSON.stringify(result)}\n`),
    (e: unknown) => {
      process.stderr.write(`${e instanceof Error ? e.stack : String(e)}\n`);
      process.exitCode = 1;
    },
  );
}
