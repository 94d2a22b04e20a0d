import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { share, story } from "./world/story";

const DAY_SECONDS = 86_400;

describe("outages in simulated grids", () => {
  story({
    name: "day-without-queue",
    seeds: share(20),
    says: "takes nothing away and makes nothing twice while the queue does not answer for 24 hours, whatever was going on",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 6, scaling: { idleSeconds: 5 } }));
      sim.populate(5);
      sim.submit(2, { runsMs: 90_000_000 });
      sim.elapse(5_000);
      if (seed % 2 === 0) sim.override = { size: 1, drains: [] };
      for (let i = 0; i < seed % 12; i += 1) {
        await sim.pass();
        sim.elapse(1_000);
      }
      const gone = sim.cloud.deleted,
        removing = (sim.controller.latest?.workers ?? []).filter((w) => w.phase === "removing").length,
        made = sim.cloud.made;
      const lines = sim.journal.length;
      sim.queue.down = true;
      if (seed % 5 === 0) sim.restart();
      await sim.run(DAY_SECONDS, 60_000);
      expect(sim.cloud.deleted - gone, "only what had begun goes on").to.be.at.most(removing);
      expect(sim.cloud.made).to.equal(made);
      expect(sim.journal.length - lines, "says so, but not every pass").to.be.below(60);
      sim.queue.down = false;
      expect(await sim.runUntil(() => sim.members === 2, 600), "and goes on afterwards").to.equal(true);
    },
  });

  story({
    name: "day-without-cloud",
    seeds: share(20),
    says: "takes nothing away and makes nothing twice while the cloud does not answer for 24 hours, and then does what is due",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 6, scaling: { idleSeconds: 5 } }));
      sim.populate(4);
      sim.submit(seed % 20, { runsMs: 400_000 });
      for (let i = 0; i < seed % 7; i += 1) await sim.pass();
      sim.elapse(10_000);
      const there = sim.members,
        { asked, made } = sim.cloud,
        deleted = sim.cloud.deleted;
      sim.cloud.reachable = false;
      if (seed % 5 === 0) sim.restart();
      sim.submit(4, { runsMs: 400_000 });
      await sim.run(DAY_SECONDS, 60_000);
      // What the cloud had accepted before, it does.
      expect([sim.cloud.asked, sim.cloud.made], "nobody is asked for a server").to.deep.equal([asked, made]);
      expect(sim.cloud.deleted - deleted).to.be.at.most(there - sim.members);
      sim.cloud.reachable = true;
      expect(await sim.runUntil(() => sim.queue.pending === 0 && sim.members === 1, 3_000)).to.equal(true);
    },
  });

  story({
    name: "cloud-lost-while-draining",
    seeds: share(60),
    says: "begins no removal while the cloud does not answer, though workers have just been drained",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 6, scaling: { idleSeconds: 5 } }));
      sim.populate(4);
      // Until now nobody says what runs there, so a drained one is not removed at once.
      sim.queue.silentChance = 1;
      expect(await sim.runUntil(() => sim.controller.latest?.workers.some((w) => w.phase === "drained") ?? false, 120)).to.equal(true);
      sim.queue.silentChance = 0;
      sim.cloud.reachable = false;
      await sim.run(600);
      sim.cloud.reachable = true;
      expect(await sim.runUntil(() => sim.members === 1, 120)).to.equal(true);
    },
  });

  story({
    name: "m9-collector-unreachable",
    seeds: share(60),
    says: "keeps a busy worker when the collector becomes unreachable (peers M9: deleted after 35 s)",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 3, scaling: { idleSeconds: 5 } }));
      sim.populate(1);
      const [job] = sim.submit(1, { runsMs: 1_200_000 });
      sim.elapse(10_000);
      await sim.run(15);
      sim.queue.down = true;
      await sim.run(600);
      sim.queue.down = false;
      sim.queue.restartCollector(20_000);
      await sim.run(120);
      expect([sim.cloud.deleted, sim.cloud.made, job!.state, job!.starts]).to.deep.equal([0, 1, "running", 1]);
    },
  });

  story({
    name: "m10-restart-without-queue",
    seeds: share(20),
    says: "keeps five workers when it is restarted while the queue does not answer (peers M10: all terminated at 600 s)",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 5, scaling: { idleSeconds: 5 } }));
      sim.populate(5);
      sim.submit(5, { runsMs: 10_000_000 });
      sim.elapse(10_000);
      sim.queue.down = true;
      sim.restart();
      await sim.run(7_200, 5_000);
      expect([sim.members, sim.cloud.deleted, sim.cloud.made]).to.deep.equal([5, 0, 5]);
    },
  });

  story({
    name: "m11-ad-missing-once",
    seeds: share(60),
    says: "keeps workers whose ads are missing from a few successful answers (peers M11: stopped at once)",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 4, scaling: { idleSeconds: 600 } }));
      sim.populate(3);
      sim.submit(3, { runsMs: 400_000 });
      sim.elapse(10_000);
      await sim.run(10);
      sim.queue.hideAds = 1 + (seed % 5);
      sim.promises.wish = () => 3;
      await sim.run(120);
      expect([sim.members, sim.cloud.deleted, sim.cloud.mostServers]).to.deep.equal([3, 0, 3]);
    },
  });

  story({
    name: "m12-never-joins",
    seeds: share(20),
    says: "finds a worker that runs but never joins, without any demand, and does not leave it there for ever (peers M12: leaks)",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 3, scaling: { joinTimeoutSeconds: 120 } }));
      sim.cloud.boot = () => "never-joins";
      const s = sim.cloud.make("sim-worker-0", undefined, { copying: false, listedFromMs: 0 });
      sim.cloud.powerOn(s);
      expect(await sim.runUntil(() => sim.members === 0, 900)).to.equal(true);
      await sim.run(DAY_SECONDS / 8, 20_000);
      expect([sim.members, sim.cloud.made]).to.deep.equal([0, 1]);
      expect(
        sim.journal.some((e) => /did not join/.test(e.why)),
        "and says why it went",
      ).to.equal(true);
    },
  });

  story({
    name: "schedd-restart",
    seeds: share(60),
    says: "does nothing while the schedd restarts, and the queue is served afterwards",
    play: async (seed, stage) => {
      const sim = stage.show(
        new GridSimulator({ seed, min: 0, max: 4, submitChance: 0.1, jobMs: [5_000, 60_000], scaling: { idleSeconds: 10 } }),
      );
      sim.populate(3);
      sim.submit(5);
      for (let i = 0; i < 4; i += 1) {
        await sim.run(60);
        sim.queue.restartSchedd(sim.dice.between(5_000, 120_000));
        if (i % 2 === 0) sim.queue.restartCollector(10_000);
      }
      sim.arrivals = false;
      expect(await sim.runUntil(() => sim.queue.pending === 0 && sim.members === 0, 2_000)).to.equal(true);
      expect(sim.queue.jobs.every((j) => j.starts === 1)).to.equal(true);
    },
  });

  story({
    name: "cut-off-and-healed",
    seeds: share(100),
    says: "waits for a worker that is cut off for less than its job's lease: its ad vanishes, the job runs on and ends there",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 2, max: 4, scaling: { idleSeconds: 10 } }));
      sim.populate(2);
      const jobs = sim.submit(2, { runsMs: 400_000 });
      sim.elapse(10_000);
      await sim.run(20);
      const both = [...sim.cloud.servers.keys()];
      sim.queue.cutOff(jobs[0]!.on!.id, sim.dice.between(95_000, 285_000));
      if (seed % 3 === 0) sim.cloud.lies.say(jobs[0]!.on!.id, "stopped", { reads: 3 });
      expect(await sim.runUntil(() => sim.queue.pending === 0, 900)).to.equal(true);
      expect(jobs.map((j) => j.starts)).to.deep.equal([1, 1]);
      // A substitute may have come meanwhile, and gone.
      expect(both.filter((id) => !sim.cloud.servers.has(id))).to.deep.equal([]);
    },
  });

  for (const [name, byMs] of [
    ["back", -3_600_000],
    ["forth", 3_600_000],
  ] as const) {
    story({
      name: `clock-${name}`,
      seeds: share(60),
      says: `is as quick as ever after the wall clock went ${name} by an hour: idle workers go in their time, and work gets its own`,
      play: async (seed, stage) => {
        const sim = stage.show(
          new GridSimulator({ seed, min: 0, max: 4, scaling: { idleSeconds: 300, cooldownSeconds: 60, joinTimeoutSeconds: 120 } }),
        );
        sim.populate(3);
        sim.submit(3, { runsMs: 20_000 });
        expect(await sim.runUntil(() => sim.queue.pending === 0, 120)).to.equal(true);
        const from = sim.time.ms;
        await sim.run(seed % 100);
        sim.time.jump(byMs);
        await sim.run(200 - (seed % 100));
        expect(sim.cloud.deleted, "idle for less than its time").to.equal(0);
        expect(await sim.runUntil(() => sim.members === 0, 300)).to.equal(true);
        expect(sim.time.ms - from).to.be.within(290_000, 420_000);
        sim.submit(4, { runsMs: 20_000 });
        expect(await sim.runUntil(() => sim.queue.pending === 0, 240), "and grows at once").to.equal(true);
      },
    });
  }

  story({
    name: "clock-jumps-while-booting",
    seeds: share(60),
    says: "gives workers that boot their time, whatever the wall clock does meanwhile",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 4, scaling: { joinTimeoutSeconds: 120, idleSeconds: 600 } }));
      sim.submit(4, { runsMs: 60_000 });
      for (let i = 0; i < 6; i += 1) {
        await sim.run(4);
        sim.time.jump(i % 2 === 0 ? 3_600_000 : -3_600_000);
      }
      expect(await sim.runUntil(() => sim.queue.pending === 0, 300)).to.equal(true);
      expect([sim.cloud.made, sim.cloud.deleted]).to.deep.equal([4, 0]);
    },
  });

  story({
    name: "switched-off",
    seeds: share(60),
    says: "replaces a worker that stopped by itself, and the pool is whole again",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 2, max: 4, scaling: { idleSeconds: 600 } }));
      const [first] = sim.populate(2);
      await sim.run(10);
      sim.cloud.crash(first!.id);
      expect(await sim.runUntil(() => sim.queue.startds.size === 2 && !sim.cloud.servers.has(first!.id), 600)).to.equal(true);
    },
  });
});
