import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { WORDS } from "./world/lies";
import { share, story, type Stage } from "./world/story";

describe("false words of the cloud about busy workers", () => {
  /** Three busy workers, one of which is spoken ill of; nothing must happen to its job. */
  const busy = async (seed: number, stage: Stage): Promise<GridSimulator> => {
    const sim = stage.show(new GridSimulator({ seed, min: 1, max: 4, scaling: { idleSeconds: 5 } }));
    sim.populate(3);
    sim.submit(3, { runsMs: 1_500_000 });
    sim.elapse(10_000);
    await sim.run(20);
    expect(sim.queue.jobs.every((j) => j.state === "running")).to.equal(true);
    // A word is no wish: no substitute, no duplicate.
    sim.promises.wish = () => 4;
    return sim;
  };
  const unharmed = async (sim: GridSimulator, seconds: number): Promise<void> => {
    await sim.run(seconds);
    expect(
      sim.queue.jobs.map((j) => [j.state, j.starts]),
      "every job runs where it began",
    ).to.deep.equal([
      ["running", 1],
      ["running", 1],
      ["running", 1],
    ]);
    expect(sim.cloud.deleted, "and no worker has gone").to.equal(0);
    expect(await sim.runUntil(() => sim.members === 1 && sim.queue.pending === 0, 2_400), "afterwards all goes on").to.equal(true);
  };

  const BY = { list: "by the list", single: "by its own answer", both: "by the list and by its own answer" } as const;
  for (const word of WORDS) {
    for (const where of ["list", "single", "both"] as const) {
      story({
        name: `one-${word}-${where}`,
        seeds: share(20),
        says: `does nothing to a worker that is called ${word} once (${BY[where]})`,
        play: async (seed, stage) => {
          const sim = await busy(seed, stage);
          const id = sim.queue.jobs[seed % 3]!.on!.id;
          sim.cloud.lies.say(id, word, { reads: where === "both" ? 2 : 1, where });
          // Its own answer is asked for only when something is amiss.
          if (where === "single") sim.cloud.lies.say(id, "stopped", { reads: 1, where: "list" });
          await unharmed(sim, 120);
        },
      });
    }
    story({
      name: `ten-${word}`,
      seeds: share(20),
      says: `does nothing to a worker that is called ${word} in ten answers, as long as its daemon is heard`,
      play: async (seed, stage) => {
        const sim = await busy(seed, stage);
        sim.cloud.lies.say(sim.queue.jobs[seed % 3]!.on!.id, word, { reads: 10 });
        await unharmed(sim, 180);
      },
    });
    story({
      name: `lasting-${word}`,
      seeds: share(20),
      says: `does nothing to a worker that is called ${word} for ten minutes, as long as its daemon is heard`,
      play: async (seed, stage) => {
        const sim = await busy(seed, stage);
        sim.cloud.lies.say(sim.queue.jobs[seed % 3]!.on!.id, word, { forMs: 600_000 });
        await unharmed(sim, 660);
      },
    });
  }

  story({
    name: "false-word-behind-collector",
    seeds: share(60),
    says: "does nothing to busy workers of which one is called stopped just when the collector has forgotten them all",
    play: async (seed, stage) => {
      const sim = await busy(seed, stage);
      sim.queue.restartCollector(15_000);
      sim.cloud.lies.say(sim.queue.jobs[seed % 3]!.on!.id, "stopped", { forMs: 20_000 });
      await unharmed(sim, 120);
    },
  });

  story({
    name: "idle-called-stopped",
    seeds: share(60),
    says: "does nothing to an idle worker of the minimum that is called stopped now and then, though jobs come and go",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 3, max: 3, submitChance: 0.1, jobMs: [500, 8_000] }));
      const servers = sim.populate(3);
      for (let i = 0; i < 10; i += 1) {
        sim.cloud.lies.say(servers[i % 3]!.id, i % 2 === 0 ? "stopped" : "failed", { reads: 3 });
        await sim.run(40);
      }
      expect([sim.cloud.deleted, sim.cloud.mostServers]).to.deep.equal([0, 3]);
    },
  });

  story({
    name: "three-empty-lists",
    seeds: share(60),
    says: "makes no server and takes none away on three empty lists, whether it has just started or not",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 2, max: 2 }));
      sim.populate(2);
      sim.submit(2, { runsMs: 600_000 });
      if (seed % 2 === 0) await sim.run(30);
      sim.promises.wish = () => 2;
      sim.cloud.lies.emptyLists = 3;
      await sim.run(180);
      expect([sim.members, sim.cloud.made, sim.cloud.deleted]).to.deep.equal([2, 2, 0]);
    },
  });

  story({
    name: "really-dead",
    seeds: share(60),
    says: "believes that a worker is dead when everybody says so, gets its job run elsewhere before the lease ends, and replaces it",
    play: async (seed, stage) => {
      const sim = await busy(seed, stage);
      const job = sim.queue.jobs[seed % 3]!,
        id = job.on!.id,
        from = sim.time.ms;
      sim.promises.wish = undefined;
      sim.cloud.crash(id);
      expect(await sim.runUntil(() => job.state === "running" && job.starts === 2, 900), "the job runs again").to.equal(true);
      expect(sim.time.ms - from).to.be.below(290_000);
      expect(await sim.runUntil(() => !sim.cloud.servers.has(id), 300), "the dead one is gone").to.equal(true);
    },
  });
});
