import { AssertionError } from "chai";
import type { GridSimulator } from "./grid-simulator";

const only = process.env["ELASTIGRID_STORY"];
const seedWanted = process.env["ELASTIGRID_SEED"];
/** Random worlds of the large stories; the others take their share of it. */
export const SIMULATIONS = Number(process.env["ELASTIGRID_SIMULATIONS"] ?? 10_000);
/** So many of a story's worlds as the whole lane is scaled to, at least a few. */
export const share = (of: number): number => Math.max(3, Math.round((of * SIMULATIONS) / 10_000));

/** One story, played in worlds of many seeds. */
export interface Story {
  /** For the line that replays it: letters, digits and dashes. */
  readonly name: string;
  readonly says: string;
  /** @default 1 */
  readonly seeds?: number;
  /** Returns the world, so that its last words can be told when something fails. Throws what was not as promised. */
  readonly play: (seed: number, stage: Stage) => Promise<void>;
  /** After the last seed, not in a replay: what must have happened for the story to mean something. */
  readonly after?: () => void;
}

/** Where a story puts its world, to be seen when it fails. */
export class Stage {
  sim: GridSimulator | undefined;

  show(sim: GridSimulator): GridSimulator {
    this.sim = sim;
    return sim;
  }
}

export const playAll = async (s: Story): Promise<void> => {
  const seeds =
    seedWanted === undefined || seedWanted === "" ? Array.from({ length: s.seeds ?? 1 }, (_, i) => i + 1) : [Number(seedWanted)];
  for (const seed of seeds) {
    const stage = new Stage();
    try {
      await s.play(seed, stage);
    } catch (e) {
      throw new AssertionError(failure(s.name, seed, e, stage.sim));
    }
  }
  if (seedWanted === undefined || seedWanted === "") s.after?.();
};

function failure(name: string, seed: number, e: unknown, sim: GridSimulator | undefined): string {
  const what = e instanceof Error ? e.message : String(e);
  const where = e instanceof Error && e.name === "TypeError" ? `\n${e.stack}` : "";
  const journal = (sim?.journal ?? [])
    .slice(-Number(process.env["ELASTIGRID_JOURNAL"] ?? 12))
    .map((j) => `    ${j.at.slice(11, 23)} ${j.what}${j.worker === undefined ? "" : ` ${j.worker}`}: ${j.why}`);
  const replay = `to replay: ELASTIGRID_SEED=${seed} ELASTIGRID_STORY=${name} npm test -- simulator`;
  return `${what}${where}\n  ${replay}\n  the journal's end:\n${journal.join("\n")}`;
}

/** One story is wanted: all else is left out. */
export const isReplay = only !== undefined && only !== "";

/** Declares a story as a test; in a replay all others are left out. */
export function story(s: Story): void {
  all.push(s);
  if (typeof it === "undefined" || (isReplay && only !== s.name)) return;
  it(s.says, function () {
    this.timeout(600_000);
    return playAll(s);
  });
}

/** Every story that has been declared: mutants are shown some of them. */
export const all: Story[] = [];
