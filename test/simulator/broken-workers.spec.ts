import { expect } from "chai";
import { GridSimulator } from "./world/grid-simulator";
import { share, story } from "./world/story";

const HOUR_SECONDS = 3_600;

describe("workers that do not work, in simulated grids", () => {
  /** Minutes at which workers were ordered. */
  const orders = (sim: GridSimulator): number[] => sim.journalOf("grow").map((e) => sim.time.minutesOf(e.at));
  /** Most creates in any stretch of so many minutes from `from` on. */
  const most = (made: readonly number[], minutes: number, from = 0): number =>
    Math.max(0, ...made.map((m) => made.filter((n) => m >= from && n >= m && n < m + minutes).length));

  for (const boot of ["never-joins", "fails"] as const) {
    story({
      name: `black-hole-${boot}`,
      seeds: share(8),
      says: `tries a broken image (${boot}) three times in ten minutes at most and once in half an hour after that`,
      play: async (seed, stage) => {
        const sim = stage.show(new GridSimulator({ seed, min: 1, max: 4, scaling: { joinTimeoutSeconds: 60 } }));
        sim.cloud.boot = () => boot;
        const made: number[] = [];
        let before = 0;
        sim.onPass = () => {
          for (; before < sim.cloud.made; before += 1) made.push(sim.time.ms / 60_000);
        };
        if (seed % 2 === 0) sim.submit(10, { runsMs: 60_000 });
        await sim.run(4 * HOUR_SECONDS);
        expect(made.filter((m) => m < 10).length, `made at ${made.map((m) => m.toFixed(1)).join(", ")} min`).to.be.at.most(3);
        expect(most(made, 29, 10), `made at ${made.map((m) => m.toFixed(1)).join(", ")} min`).to.be.at.most(1);
        expect(made.length, "but it never gives up").to.be.at.least(6);
        expect(sim.members).to.be.at.most(1);
        // The image is mended: the next try shows it, and all is well.
        sim.cloud.boot = () => "joins";
        expect(await sim.runUntil(() => sim.queue.pending === 0 && sim.queue.startds.size >= 1, HOUR_SECONDS)).to.equal(true);
      },
    });
  }

  story({
    name: "mended-by-hand",
    seeds: share(20),
    says: "tries again at once when somebody who mended it asks for workers",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 1, max: 4, scaling: { joinTimeoutSeconds: 60 } }));
      sim.cloud.boot = () => "never-joins";
      await sim.run(HOUR_SECONDS);
      const before = orders(sim).length;
      sim.cloud.boot = () => "joins";
      sim.controller.tryAgain();
      expect(await sim.runUntil(() => orders(sim).length > before, 30)).to.equal(true);
      expect(await sim.runUntil(() => sim.queue.startds.size === 1, 120)).to.equal(true);
    },
  });

  for (const boot of ["never-joins", "fails", "ends-no-job"] as const) {
    story({
      name: `last-healthy-${boot}`,
      seeds: share(24),
      says: `never gives up the last worker that works for new ones that do not (${boot})`,
      play: async (seed, stage) => {
        const sim = stage.show(new GridSimulator({ seed, min: 1, max: 3, scaling: { idleSeconds: 10, joinTimeoutSeconds: 90 } }));
        const [healthy] = sim.populate(1);
        sim.cloud.boot = () => boot;
        sim.submit(3, { runsMs: 20_000 });
        await sim.run(600);
        for (let i = 0; i < 5; i += 1) {
          if (seed % 2 === 0) sim.submit(2, { runsMs: 10_000 });
          await sim.run(400);
          expect(sim.cloud.servers.has(healthy!.id), `still there after ${(sim.time.ms / 1000).toFixed(0)} s`).to.equal(true);
        }
        expect(await sim.runUntil(() => sim.queue.pending === 0, HOUR_SECONDS), "and it does the work").to.equal(true);
      },
    });
  }

  story({
    name: "ends-no-job",
    seeds: share(6),
    says: "takes a worker that joins but ends no job for broken, and does not buy more of them without end",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 4, scaling: { idleSeconds: 60, joinTimeoutSeconds: 90 } }));
      sim.cloud.boot = () => "ends-no-job";
      sim.submit(12, { runsMs: 30_000 });
      await sim.run(4 * HOUR_SECONDS);
      expect(sim.cloud.made, "in four hours").to.be.at.most(16);
      expect(
        sim.journal.some((e) => /came back from it unfinished|ended no job/.test(e.why)),
        "it says so",
      ).to.equal(true);
      // The image is mended: a new definition, to which the bad ones are renewed.
      sim.cloud.boot = () => "joins";
      sim.cloud.version = 2;
      expect(await sim.runUntil(() => sim.queue.pending === 0, 2 * HOUR_SECONDS)).to.equal(true);
    },
  });

  story({
    name: "breaker-of-three",
    seeds: share(20),
    says: "goes on in a group of three when one boot of three fails",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 3, max: 3, scaling: { joinTimeoutSeconds: 60 } }));
      sim.cloud.boot = ({ nth }) => (nth === seed % 3 ? "never-joins" : "joins");
      expect(await sim.runUntil(() => sim.queue.startds.size === 3, 600)).to.equal(true);
      expect(sim.cloud.made).to.equal(4);
    },
  });

  story({
    name: "breaker-of-three-hundred",
    seeds: Math.min(3, share(3)),
    says: "goes on in a group of 300 when every tenth boot fails",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 300, max: 300, scaling: { joinTimeoutSeconds: 90, growStep: 50 } }));
      sim.cloud.boot = ({ nth }) => (nth % 10 === seed % 10 ? "never-joins" : "joins");
      expect(await sim.runUntil(() => sim.queue.startds.size === 300, 2_400), `${sim.queue.startds.size} of 300 have joined`).to.equal(
        true,
      );
    },
  });

  for (const failureClass of ["funds", "capacity", "quota"] as const) {
    story({
      name: `refused-${failureClass}`,
      seeds: share(4),
      says: `asks less and less often while the cloud refuses (${failureClass}), and goes on when it does not any more`,
      play: async (seed, stage) => {
        const sim = stage.show(new GridSimulator({ seed, min: 2, max: 6 }));
        sim.cloud.refusal = {
          why: failureClass === "funds" ? "HTTP 402: not enough balance" : `HTTP 409: no ${failureClass}`,
          failureClass,
        };
        sim.submit(10, { runsMs: 60_000 });
        await sim.run(24 * HOUR_SECONDS, 20_000);
        expect(sim.cloud.creates, "creates in a day").to.be.at.most(60);
        expect(sim.cloud.creates, "it never gives up").to.be.at.least(24);
        expect(sim.journal.length, "and it says so without end").to.be.below(24 * 60 * 2);
        sim.cloud.refusal = undefined;
        expect(await sim.runUntil(() => sim.queue.pending === 0, 2 * HOUR_SECONDS)).to.equal(true);
      },
    });
  }

  story({
    name: "quota-in-the-middle",
    seeds: share(20),
    says: "lives with the servers that a quota leaves it",
    play: async (seed, stage) => {
      const sim = stage.show(new GridSimulator({ seed, min: 0, max: 6, scaling: { idleSeconds: 20 } }));
      sim.cloud.quota = 2;
      sim.submit(12, { runsMs: 30_000 });
      expect(await sim.runUntil(() => sim.queue.pending === 0, 1_200)).to.equal(true);
      expect(sim.cloud.mostServers).to.equal(2);
      expect(sim.cloud.creates).to.be.at.most(20);
      expect(await sim.runUntil(() => sim.members === 0, 300)).to.equal(true);
    },
  });
});
