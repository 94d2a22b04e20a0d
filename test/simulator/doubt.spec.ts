import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { share, story, type Stage } from "./world/story";

/** Two witnesses at once that are silent or wrong, or a word that lasts: what one guard alone must hold. */
/** Longest that one call takes, with what passes before and after its effect. */
const CALL_MS = 1_200;

describe("doubt in simulated grids", () => {
  const busy = (seed: number, stage: Stage, jobMs = 250_000): GridSimulator => {
    const sim = stage.show(new GridSimulator({ seed, min: 3, max: 4, scaling: { idleSeconds: 5, joinTimeoutSeconds: 60 } }));
    sim.populate(3);
    sim.submit(3, { runsMs: jobMs });
    sim.elapse(10_000);
    return sim;
  };
  const served = async (sim: GridSimulator): Promise<void> => {
    expect(await sim.runUntil(() => sim.queue.pending === 0, 1_500), "the queue is served").to.equal(true);
    expect(await sim.runUntil(() => sim.members === 3, 600)).to.equal(true);
  };

  story({
    name: "cut-off-and-called-off",
    seeds: share(100),
    says: "leaves a worker that is cut off to its job although the cloud's list says for minutes that it is off",
    play: async (seed, stage) => {
      const sim = busy(seed, stage);
      const id = sim.queue.jobs[seed % 3]!.on!.id;
      sim.cloud.lies.say(id, seed % 2 === 0 ? "stopped" : "failed", { forMs: 400_000, where: "list" });
      sim.queue.cutOff(id, sim.dice.between(150_000, 280_000));
      await served(sim);
      expect(sim.queue.jobs.every((j) => j.starts === 1)).to.equal(true);
    },
  });

  story({
    name: "cut-off-and-queue-slow",
    seeds: share(100),
    says: "leaves a worker that is cut off to its job although HTCondor does not always say what runs there",
    play: async (seed, stage) => {
      const sim = busy(seed, stage);
      sim.queue.silentChance = 0.5;
      sim.queue.cutOff(sim.queue.jobs[seed % 3]!.on!.id, sim.dice.between(150_000, 280_000));
      await served(sim);
      expect(sim.queue.jobs.every((j) => j.starts === 1)).to.equal(true);
    },
  });

  story({
    name: "no-ads-for-minutes",
    seeds: share(60),
    says: "leaves all workers to their jobs although the collector shows none of them for minutes",
    play: async (seed, stage) => {
      const sim = busy(seed, stage);
      const first = [...sim.cloud.servers.keys()];
      await sim.run(10);
      sim.queue.restartCollector(150_000);
      await sim.run(170);
      expect(first.filter((id) => !sim.cloud.servers.has(id))).to.deep.equal([]);
      expect(sim.queue.jobs.every((j) => j.starts === 1)).to.equal(true);
      await served(sim);
    },
  });

  story({
    name: "no-substitute-for-a-word",
    seeds: share(60),
    says: "makes no substitute for workers of which the cloud says for ten minutes what is not so",
    play: async (seed, stage) => {
      const sim = busy(seed, stage, 100_000);
      sim.promises.wish = () => 3;
      for (const s of sim.cloud.servers.values()) sim.cloud.lies.say(s.id, sim.dice.one(["stopped", "failed", "gone"]), { forMs: 600_000 });
      await sim.run(660);
      expect([sim.cloud.deleted, sim.cloud.made]).to.deep.equal([0, 3]);
    },
  });

  story({
    name: "wakes-up-blind",
    seeds: share(100),
    says: "makes nothing when its first lists are empty just after the collector was restarted",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 3, max: 3 }));
      sim.populate(3);
      sim.queue.restartCollector(10_000);
      sim.cloud.lies.emptyLists = 1 + (seed % 2);
      await sim.run(60);
      expect([sim.cloud.made, sim.cloud.deleted]).to.deep.equal([3, 0]);
    },
  });

  story({
    name: "put-back-by-hand",
    seeds: share(120),
    says: "lets a worker be that somebody puts back into service in the moment before it is removed",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 4, submitChance: 0.2, jobMs: [5_000, 20_000] }));
      sim.populate(4);
      sim.queue.putBackChance = 0.5;
      sim.override = { size: 1, drains: [] };
      await sim.run(200);
      sim.queue.putBackChance = 0;
      sim.arrivals = false;
      sim.override = { drains: [] };
      expect(await sim.runUntil(() => sim.queue.pending === 0 && sim.members === 1, 900)).to.equal(true);
    },
  });

  story({
    name: "accepted-and-not-begun",
    seeds: share(120),
    says: "gives a removal up that the cloud has accepted and not begun when the worker got a job meanwhile",
    play: async (seed, stage) => {
      const sim = stage.show(
        new GridSimulator({ seed, min: 1, max: 4, submitChance: 0.1, jobMs: [10_000, 40_000], scaling: { idleSeconds: 5 } }),
      );
      sim.populate(4);
      sim.cloud.idleChance = 0.8;
      sim.override = { size: 1, drains: [] };
      for (let i = 0; i < 20; i += 1) {
        await sim.run(10);
        for (const w of sim.controller.latest?.workers ?? []) {
          const waits = w.phase === "removing" && sim.cloud.servers.get(w.id)?.status === "running" && sim.dice.chance(0.3);
          if (!waits) continue;
          // By hand, and a while before the controller's next look.
          sim.queue.putBack(w.id);
          sim.elapse(12_000);
        }
      }
      sim.cloud.idleChance = 0;
      sim.arrivals = false;
      sim.override = { drains: [] };
      expect(await sim.runUntil(() => sim.queue.pending === 0 && sim.members === 1, 900)).to.equal(true);
    },
  });

  story({
    name: "half-lists",
    seeds: share(100),
    says: "makes nothing and takes nothing away while the cloud says itself that its list is not the whole",
    play: async (seed, stage) => {
      const sim = busy(seed, stage, 60_000);
      if (seed % 2 === 0) sim.restart();
      sim.promises.wish = () => 3;
      sim.cloud.lies.listChance = 1;
      sim.cloud.lies.kinds = ["partial"];
      await sim.run(300);
      expect([sim.cloud.made, sim.cloud.deleted]).to.deep.equal([3, 0]);
    },
  });

  story({
    name: "heals-at-the-last-moment",
    seeds: share(400),
    says: "keeps a worker that is heard again, and gets a job, before it is given up: up to the call in which it goes",
    play: async (seed, stage) => {
      const sim = stage.show(
        new GridSimulator({ seed, min: 4, max: 4, submitChance: 0.25, jobMs: [5_000, 20_000], scaling: { joinTimeoutSeconds: 60 } }),
      );
      // Whose ad comes back between the last question and the cloud's answer, nobody can have heard of.
      sim.promises.newcomerMs = CALL_MS;
      sim.populate(4);
      await sim.run(10);
      // Its ad lives a minute, and for a minute more it is waited for.
      sim.queue.cutOff([...sim.queue.startds.keys()][seed % 4]!, sim.dice.between(116_000, 128_000));
      await sim.run(180);
      sim.arrivals = false;
      expect(await sim.runUntil(() => sim.queue.pending === 0 && sim.members === 4, 900)).to.equal(true);
    },
  });

  story({
    name: "joins-at-the-last-moment",
    seeds: share(200),
    says: "keeps a worker that joins and gets a job in the moment in which it was to be given up",
    play: async (seed, stage) => {
      const sim = stage.show(
        new GridSimulator({
          seed,
          min: 0,
          max: 6,
          submitChance: 0.04,
          jobMs: [10_000, 40_000],
          scaling: { idleSeconds: 5, joinTimeoutSeconds: 60 },
        }),
      );
      for (let i = 0; i < 8; i += 1) {
        sim.submit(4);
        await sim.run(sim.dice.between(5, 25));
        sim.override = { size: sim.dice.below(3), drains: [] };
        await sim.run(sim.dice.between(2, 12));
        sim.override = { drains: [] };
      }
      sim.arrivals = false;
      expect(await sim.runUntil(() => sim.queue.pending === 0 && sim.members === 0, 900)).to.equal(true);
    },
  });
});
