import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { share, story } from "./world/story";

describe("two controllers at once, where the lock is ignored", () => {
  story({
    name: "two-controllers",
    seeds: share(100),
    says: "kill no job between them, and make no more than the maximum and what the other ordered within the lag of the cloud's list",
    play: async (seed, stage) => {
      const growStep = 2;
      const sim = stage.show(
        new GridSimulator({ seed, min: 1, max: 6, submitChance: 0.1, jobMs: [2_000, 40_000], scaling: { idleSeconds: 10, growStep } }),
      );
      // Each counts what it sees; what the other ordered while the cloud's list lags (3 s, in which there are two passes) nobody can see.
      sim.promises.slack = 2 * growStep;
      // Who has a token only the one with the enrolment port knows; the other may give a worker up in the very moment in which it joins.
      sim.promises.newcomerMs = 5_000;
      sim.populate(2);
      sim.startSecond();
      for (let i = 0; i < 6; i += 1) {
        sim.override = i % 2 === 0 ? { drains: [] } : { size: sim.dice.below(6), drains: [] };
        await sim.run(60);
      }
      sim.arrivals = false;
      sim.override = { drains: [] };
      expect(await sim.runUntil(() => sim.queue.pending === 0, 900)).to.equal(true);
      expect(await sim.runUntil(() => sim.members === 1, 900), `${sim.members} servers`).to.equal(true);
    },
  });
});
