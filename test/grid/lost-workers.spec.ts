import { expect } from "chai";
import { CondorPool } from "../support/condor-pool";
import { noHosts } from "../support/lane";

/**
 * Longer than the 25 s after which the master gives up a silent connection, and it begins with the job: 8 s after its start the job's
 * starter tells how far it is, and waits for an answer. ELASTIGRID_LONG=1 cuts nearly as long as a job may go on without its master.
 */
const CUT_SECONDS = process.env["ELASTIGRID_LONG"] === "1" ? 180 : 45;
/** A connection with something under way is given up after 100 s; the rest are pauses between tries, and a loaded computer. */
const BACK_SECONDS = 150;
const EVENTS = { started: 1, evicted: 4, ended: 5, disconnected: 22, reconnected: 23, notReconnected: 24 } as const;

const JOB = "executable = /bin/sleep\ntransfer_executable = false\nrequest_memory = 50\n";

/** Real HTCondor, three workers of one slot: what becomes of the jobs of a worker that died, and of one that was only away. */
describe("lost workers", function () {
  this.timeout((CUT_SECONDS + BACK_SECONDS + 60) * 1000);
  this.bail(true);
  const pool = new CondorPool({ name: "lost", workers: 3, vcpus: 1 });
  const count = async (event: keyof typeof EVENTS): Promise<number> => (await pool.events())[EVENTS[event]] ?? 0;
  const hostOf = async (job: number): Promise<string> => (await pool.onMaster(`condor_q ${job} -af RemoteHost`)).trim().replace(/^.*@/, "");
  const startOf = async (job: number): Promise<string> => (await pool.onMaster(`condor_q ${job} -af JobCurrentStartDate RemoteHost`)).trim();
  const start = async (): Promise<{ job: number; worker: number }> => {
    const before = await count("started");
    const job = await pool.submit(`${JOB}arguments = 900\nqueue`);
    await pool.until("the job runs", 30, async () => (await count("started")) > before);
    const host = await hostOf(job);
    return { job, worker: [1, 2, 3].find((n) => pool.machine(n) === host) ?? 0 };
  };

  before(async function () {
    const reason = await noHosts();
    if (reason !== undefined) {
      console.log(`    skipped: ${reason}`);
      this.skip();
    }
    await pool.open();
  });
  after(() => pool.close());

  it("lets the job of a machine that is gone start elsewhere at once, and touches no other", async () => {
    const neighbour = await start();
    const lost = await start();
    const neighbours = await startOf(neighbour.job);
    await pool.unplug(lost.worker);
    expect(await pool.queue.gone(pool.machine(lost.worker))).to.deep.equal({ known: true, value: 1 });
    // Its lease would hold it for 20 minutes.
    await pool.until("the job runs elsewhere", 90, async () => ![pool.machine(lost.worker), "undefined"].includes(await hostOf(lost.job)));
    expect(await startOf(neighbour.job)).to.equal(neighbours);
    expect((await pool.onMaster("condor_status -af Machine")).includes(pool.machine(lost.worker))).to.equal(false);
    const seen = await pool.queue.occupancy([1, 2, 3].map((n) => pool.machine(n)));
    expect(seen.known && [...seen.value.values()].map((o) => [o.hasAd, o.jobs]).sort()).to.deep.equal([[false, 0], [true, 1], [true, 1]]);
    await pool.onMaster(`condor_rm ${lost.job}`);

    const stays = await pool.queue.gone(pool.machine(neighbour.worker));
    expect(stays.known, "a live machine, wrongly called gone").to.equal(false);
    expect(await startOf(neighbour.job)).to.equal(neighbours);
    await pool.onMaster(`condor_rm ${neighbour.job}`);
  });

  it("keeps the job of a worker that was cut off and comes back", async () => {
    const { job, worker } = await start();
    const began = await startOf(job);
    const evicted = await count("evicted");
    await pool.cut(worker, CUT_SECONDS);
    await pool.until("the master gives the connection up", CUT_SECONDS, async () => (await count("disconnected")) > 0);
    await pool.until("the job is reconnected", CUT_SECONDS + BACK_SECONDS, async () => (await count("reconnected")) > 0);
    expect(await startOf(job)).to.equal(began);
    expect([await count("evicted"), await count("notReconnected")]).to.deep.equal([evicted, 0]);
    await pool.onMaster(`condor_rm ${job}`);
  });
});
