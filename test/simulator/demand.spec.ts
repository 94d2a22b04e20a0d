import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { GPU, jobKind, TOO_LARGE, UNHEARD_OF } from "./world/jobs";
import { share, story } from "./world/story";

const DAY_SECONDS = 86_400;

describe("the right number of workers, in simulated grids", () => {
  story({
    name: "eight-gpu-jobs",
    seeds: share(20),
    says: "buys nothing for eight jobs that ask for GPUs which no worker has, and serves the others",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 5, scaling: { idleSeconds: 20 } }));
      sim.submit(8, { kind: GPU });
      await sim.run(HOUR);
      expect(sim.cloud.made).to.equal(0);
      const jobs = sim.submit(6, { runsMs: 30_000 });
      sim.promises.wish = () => 5;
      expect(await sim.runUntil(() => jobs.every((j) => j.state === "done"), 600)).to.equal(true);
      expect(await sim.runUntil(() => sim.members === 0, 600), "and none stays for the GPU jobs").to.equal(true);
    },
  });

  story({
    name: "unmatchable-day",
    seeds: share(3),
    says: "tries work that no worker takes with one worker at most, for each group of it, in a whole day",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 5, scaling: { idleSeconds: 60 } }));
      sim.submit(8, { kind: GPU });
      sim.submit(5, { kind: TOO_LARGE });
      sim.submit(20, { kind: UNHEARD_OF });
      sim.submit(7, { kind: jobKind("elsewhere", { requirements: 'TARGET.Machine == "far.away"', matches: () => false }) });
      await sim.run(DAY_SECONDS, 10_000);
      expect(sim.cloud.made, "two groups may need a worker to find out").to.be.at.most(2);
      expect(sim.members, "and none is kept for them").to.equal(0);
    },
  });

  story({
    name: "refusal-is-no-contagion",
    seeds: share(40),
    says: "serves twenty ordinary jobs at once although a job of the same size was refused and removed just before",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 5, scaling: { idleSeconds: 600 } }));
      sim.populate(1);
      const [odd] = sim.submit(1, { kind: UNHEARD_OF });
      await sim.run(240);
      if (seed % 2 === 0) sim.queue.removeJob(odd!);
      const jobs = sim.submit(20, { runsMs: 60_000 });
      const from = sim.time.ms;
      expect(await sim.runUntil(() => sim.queue.startds.size === 5, 120), "five workers for them").to.equal(true);
      expect(await sim.runUntil(() => jobs.every((j) => j.state === "done"), 900)).to.equal(true);
      expect(sim.time.ms - from).to.be.below(600_000);
    },
  });

  story({
    name: "needs-no-worker",
    seeds: share(20),
    says: "buys nothing for jobs that run on the master itself",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 5 }));
      sim.submit(5, { kind: jobKind("scheduler", { needsNoWorker: true, matches: () => false }) });
      await sim.run(HOUR);
      expect(sim.cloud.made).to.equal(0);
    },
  });

  story({
    name: "concurrency-limit",
    seeds: share(40),
    says: "keeps no idle workers for jobs that wait for a limit outside",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 5, scaling: { idleSeconds: 20 } }));
      sim.queue.limits = { licence: 1 };
      const jobs = sim.submit(6, { runsMs: 100_000, kind: jobKind("licensed", { limits: { licence: 1 } }) });
      let fenced = 0;
      expect(await sim.runUntil(() => jobs.every((j) => j.state === "done"), 1_200)).to.equal(true);
      fenced = sim.journalOf("fence").length + sim.journalOf("cancel-drain").length;
      expect(sim.cloud.made, "one licence, one worker").to.be.at.most(2);
      expect(fenced, "and it is not fenced and taken back all the time").to.be.at.most(2);
    },
  });

  story({
    name: "oscillating",
    seeds: share(8),
    says: "answers a load that comes and goes with at most one pair of adding and removing for each worker and cooldown",
    play: async (seed, stage) => {
      const cooldownSeconds = 300,
        max = 4;
      const sim = stage.show(
        new GridSimulator({ seed, min: 0, max, alarms: seed % 2 === 0, scaling: { idleSeconds: 30, cooldownSeconds } }),
      );
      const periodSeconds = 40 + 20 * (seed % 10);
      let onTime = true;
      for (let t = 0; t < 4 * HOUR; t += periodSeconds) {
        const jobs = sim.submit(4, { runsMs: 10_000 });
        await sim.run(periodSeconds);
        onTime &&= t === 0 || jobs.every((j) => j.state === "done" || periodSeconds < 150);
      }
      expect(sim.cloud.deleted, "removals in four hours").to.be.at.most(max * Math.ceil((4 * HOUR) / cooldownSeconds));
      expect(onTime, "the work is done meanwhile").to.equal(true);
      // Nobody goes within a cooldown of the last change of size.
      const changes = sim.journal
        .filter((e) => ["grow", "fence"].includes(e.what))
        .map((e) => ({ what: e.what, minute: sim.time.minutesOf(e.at) }));
      changes.forEach((c, i) => {
        const grown = changes
          .slice(0, i)
          .reverse()
          .find((x) => x.what === "grow");
        if (c.what === "fence" && grown !== undefined)
          expect((c.minute - grown.minute) * 60, "from growing to shrinking").to.be.at.least(cooldownSeconds - 1);
      });
    },
  });

  story({
    name: "many-alike",
    seeds: share(6),
    says: "serves 2 000 short jobs with eight workers, and makes no ninth",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 8, vcpus: 2, scaling: { idleSeconds: 30 } }));
      sim.submit(2_000, { runsMs: 6_000 });
      sim.promises.wish = () => 8;
      expect(await sim.runUntil(() => sim.queue.pending === 0, 3_000)).to.equal(true);
      expect(await sim.runUntil(() => sim.members === 0, 300)).to.equal(true);
      expect(sim.cloud.made, "no needless change").to.equal(8);
    },
  });

  story({
    name: "converges",
    seeds: share(200),
    says: "serves whatever comes, in the end has the minimum again, and has lost no server",
    play: async (seed, stage) => {
      const { dice } = new GridSimulator({ seed: seed * 31 });
      const min = dice.below(3),
        max = min + 1 + dice.below(6);
      const sim = stage.show(
        new GridSimulator({
          seed,
          min,
          max,
          vcpus: 1 + dice.below(4),
          submitChance: dice.next() * 0.2,
          scaling: { idleSeconds: 10 + dice.below(60), cooldownSeconds: dice.below(60) },
        }),
      );
      sim.submit(dice.below(20), { runsMs: 10_000 + dice.next() * 100_000 });
      sim.submit(dice.below(4), { kind: jobKind("large", { cpus: 2 }), runsMs: 30_000 });
      await sim.run(300);
      sim.arrivals = false;
      const canRun = (): boolean =>
        sim.queue.jobs.every((j) => j.state === "done" || (j.kind.key === "large" && sim.config.workers.vcpus < 2));
      expect(await sim.runUntil(canRun, 1_800), "the queue is served").to.equal(true);
      expect(
        await sim.runUntil(() => sim.members === min && sim.queue.startds.size === min, 900),
        `${sim.members} servers, ${sim.queue.startds.size} in the pool, of ${min}`,
      ).to.equal(true);
      expect(sim.cloud.made - sim.cloud.deleted, "every server is accounted for").to.equal(min);
    },
  });
});

const HOUR = 3_600;
