import { expect } from "chai";
import { CondorPool } from "../support/condor-pool";
import { needHosts } from "../support/lane";

const ROUNDS_MS = 20_000;
/** Short enough to end while its worker drains, again and again. */
const SHORT = "executable = /bin/sleep\ntransfer_executable = false\nrequest_memory = 50\n";

/**
 * Real HTCondor, one worker with two slots, and a longer time between two looks at a slot than HTCondor's own 5 s, so that the race is wide
 * enough for a job to start in it: a drain that is cancelled after its last job has ended leaves the worker without the promise that a
 * drain kills no job.
 */
describe("drain, cancel, drain", function () {
  this.timeout(120_000);
  this.bail(true);
  const pool = new CondorPool({ name: "race", workers: 1, vcpus: 2, settings: { POLLING_INTERVAL: 8 } });
  const machine = pool.machine(1);
  const promise = async (): Promise<number> => Number((await pool.onMaster("condor_status -af MaxJobRetirementTime -constraint PartitionableSlot")).trim());
  const count = async (event: number): Promise<number> => (await pool.events())[event] ?? 0;
  const job = async (seconds: number): Promise<void> => {
    const started = await count(1);
    await pool.submit(`${SHORT}arguments = ${seconds}\nqueue`);
    await pool.until("the job runs", 20, async () => (await count(1)) > started);
  };
  /** A job runs, the worker is drained, the job ends: HTCondor has not looked at the slot yet. */
  const drainToTheEndOfItsJob = async (): Promise<void> => {
    const ended = await count(5);
    await job(2);
    expect((await pool.queue.fence(machine, "drain", "elastigrid:drain")).answer).to.equal("accepted");
    await pool.until("the job ends", 20, async () => (await count(5)) > ended);
  };

  before(async function () {
    await needHosts(this);
    await pool.open();
  });
  after(() => pool.close());

  it("is refused by the worker itself where HTCondor would end the job, which a drain without our guard does", async () => {
    // A busy computer may start the job only after the race: then again.
    for (let tries = 1, answer = "accepted"; answer === "accepted" && tries <= 4; tries += 1) {
      if (tries > 1) await pool.onMaster(`condor_rm -all; condor_drain -cancel ${machine}`);
      await drainToTheEndOfItsJob();
      await pool.onMaster(`condor_drain -cancel ${machine}`); // as a controller did that knew nothing of the race
      await job(60);
      ({ answer } = await pool.queue.fence(machine, "drain", "elastigrid:drain"));
      if (tries === 4) expect(answer).to.equal("notNow");
    }
    expect(await count(4)).to.equal(0);
    expect(await promise()).to.equal(0);

    await pool.onMaster(`condor_drain -graceful ${machine}`);
    await pool.until("the job is evicted", 20, async () => (await count(4)) === 1);
    await pool.onMaster("condor_rm -all; condor_drain -cancel -reason x 2>/dev/null; true");
  });

  it("closes such a worker as soon as it is idle, and that heals it", async () => {
    await pool.onMaster(`condor_drain -cancel ${machine}`);
    await pool.until("it is idle", 20, async () => (await pool.onMaster("condor_status -af State NumDynamicSlots -constraint PartitionableSlot")).trim() === "Unclaimed 0");
    expect((await pool.queue.fence(machine, "drain", "elastigrid:drain")).answer).to.equal("accepted");
    await pool.until("the promise is back", 30, async () => (await promise()) > 0);
    expect((await pool.queue.cancelDrain(machine)).answer).to.equal("accepted");
  });

  it("does not come about when our cancel meets the end of the last job", async () => {
    await drainToTheEndOfItsJob();
    expect(await pool.queue.cancelDrain(machine)).to.deep.equal({ answer: "accepted", detail: "its last job had just ended" });
    await job(30);
    await pool.until("it may be closed with the job", 25, async () => (await pool.queue.fence(machine, "drain", "elastigrid:drain")).answer === "accepted");
    expect((await pool.queue.cancelDrain(machine)).answer).to.equal("accepted");
    expect(await count(4)).to.equal(1); // the one that was shown above
    await pool.onMaster("condor_rm -all");
  });

  it("evicts nobody in rounds of drains and cancels against short jobs", async () => {
    // The job that was removed above says goodbye in its own time, with an event that looks like an eviction.
    await pool.until("nothing is left of the job above", 30, async () => (await pool.onMaster("condor_q -allusers -af ClusterId; condor_status -af State NumDynamicSlots -constraint PartitionableSlot")).trim() === "Unclaimed 0");
    // Its end may have met HTCondor's race as well: an idle worker is healed by being closed once.
    expect((await pool.queue.fence(machine, "ifIdle", "elastigrid:scale-in")).answer).to.equal("accepted");
    await pool.until("the promise is there", 30, async () => (await promise()) > 0);
    expect((await pool.queue.cancelDrain(machine)).answer).to.equal("accepted");
    const before = await pool.events();
    const pause = (seed: number): Promise<void> => new Promise((r) => setTimeout(r, 200 + ((seed * 7919) % 1700)));
    /** Longer than a negotiation is away: the worker gets a job in most of them. */
    const rest = (seed: number): Promise<void> => new Promise((r) => setTimeout(r, 500 + ((seed * 7919) % 4000)));
    let drains = 0, cancels = 0;
    await pool.submit(`${SHORT}arguments = $(seconds)\nqueue seconds from (\n${Array.from({ length: 30 }, (_, i) => 1 + (i % 3)).join("\n")}\n)`);
    // A worker that has lost its promise refuses as long as its queue is full: then the rounds go on until that has run dry.
    for (const from = Date.now(); Date.now() < from + ROUNDS_MS || (drains < 3 && Date.now() < from + 3 * ROUNDS_MS); await rest(drains + 3)) {
      const { answer } = await pool.queue.fence(machine, "drain", "elastigrid:scale-in");
      expect(answer).to.be.oneOf(["accepted", "notNow"]);
      if (answer !== "accepted") continue;
      drains += 1;
      await pause(drains);
      expect((await pool.queue.cancelDrain(machine)).answer).to.equal("accepted");
      cancels += 1;
    }
    const now = await pool.events();
    expect(drains).to.be.greaterThan(0);
    expect(cancels).to.equal(drains);
    expect((now[1] ?? 0) - (before[1] ?? 0)).to.be.greaterThan(2);
    expect({ evicted: (now[4] ?? 0) - (before[4] ?? 0), notReconnected: now[24] ?? 0 }).to.deep.equal({ evicted: 0, notReconnected: 0 });
  });
});
