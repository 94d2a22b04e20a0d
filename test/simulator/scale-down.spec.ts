import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { Dice } from "./world/random";
import { share, SIMULATIONS, story } from "./world/story";
import { trouble } from "./world/trouble";

describe("scaling down in simulated grids", () => {
  let removed = 0,
    refused = 0,
    lies = 0,
    cuts = 0;
  story({
    name: "scale-down",
    seeds: SIMULATIONS,
    says: `evicts no job in ${SIMULATIONS} random scale-downs with jobs arriving at every step and every kind of wrong answer in the mix`,
    play: async (seed, stage) => {
      const dice = new Dice(seed * 7919);
      const have = 1 + dice.below(8),
        to = dice.below(have),
        manual = dice.chance(0.6);
      const sim = stage.show(
        new GridSimulator({
          seed,
          submitChance: dice.next() * 0.3,
          jobMs: [500, 1_000 + dice.next() * 40_000],
          min: manual ? 0 : to,
          max: 8,
          vcpus: 1 + dice.below(3),
          scaling: { idleSeconds: 5 },
        }),
      );
      sim.populate(have);
      const ends = dice.chance(0.7) ? trouble(sim, dice) : undefined;
      sim.submit(dice.below(6));
      sim.elapse(dice.next() * 25_000);
      if (manual) sim.override = { size: to, drains: [] };
      await sim.runUntil(() => sim.members <= to, 120);
      ends?.();
      if (!manual) sim.arrivals = false;
      // A worker that was cut off is given up only when its jobs have been.
      const arrived = await sim.runUntil(() => sim.members === to, 3_000);
      removed += sim.cloud.deleted;
      refused += sim.journalOf("fence-refused").length;
      lies += sim.cloud.lies.told;
      cuts += sim.lost("lease");
      expect(arrived, `${sim.members} of ${to} workers`).to.equal(true);
    },
    after: () => {
      expect(removed).to.be.above(SIMULATIONS);
      expect(refused, "the race that the fence is there for must have happened").to.be.above(SIMULATIONS / 100);
      expect(lies, "the cloud must have said what is not so").to.be.above(SIMULATIONS);
      expect(cuts, "some workers must have been away for longer than a lease").to.be.above(SIMULATIONS / 1_000);
    },
  });

  story({
    name: "up-and-down",
    seeds: share(300),
    says: "follows the operator's sizes up and down with short jobs about, and evicts none",
    play: async (seed, stage) => {
      const dice = new Dice(seed * 15_485_863);
      const sim = stage.show(
        new GridSimulator({ seed, submitChance: 0.2, jobMs: [300, 3_000], min: 0, max: 7, scaling: { idleSeconds: 5 } }),
      );
      sim.populate(1);
      let size = 1;
      sim.promises.wish = () => Math.max(size, 7);
      for (let i = 0; i < 12; i += 1) {
        size = dice.below(8);
        sim.override = { size, drains: [] };
        await sim.run(dice.between(2, 25));
      }
      sim.arrivals = false;
      expect(await sim.runUntil(() => sim.members === size, 300), `${sim.members} of ${size}`).to.equal(true);
    },
  });

  story({
    name: "taken-back",
    seeds: share(100),
    says: "takes a worker back into service instead of making a new one",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 4 }));
      sim.populate(2);
      sim.submit(2, { runsMs: 120_000 });
      sim.elapse(8_000);
      sim.override = { size: 1, drains: [] };
      expect(await sim.runUntil(() => sim.journalOf("drain").length > 0, 60)).to.equal(true);
      sim.override = { size: 2, drains: [] };
      expect(await sim.runUntil(() => sim.journalOf("cancel-drain").length > 0, 60)).to.equal(true);
      await sim.run(20);
      expect([sim.cloud.mostServers, sim.cloud.deleted, sim.journalOf("grow").length]).to.deep.equal([2, 0, 0]);
    },
  });

  story({
    name: "operator-drain",
    seeds: share(100),
    says: "drains the one worker that the operator names, and lets its job end there",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 4, scaling: { idleSeconds: 600 } }));
      sim.populate(2);
      const [job] = sim.submit(2, { runsMs: 60_000 });
      sim.elapse(8_000);
      const worker = job!.on!.id;
      sim.drain(worker, false);
      expect(await sim.runUntil(() => !sim.cloud.servers.has(worker) && sim.override.drains.length === 0, 300)).to.equal(true);
      expect([job!.starts, job!.state]).to.deep.equal([1, "done"]);
    },
  });

  story({
    name: "operator-now",
    seeds: share(100),
    says: "ends the jobs of a worker that has to go at once before it pulls the plug, also where it drains already",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 4, scaling: { idleSeconds: 600 } }));
      sim.populate(2);
      const jobs = sim.submit(2, { runsMs: 60_000 });
      sim.elapse(8_000);
      const worker = jobs[0]!.on!.id;
      sim.drain(worker, false);
      await sim.run(10);
      sim.drain(worker, true);
      expect(await sim.runUntil(() => !sim.cloud.servers.has(worker) && sim.override.drains.length === 0, 90)).to.equal(true);
      const done = sim.journal.map((e) => e.what).filter((w) => ["drain", "evict", "remove", "gone"].includes(w));
      expect(done).to.deep.equal(["drain", "evict", "remove", "gone"]);
      expect(await sim.runUntil(() => sim.queue.pending === 0, 300)).to.equal(true);
      expect(jobs[1]!.starts, "the other worker's job").to.equal(1);
    },
  });

  story({
    name: "verified-gone",
    seeds: share(100),
    says: "follows a removal until the cloud has verified it, and says so",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 4, scaling: { idleSeconds: 5 } }));
      sim.populate(3);
      expect(await sim.runUntil(() => sim.members === 1, 120)).to.equal(true);
      expect(await sim.runUntil(() => sim.controller.latest?.workers.length === 1, 60)).to.equal(true);
      expect(sim.journalOf("gone")).to.have.length(2);
    },
  });
});
