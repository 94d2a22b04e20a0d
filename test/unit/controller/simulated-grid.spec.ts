import { expect } from "chai";
import { GridSimulator, seeded } from "../../support/grid-simulator";

const RUNS = Number(process.env["ELASTIGRID_SIMULATIONS"] ?? 1_000);

describe("the controller on a simulated grid", () => {
  it(`evicts no job in ${RUNS} randomized scale-downs with jobs arriving at every step`, async function () {
    this.timeout(120_000);
    let removed = 0, refused = 0;
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const dice = seeded(seed * 7919);
      const have = 1 + Math.floor(dice() * 8), to = Math.floor(dice() * have), manual = dice() < 0.6;
      const sim = new GridSimulator({ seed, submitChance: dice() * 0.3, jobMs: [500, 1_000 + dice() * 40_000], config: { min: manual ? 0 : to, max: 8, vcpus: 1 + Math.floor(dice() * 3), idleSeconds: 5 } });
      sim.populate(have);
      sim.submit(Math.floor(dice() * 6));
      sim.elapse(dice() * 25_000);
      if (manual) sim.override = { size: to, drains: [] };
      await sim.runUntil(() => sim.members <= to, 180);
      removed += sim.deleted;
      refused += sim.journal.filter((e) => e.what === "fence-refused").length;
      expect(sim.evicted, `seed ${seed}`).to.equal(0);
      expect(sim.mostServers, `seed ${seed}`).to.be.at.most(8);
      if (manual) expect(sim.members, `seed ${seed}`).to.equal(to);
    }
    expect(removed).to.be.above(RUNS);
    expect(refused, "the race that the fence is there for must have happened").to.be.above(10);
  });

  const story = async (sim: GridSimulator): Promise<boolean> => {
    sim.submit(6, 12_000);
    const grown = await sim.runUntil(() => sim.pending === 0, 900);
    return (await sim.runUntil(() => sim.members === 1 && sim.startds.size === 1, 900)) && grown;
  };
  const options = (seed: number) => ({ seed, listLagMs: 3_000, config: { min: 1, max: 4, idleSeconds: 10 } });

  it("converges, whatever call it is killed before or after", async function () {
    this.timeout(120_000);
    const whole = new GridSimulator(options(1));
    expect(await story(whole)).to.equal(true);
    for (let call = 1; call <= whole.calls; call += 1) {
      for (const after of [false, true]) {
        const sim = new GridSimulator(options(1));
        sim.killAt = { call, after };
        const says = `killed ${after ? "after" : "before"} call ${call} of ${whole.calls}`;
        expect(await story(sim), says).to.equal(true);
        expect(sim.evicted, says).to.equal(0);
        expect(sim.mostServers, says).to.be.at.most(4);
        expect(sim.jobs.every((j) => j.done && j.starts === 1), says).to.equal(true);
      }
    }
  });

  it("makes nothing twice when the cloud's answers to creates get lost", async function () {
    this.timeout(60_000);
    for (let seed = 1; seed <= 100; seed += 1) {
      const sim = new GridSimulator({ ...options(seed), ambiguousChance: 0.5 });
      expect(await story(sim), `seed ${seed}`).to.equal(true);
      expect(sim.mostServers, `seed ${seed}`).to.be.at.most(4);
      expect(sim.evicted, `seed ${seed}`).to.equal(0);
    }
  });

  it("takes nothing away while the queue does not answer for 24 hours, whatever was going on", async function () {
    this.timeout(60_000);
    for (let seed = 1; seed <= 8; seed += 1) {
      const sim = new GridSimulator({ seed, config: { min: 1, max: 6, idleSeconds: 5 } });
      sim.populate(5);
      sim.submit(2, 90_000_000);
      sim.elapse(5_000);
      sim.override = { size: seed % 2 === 0 ? 1 : undefined, drains: [] };
      for (let i = 0; i < seed; i += 1) { await sim.controller.pass(); sim.elapse(1_000); }
      const before = sim.members, gone = sim.deleted, removing = sim.controller.latest!.workers.filter((w) => w.phase === "removing").length;
      sim.queueDown = true;
      const until = sim.nowMs + 86_400_000;
      while (sim.nowMs < until) { await sim.controller.pass(); sim.elapse(60_000); }
      expect(sim.deleted - gone, `seed ${seed}`).to.be.at.most(removing);
      expect(sim.members).to.be.at.least(before - removing);
      expect(sim.evicted).to.equal(0);
      expect(sim.journal.filter((e) => e.what === "hold").length, "says so, but not every pass").to.be.below(40);
    }
  });

  it("does nothing while the cloud does not answer", async () => {
    const sim = new GridSimulator({ seed: 3, config: { min: 1, max: 6, idleSeconds: 5 } });
    sim.populate(4);
    sim.cloudDown = true;
    sim.submit(20, 1_000);
    await sim.runUntil(() => false, 3_600);
    expect([sim.members, sim.deleted]).to.deep.equal([4, 0]);
  });

  it("is not misled by one answer without any machine", async () => {
    const sim = new GridSimulator({ seed: 4, config: { min: 0, max: 4, idleSeconds: 600 } });
    sim.populate(3);
    sim.submit(3, 300_000);
    await sim.runUntil(() => false, 10);
    sim.hideAds = 3;
    await sim.runUntil(() => false, 120);
    expect([sim.members, sim.deleted, sim.evicted, sim.mostServers]).to.deep.equal([3, 0, 0, 3]);
  });

  it("replaces workers that never join, and stops hammering after three", async () => {
    const sim = new GridSimulator({ seed: 5, blackHole: true, config: { min: 1, max: 4, joinTimeoutSeconds: 60 } });
    await sim.runUntil(() => false, 3 * 3_600);
    const grows = sim.journal.filter((e) => e.what === "grow").map((e) => (Date.parse(e.at) - 1_000_000_000_000) / 60_000);
    expect(grows.filter((m) => m < 10).length).to.be.at.most(3);
    expect(grows.length).to.be.within(6, 9);
    expect(sim.members).to.be.at.most(1);
  });

  it("tries again at once when somebody who mended it asks for workers", async () => {
    const sim = new GridSimulator({ seed: 5, blackHole: true, config: { min: 1, max: 4, joinTimeoutSeconds: 60 } });
    expect(await sim.runUntil(() => sim.journal.some((e) => /3 workers in a row/.test(e.why)), 3_600)).to.equal(true);
    const before = sim.journal.filter((e) => e.what === "grow").length;
    sim.controller.tryAgain();
    expect(await sim.runUntil(() => sim.journal.filter((e) => e.what === "grow").length > before, 30)).to.equal(true);
  });

  it("replaces a worker that was switched off, and its job runs again", async () => {
    const sim = new GridSimulator({ seed: 6, config: { min: 2, max: 4, idleSeconds: 600 } });
    sim.populate(2);
    await sim.runUntil(() => false, 10);
    const first = [...sim.servers.keys()][0]!;
    sim.crash(first);
    expect(await sim.runUntil(() => sim.startds.size === 2 && !sim.servers.has(first), 300)).to.equal(true);
  });

  it("drains the one worker that the operator names, and lets its job end there", async () => {
    const sim = new GridSimulator({ seed: 7, config: { min: 1, max: 4, idleSeconds: 600 } });
    sim.populate(2);
    sim.submit(2, 60_000);
    sim.elapse(5_000);
    const worker = sim.jobs[0]!.on!;
    sim.override = { drains: [{ worker, now: false }] };
    expect(await sim.runUntil(() => !sim.servers.has(worker) && sim.override.drains.length === 0, 300)).to.equal(true);
    expect([sim.evicted, sim.jobs[0]!.starts, sim.override.drains.length]).to.deep.equal([0, 1, 0]);
  });

  it("ends the jobs of a worker that has to go at once before it pulls the plug, also where it drains already", async () => {
    const sim = new GridSimulator({ seed: 7, config: { min: 1, max: 4, idleSeconds: 600 } });
    sim.populate(2);
    sim.submit(2, 60_000);
    sim.elapse(5_000);
    const worker = sim.jobs[0]!.on!;
    sim.override = { drains: [{ worker, now: false }] };
    await sim.runUntil(() => false, 10);
    sim.override = { drains: [{ worker, now: true }] };
    expect(await sim.runUntil(() => !sim.servers.has(worker), 60)).to.equal(true);
    const done = sim.journal.map((e) => e.what).filter((w) => ["drain", "evict", "remove", "gone"].includes(w));
    expect(done).to.deep.equal(["drain", "evict", "remove", "gone"]);
    expect(await sim.runUntil(() => sim.jobs.every((j) => j.done), 300)).to.equal(true);
  });

  it("follows a removal until the pool has verified it, and says so", async () => {
    const sim = new GridSimulator({ seed: 9, config: { min: 1, max: 4, idleSeconds: 5 } });
    sim.populate(3);
    await sim.runUntil(() => sim.members === 1, 120);
    await sim.runUntil(() => sim.controller.latest?.workers.length === 1, 30);
    expect(sim.journal.filter((e) => e.what === "gone")).to.have.length(2);
  });

  it("takes a worker back into service instead of making a new one", async () => {
    const sim = new GridSimulator({ seed: 8, config: { min: 1, max: 4 } });
    sim.populate(2);
    sim.submit(2, 120_000);
    sim.elapse(5_000);
    sim.override = { size: 1, drains: [] };
    await sim.runUntil(() => sim.journal.some((e) => e.what === "drain"), 30);
    sim.override = { size: 2, drains: [] };
    await sim.runUntil(() => sim.journal.some((e) => e.what === "cancel-drain"), 30);
    await sim.runUntil(() => false, 20);
    expect([sim.mostServers, sim.deleted, sim.journal.filter((e) => e.what === "grow").length]).to.deep.equal([2, 0, 0]);
  });

  it("does the same with a group of Heat, which grows by itself at times and loses answers", async function () {
    this.timeout(120_000);
    let removed = 0, native = 0;
    for (let seed = 1; seed <= Math.max(60, RUNS / 10); seed += 1) {
      const dice = seeded(seed * 104_729);
      const to = Math.floor(dice() * 4), nativeGrowth = seed % 3 === 0 ? 0.01 : 0, ambiguousChance = seed % 4 === 0 ? 0.3 : 0;
      const sim = new GridSimulator({
        seed, submitChance: dice() * 0.05, jobMs: [500, 1_000 + dice() * 40_000], heat: { nativeGrowth }, ambiguousChance,
        config: { min: to, max: 8, vcpus: 1 + Math.floor(dice() * 3), idleSeconds: 5 },
      });
      sim.submit(4 + Math.floor(dice() * 12));
      await sim.runUntil(() => false, 180);
      sim.arrivals = false;
      const says = `seed ${seed}: ${sim.heat?.log.join("; ")}`;
      expect(await sim.runUntil(() => sim.jobs.every((j) => j.done), 900), says).to.equal(true);
      expect(await sim.runUntil(() => sim.members === to, 900), says).to.equal(true);
      expect(sim.evicted, says).to.equal(0);
      expect(sim.mostServers, says).to.be.at.most(8);
      removed += sim.deleted;
      if (nativeGrowth > 0) native += 1;
    }
    expect(removed).to.be.above(100);
    expect(native).to.be.above(10);
  });

  it("converges with a group of Heat, whatever call it is killed before or after", async function () {
    this.timeout(120_000);
    const heat = { heat: { nativeGrowth: 0 } };
    const whole = new GridSimulator({ ...options(1), ...heat });
    expect(await story(whole)).to.equal(true);
    // Most calls are looks, and there are many: every third one, and those around.
    for (let call = 1; call <= Math.min(whole.calls, 600); call += 3) {
      const after = call % 2 === 0;
      const sim = new GridSimulator({ ...options(1), ...heat });
      sim.killAt = { call, after };
      const says = `killed ${after ? "after" : "before"} call ${call} of ${whole.calls}`;
      expect(await story(sim), says).to.equal(true);
      expect(sim.evicted, says).to.equal(0);
      expect(sim.mostServers, says).to.be.at.most(4);
      expect(sim.jobs.every((j) => j.done && j.starts === 1), says).to.equal(true);
    }
  });

  it("loses no running job to a group of Heat whose check failed", async function () {
    this.timeout(60_000);
    for (let seed = 1; seed <= 40; seed += 1) {
      const sim = new GridSimulator({ seed, heat: { nativeGrowth: 0 }, config: { min: 1, max: 6, idleSeconds: 5, vcpus: 1 } });
      sim.submit(6, 60_000);
      await sim.runUntil(() => sim.startds.size >= 4 && sim.heat?.status === "UPDATE_COMPLETE", 300);
      const members = sim.heat?.members ?? [];
      for (const m of members.filter((_, i) => i % 2 === 0)) sim.heat?.checkFails(m);
      expect(await sim.runUntil(() => sim.pending === 0, 900), `seed ${seed}`).to.equal(true);
      expect(sim.evicted, `seed ${seed}: ${sim.heat?.log.join("; ")}`).to.equal(0);
    }
  });
});
