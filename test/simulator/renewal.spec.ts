import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { share, story } from "./world/story";

const HOUR_SECONDS = 3_600;

describe("a rolling update in simulated grids", () => {
  const ten = (seed: number, jobs: number): GridSimulator => {
    const sim = new GridSimulator({ seed, min: 10, max: 12, scaling: { idleSeconds: 60, joinTimeoutSeconds: 120, disruptionPercent: 20 } });
    sim.populate(10);
    for (let i = 0; i < jobs; i += 1) sim.submit(1, { runsMs: 300_000 + sim.dice.next() * HOUR_SECONDS * 1_000 });
    sim.elapse(10_000);
    return sim;
  };
  const renewed = (sim: GridSimulator): number =>
    [...sim.cloud.servers.values()].filter((s) => s.version === sim.cloud.version && sim.queue.startds.has(s.id)).length;
  const working = (sim: GridSimulator): number => [...sim.queue.startds.values()].filter((d) => d.draining === undefined).length;

  story({
    name: "rolling-update",
    seeds: share(30),
    says: "renews ten workers with long jobs: a canary first, then a few at a time, and every job ends where it began",
    play: async (seed, stage) => {
      const jobs = seed % 11;
      const sim = stage.show(ten(seed, jobs));
      sim.cloud.version = 2;
      let disrupted = 0,
        beforeCanary = 0;
      sim.onPass = () => {
        // Busy old workers may all be closed to new work: only what could serve counts.
        const idleLost = [...sim.queue.startds.values()].filter(
          (d) => d.server.version === 1 && d.draining !== undefined && d.jobs.size === 0,
        ).length;
        disrupted = Math.max(disrupted, idleLost);
        if (renewed(sim) === 0)
          beforeCanary = Math.max(
            beforeCanary,
            sim.cloud.deleted + [...sim.queue.startds.values()].filter((d) => d.draining !== undefined).length,
          );
      };
      expect(
        await sim.runUntil(() => renewed(sim) === 10 && sim.members === 10, 4 * HOUR_SECONDS),
        `${renewed(sim)} of ten are new`,
      ).to.equal(true);
      expect(
        sim.queue.jobs.every((j) => j.state === "done" && j.starts === 1),
        "every job ended where it began",
      ).to.equal(true);
      expect(beforeCanary, "closed or gone before the first new one had joined").to.be.at.most(1);
      expect(disrupted, "idle ones closed at a time: 20 % of ten").to.be.at.most(2);
    },
  });

  story({
    name: "canary-does-not-join",
    seeds: share(8),
    says: "stops the renewal when the canary does not join: the old ones go on working",
    play: async (seed, stage) => {
      const sim = stage.show(ten(seed, 3));
      sim.cloud.version = 2;
      sim.cloud.boot = () => (seed % 2 === 0 ? "never-joins" : "fails");
      await sim.run(4 * HOUR_SECONDS);
      expect(working(sim), "workers in service").to.be.at.least(9);
      expect(sim.queue.jobs.every((j) => j.state !== "running" || j.starts === 1)).to.equal(true);
      sim.cloud.boot = () => "joins";
      expect(
        await sim.runUntil(() => renewed(sim) === 10 && sim.members === 10, 6 * HOUR_SECONDS),
        "and goes on when the image is mended",
      ).to.equal(true);
    },
  });

  story({
    name: "renewal-and-crashes",
    seeds: share(60),
    says: "goes on with a renewal after a crash, wherever it came",
    play: async (seed, stage) => {
      const sim = stage.show(ten(1 + (seed % 5), 4));
      sim.cloud.version = 2;
      sim.killAt = { call: sim.calls + 1 + Math.floor(seed * 7.3), after: seed % 2 === 0 };
      expect(
        await sim.runUntil(() => renewed(sim) === 10 && sim.members === 10, 4 * HOUR_SECONDS),
        `${renewed(sim)} of ten are new`,
      ).to.equal(true);
      expect(sim.queue.jobs.every((j) => j.state === "done" && j.starts === 1)).to.equal(true);
    },
  });

  story({
    name: "renewal-of-one",
    seeds: share(20),
    says: "renews a group of one, too",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 1 + (seed % 2), scaling: { idleSeconds: 60 } }));
      sim.populate(1);
      const [job] = sim.submit(1, { runsMs: 200_000 });
      sim.elapse(10_000);
      sim.cloud.version = 2;
      expect(await sim.runUntil(() => renewed(sim) === 1 && sim.members === 1, HOUR_SECONDS)).to.equal(true);
      expect([job!.state, job!.starts]).to.deep.equal(["done", 1]);
    },
  });
});
