import { expect } from "chai";
import { explore, type Model, type Step } from "./explorer";

/** Two philosophers and two forks, as small as a world can be that gets stuck: each is 0 (thinks), 1 (has the first fork) or 2 (eats). */
function table(sameOrder: boolean): Model<readonly [number, number]> {
  const firstOf = (who: number): number => (sameOrder ? 0 : who);
  const holder = (s: readonly [number, number], fork: number): boolean =>
    [0, 1].some((who) => s[who]! === 2 || (s[who]! === 1 && firstOf(who) === fork));
  return {
    initial: [0, 0],
    steps: (s) => [0, 1].flatMap((who): Step<readonly [number, number]>[] => {
      const to = (n: number): readonly [number, number] => (who === 0 ? [n, s[1]] : [s[0], n]);
      if (s[who] === 2) return [{ label: `${who} puts both down`, kind: "fair", next: to(0) }];
      const fork = s[who] === 0 ? firstOf(who) : 1 - firstOf(who);
      return holder(s, fork) ? [] : [{ label: `${who} takes fork ${fork}`, kind: "fair", next: to(s[who]! + 1) }];
    }),
    key: (s) => s.join(),
    broken: (s) => (s[0] === 2 && s[1] === 2 ? "both eat" : undefined),
    isGood: (s) => s[0] === 2,
    show: (s) => s.join(" and "),
  };
}

/** A counter that a fault may double. */
const counter = (limit: number): Model<number> => ({
  initial: 1,
  steps: async (n) => (n > 40 ? [] : [{ label: "+1", kind: "fair", next: n + 1 }, { label: "*2", kind: "fault", next: n * 2 }]),
  key: String,
  broken: (n) => (n >= limit ? `reached ${limit}` : undefined),
});

describe("the explorer", () => {
  it("finds where a world gets stuck, and how", async () => {
    const v = await explore(table(false));
    expect(v.stuck?.story).to.deep.equal([" 1. 0 takes fork 0", " 2. 1 takes fork 1", "    now: 1 and 1"]);
  });

  it("finds nothing where forks are taken in one order", async () => {
    const v = await explore(table(true));
    expect(v).to.deep.equal({ states: 5, steps: 6, depth: 2, complete: true });
  });

  it("tells the shortest story of a broken promise, and waits for steps that take time", async () => {
    const v = await explore(counter(16));
    expect(v.broken?.promise).to.equal("reached 16");
    expect(v.broken?.story).to.have.length(4);
    expect(v.complete).to.equal(false);
  });

  it("does not count on faults to come back to good", async () => {
    const good = { ...counter(1_000), isGood: (n: number) => n === 80 };
    expect((await explore(good)).stuck?.story).to.deep.equal([]);
  });

  it("ends with an error where the world is larger than was meant", async () => {
    const endless: Model<number> = { initial: 0, steps: (n) => [{ label: "+1", kind: "fair", next: n + 1 }], key: String, broken: () => undefined };
    const error = await explore(endless, { mostStates: 1_000 }).then(() => undefined, (e: unknown) => String(e));
    expect(error).to.match(/more than 1000 states/);
  });
});
