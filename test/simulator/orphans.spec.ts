import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { killStartd } from "./world/startd-deaths";
import { share, story, type Stage } from "./world/story";

/** From a startd's end until its jobs are back in the queue: 13 s until the next one, 15 s and two looks to be sure, 11 s for a try. */
const BACK_MS = 60_000;
let orphaned = 0;

interface Ads {
  readonly late?: number;
  readonly lost?: number;
  /** @default every startd is killed now and then */
  readonly kills?: boolean;
}

/** Startds are killed at random under their jobs. The last question before a claim is given up does not help: what is asked for is done. */
async function play(seed: number, stage: Stage, { late = 0, lost = 0, kills = true }: Ads): Promise<GridSimulator> {
  const sim = stage.show(
    new GridSimulator({
      seed,
      min: 2,
      max: 6,
      vcpus: 2,
      submitChance: 0.02,
      jobMs: [60_000, 600_000],
      callMs: 200,
      scaling: { idleSeconds: 30 },
    }),
  );
  const { queue, time, dice } = sim;
  queue.asksAgain = false;
  queue.lateAdChance = late;
  queue.lostAdChance = lost;
  sim.populate(4);
  sim.submit(8);
  const since = new Map<number, number>();
  sim.onPass = () => {
    for (const j of queue.jobs) {
      if (j.state !== "stranded") since.delete(j.id);
      else if (!since.has(j.id)) {
        since.set(j.id, time.ms);
        orphaned += 1;
      } else if (lost === 0 && late === 0)
        expect(time.ms - since.get(j.id)!, `job ${j.id} ran on a startd that has ended`).to.be.below(BACK_MS);
    }
  };
  for (let i = 0; i < 12; i += 1) {
    await sim.run(dice.between(70, 150)); // one that is killed again at once takes longer
    const ids = [...queue.startds.keys()];
    if (kills && ids.length > 0) killStartd(queue, time, dice, dice.one(ids));
  }
  sim.arrivals = false;
  expect(await sim.runUntil(() => queue.pending === 0, 5_000), "all jobs end").to.equal(true);
  expect(queue.losses.filter((l) => l.why !== "startd"), "and none is taken from a startd that lives").to.deep.equal([]);
  return sim;
}

describe("startds that end under their jobs in simulated grids", () => {
  story({
    name: "startds-killed",
    seeds: share(100),
    says: "lets jobs of a startd that has ended start anew within a minute, and no job with a live claim",
    play: async (seed, stage) => {
      const sim = await play(seed, stage, {});
      expect(sim.journalOf("release").every((e) => /of a startd that has ended starts? anew$/.test(e.why))).to.equal(true);
    },
    after: () => expect(orphaned, "jobs were orphaned").to.be.above(0),
  });

  story({
    name: "late-ads",
    seeds: share(100),
    says: "believes no single ad that makes a startd seem younger than its jobs",
    play: async (seed, stage) => void (await play(seed, stage, { late: 0.3 })),
  });

  story({
    name: "late-ads-and-lost-ones",
    seeds: share(100),
    says: "believes no such ad either when it stays for long because the next ones are lost",
    play: async (seed, stage) => {
      const sim = await play(seed, stage, { late: 0.2, lost: 0.5, kills: false });
      expect(sim.journalOf("release")).to.deep.equal([]);
    },
  });

  story({
    name: "clock-jumps-over-jobs",
    seeds: share(60),
    says: "leaves running jobs alone when the master's clock jumps, because their claims are asked about first, and does not ask for ever",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 4, scaling: { idleSeconds: 30 } }));
      sim.populate(4);
      const jobs = sim.submit(4, { runsMs: 1_500_000 });
      sim.elapse(10_000);
      await sim.run(30);
      sim.time.jump(seed % 2 === 0 ? 3_600_000 : -3_600_000);
      const calls = sim.calls, passes = sim.passes;
      expect(await sim.runUntil(() => sim.queue.pending === 0, 3_000)).to.equal(true);
      expect(jobs.map((j) => j.starts)).to.deep.equal([1, 1, 1, 1]);
      expect(sim.journalOf("release")).to.deep.equal([]);
      expect(sim.calls - calls, "each machine five times at most, beside what the passes ask").to.be.below(3 * (sim.passes - passes) + 60);
    },
  });
});
