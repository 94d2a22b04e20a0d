import { expect } from "chai";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { AtMost } from "../../controller/at-most";
import { mutated, type MutantResult } from "./world/mutant-run";
import { mutants } from "./world/mutants";
import { isReplay } from "./world/story";

const dist = resolve(__dirname, "..", "..");
const FOLDERS = ["controller", "components/policy"];
const SEEDS = 60;
const LIMIT_MS = 300_000;

interface Played {
  readonly result: MutantResult;
  /** The command that plays it again. */
  readonly again: string;
}

/** The mutant, and then the same without the mutation: all its worlds where other checks are missing, else the one that killed it. */
async function tried(key: string): Promise<{ readonly mutant: Played; readonly base: Played | undefined }> {
  const { without = [], stories, seeds = SEEDS } = mutants[key]!;
  const mutant = await play([...without, key], stories, `1-${seeds}`);
  const { failed } = mutant.result;
  if (failed === undefined) return { mutant, base: undefined };
  return {
    mutant,
    base: await (without.length > 0 ? play(without, stories, `1-${seeds}`) : play([], [failed.story], `${failed.seed}-${failed.seed}`)),
  };
}

/** Plays the mutant's stories without these checks, in a process of its own: what is compiled on disk stays as it is. */
async function play(without: readonly string[], stories: readonly string[], seeds: string): Promise<Played> {
  const argv = [join(dist, "test", "simulator", "world", "mutant-run.js"), without.join(","), stories.join(","), seeds];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { timeout: LIMIT_MS, maxBuffer: 1 << 20 });
  return {
    result: JSON.parse(stdout) as MutantResult,
    again: `node dist/test/simulator/world/mutant-run.js ${argv
      .slice(1)
      .map((a) => `'${a}'`)
      .join(" ")}`,
  };
}

if (!isReplay) {
  describe("a controller without one of its checks", function () {
    this.timeout(LIMIT_MS * 2);

    it("has a mutant for each check that its files call a guard, and finds the text of each mutant once", () => {
      const marked = FOLDERS.flatMap((folder) =>
        readdirSync(join(dist, folder))
          .filter((f) => f.endsWith(".js"))
          .flatMap((f) => {
            const file = `${folder}/${f}`;
            return [...readFileSync(join(dist, file), "utf8").matchAll(/\/\/ guard: (.+)$/gm)].map((m) => `${file}: ${m[1]!.trim()}`);
          }),
      );
      const covered = Object.values(mutants).flatMap((m) => (m.guard === undefined ? [] : [`${m.file}: ${m.guard}`]));
      expect(covered.sort()).to.deep.equal(marked.sort());
      for (const [key, m] of Object.entries(mutants))
        expect(mutated(readFileSync(join(dist, m.file), "utf8"), m.file, [key]).lost, key).to.deep.equal([]);
    });

    // Two at a time from the start; each test waits for its own.
    const places = new AtMost(2);
    const runs = new Map<string, ReturnType<typeof tried>>();
    before(() => {
      for (const key of Object.keys(mutants)) {
        const run = places.run(() => tried(key));
        run.catch(() => undefined); // told by its own test
        runs.set(key, run);
      }
    });

    for (const [key, m] of Object.entries(mutants)) {
      it(`breaks a promise: ${key}${m.guard === undefined ? "" : ` (${m.guard})`}`, async () => {
        const { base, mutant } = await runs.get(key)!;
        expect(mutant.result.lost).to.deep.equal([]);
        expect(mutant.result.threw, mutant.again).to.equal(undefined);
        expect(mutant.result.failed, `lived through ${mutant.result.played} worlds: ${mutant.again}`).to.not.equal(undefined);
        expect(base?.result.failed, `with the check the promise must hold: ${base?.again}`).to.equal(undefined);
        expect(base?.result.lost).to.deep.equal([]);
      });
    }
  });
}
