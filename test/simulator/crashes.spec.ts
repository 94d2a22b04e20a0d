import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { share, story } from "./world/story";

/** What the one before us ordered may not be listed yet, and a list is not believed at once: so long a new controller may only look on. */
const SETTLED_PASSES = 2;

describe("a controller that is killed at every call", () => {
  const options = (seed: number) => ({ seed, min: 1, max: 4, scaling: { idleSeconds: 10 } });
  const growAndShrink = async (sim: GridSimulator): Promise<void> => {
    sim.submit(6, { runsMs: 12_000 });
    expect(await sim.runUntil(() => sim.queue.pending === 0, 900), "the queue is served").to.equal(true);
    expect(await sim.runUntil(() => sim.members === 1 && sim.queue.startds.size === 1, 900), "and the group is small again").to.equal(true);
    expect(
      sim.queue.jobs.every((j) => j.starts === 1),
      "each job was started once",
    ).to.equal(true);
  };

  for (const [name, ambiguousChance, listLagMs, meanwhile] of [
    ["every-call", 0, 3_000, ""],
    ["every-call-lost-answers", 0.3, 3_000, ", while answers get lost"],
    ["every-call-late-lists", 0, 15_000, ", while new servers are listed late"],
  ] as const) {
    let calls = Number.POSITIVE_INFINITY,
      died = 0;
    story({
      // A seed is a call and a side of it: even ones die after the effect.
      name,
      seeds: share(500),
      says: `converges whatever call of a wave of work it is killed before or after${meanwhile}`,
      play: async (seed, stage) => {
        const call = Math.ceil(seed / 2);
        const sim = stage.show(new GridSimulator(options(1)));
        sim.cloud.ambiguousChance = ambiguousChance;
        sim.cloud.listLagMs = listLagMs;
        sim.populate(1);
        sim.killAt = { call, after: seed % 2 === 0 };
        let dies = false;
        sim.onPass = () => {
          dies ||= sim.killed;
        };
        await growAndShrink(sim);
        if (dies) died += 1;
        else calls = Math.min(calls, sim.calls); // the whole wave, without a death
      },
      after: () => expect(died, "deaths, two for each call of the wave").to.be.at.least(Math.min(share(500), 2 * (calls - 1))),
    });
  }

  let deaths = 0;
  story({
    name: "day-of-crashes",
    seeds: share(40),
    says: "converges within two passes of its next life whatever call of a day it is killed at, and the day's work is done",
    play: async (seed, stage) => {
      // One world is a day in which it dies at every 40th call; the worlds together leave no call out.
      const every = 40;
      const sim = stage.show(
        new GridSimulator({
          seed: 1 + (seed % 3),
          min: 1,
          max: 6,
          callMs: 300,
          scaling: { intervalSeconds: 60, idleSeconds: 300, cooldownSeconds: 60, growStep: 3 },
        }),
      );
      sim.populate(1);
      let since = 0;
      sim.killAt = { call: (seed % every) + 1, after: seed % 2 === 0 };
      sim.onPass = () => {
        if (!sim.killed) {
          since += 1;
          if (since === SETTLED_PASSES) knowsAll(sim);
          return;
        }
        since = 0;
        deaths += 1;
        sim.killAt = { call: sim.calls + every, after: deaths % 2 === 0 };
      };
      for (let hour = 0; hour < 24; hour += 1) {
        const work = [0, 0, 1, 0, 0, 2, 5, 9, 12, 8, 4, 6, 10, 3, 2, 7, 4, 1, 0, 0, 3, 0, 0, 0][hour]!;
        if (work > 0) sim.submit(work, { runsMs: 240_000 });
        await sim.run(3_600);
      }
      sim.killAt = undefined;
      expect(sim.queue.pending).to.equal(0);
      expect(sim.queue.jobs.filter((j) => j.starts !== 1).map((j) => j.id)).to.deep.equal([]);
      expect(await sim.runUntil(() => sim.members === 1, 1_800)).to.equal(true);
      expect(sim.cloud.deleted, "the group shrank after its waves of work").to.be.above(4);
    },
    after: () => expect(deaths).to.be.above(share(40) * 20),
  });

  /** A new life knows every server that there is, and nothing else. */
  const knowsAll = (sim: GridSimulator): void => {
    const listed = [...sim.cloud.servers.values()]
      .filter((s) => s.listedFromMs < sim.time.ms - 5_000)
      .map((s) => s.id)
      .sort();
    const seen = new Set((sim.controller.latest?.workers ?? []).map((w) => w.id));
    expect(
      listed.filter((id) => !seen.has(id)),
      "servers that the new controller does not know",
    ).to.deep.equal([]);
  };

  story({
    name: "lost-answers",
    seeds: share(300),
    says: "makes nothing twice when the cloud's answers to creates and removals get lost",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator(options(seed)));
      sim.populate(1);
      sim.cloud.ambiguousChance = 0.5;
      sim.promises.wish = () => 4;
      await growAndShrink(sim);
    },
  });

  story({
    name: "slow-clones",
    seeds: share(60),
    says: "waits for disks that take minutes to copy, without making more",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 4, scaling: { idleSeconds: 30, joinTimeoutSeconds: 120 } }));
      sim.cloud.copyMs = [60_000, 900_000];
      sim.submit(3, { runsMs: 20_000 });
      sim.promises.wish = () => 3;
      expect(await sim.runUntil(() => sim.queue.pending === 0, 2_400)).to.equal(true);
      expect(sim.cloud.made).to.equal(3);
      expect(await sim.runUntil(() => sim.members === 0, 1_200)).to.equal(true);
    },
  });
});
