import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { Dice } from "./world/random";
import { share, story } from "./world/story";

describe("a simulated group of Heat", () => {
  let removed = 0,
    native = 0;
  story({
    name: "heat",
    seeds: share(300),
    says: "loses no job and keeps its size although Heat grows by itself at times and answers get lost",
    play: async (seed, stage) => {
      const dice = new Dice(seed * 104_729);
      const to = dice.below(4),
        nativeGrowth = seed % 3 === 0 ? 0.01 : 0,
        ambiguousChance = seed % 4 === 0 ? 0.3 : 0;
      const sim = stage.show(
        new GridSimulator({
          seed,
          submitChance: dice.next() * 0.05,
          jobMs: [500, 1_000 + dice.next() * 40_000],
          heat: { nativeGrowth, ambiguousChance },
          min: to,
          max: 8,
          vcpus: 1 + dice.below(3),
          scaling: { idleSeconds: 5 },
        }),
      );
      sim.submit(4 + dice.below(12));
      await sim.run(180);
      sim.arrivals = false;
      const says = (): string => sim.heat?.log.join("; ") ?? "";
      expect(await sim.runUntil(() => sim.queue.pending === 0, 900), says()).to.equal(true);
      expect(await sim.runUntil(() => sim.members === to, 900), says()).to.equal(true);
      removed += sim.cloud.deleted;
      if (nativeGrowth > 0) native += 1;
    },
    after: () => {
      expect(removed).to.be.above(share(300));
      expect(native).to.be.above(0);
    },
  });

  story({
    // A seed is every third call, before or after.
    name: "heat-every-call",
    seeds: share(200),
    says: "converges whatever call the controller is killed before or after",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed: 1, min: 1, max: 4, heat: { nativeGrowth: 0 }, scaling: { idleSeconds: 10 } }));
      sim.killAt = { call: seed * 3, after: seed % 2 === 0 };
      sim.submit(6, { runsMs: 12_000 });
      expect(await sim.runUntil(() => sim.queue.pending === 0, 900)).to.equal(true);
      expect(await sim.runUntil(() => sim.members === 1 && sim.queue.startds.size === 1, 900)).to.equal(true);
      expect(sim.queue.jobs.every((j) => j.starts === 1)).to.equal(true);
    },
  });

  story({
    name: "heat-check-failed",
    seeds: share(100),
    says: "loses no running job to a stack check that failed",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, heat: { nativeGrowth: 0 }, min: 1, max: 6, scaling: { idleSeconds: 5 } }));
      sim.submit(6, { runsMs: 60_000 });
      await sim.runUntil(() => sim.queue.startds.size >= 4 && sim.heat?.status === "UPDATE_COMPLETE", 300);
      const members = sim.heat?.members ?? [];
      for (const m of members.filter((_, i) => i % 2 === 0)) sim.heat?.checkFails(m);
      expect(await sim.runUntil(() => sim.queue.pending === 0, 900), sim.heat?.log.join("; ")).to.equal(true);
    },
  });
});
