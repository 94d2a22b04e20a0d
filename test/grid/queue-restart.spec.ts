import { expect } from "chai";
import { CondorPool } from "../support/condor-pool";
import { needHosts } from "../support/lane";

/** Short, so that the test is: what counts is that the job has run for longer than that. Above STARTER_UPDATE_INTERVAL (60 s). */
const LEASE_SECONDS = 75, RUNS_SECONDS = 85;
const EVENTS = { started: 1, reconnected: 23, notReconnected: 24 } as const;

/**
 * Real HTCondor. A starter whose shadow has died waits for a new one for the lease less the time since it last told the shadow how
 * far the job is. Told every 300 s (stock), jobs with a lease of 300 s ended in the second in which their schedd was killed.
 */
describe("a queue that starts again", function () {
  this.timeout(240_000);
  const pool = new CondorPool({ name: "again", workers: 1, vcpus: 1 });
  const count = async (event: keyof typeof EVENTS): Promise<number> => (await pool.events())[EVENTS[event]] ?? 0;

  before(async function () {
    await needHosts(this);
    await pool.open();
  });
  after(() => pool.close());

  it("keeps a job that has run for longer than its lease", async () => {
    const description = `executable = /bin/sleep\ntransfer_executable = false\nrequest_memory = 50\njob_lease_duration = ${LEASE_SECONDS}\narguments = 900\nqueue`;
    const job = await pool.submit(description);
    await pool.until("it runs", 30, async () => (await count("started")) === 1);
    const startOf = (): Promise<string> => pool.onMaster(`condor_q ${job} -af JobCurrentStartDate RemoteHost`);
    const began = await startOf();
    await new Promise((resolve) => setTimeout(resolve, RUNS_SECONDS * 1_000));
    await pool.onMaster("kill -9 $(pidof condor_schedd)");
    await pool.until("the queue has said what became of it", 60, async () => (await count("reconnected")) + (await count("notReconnected")) > 0);
    expect(await startOf()).to.equal(began);
    expect([await count("started"), await count("notReconnected")]).to.deep.equal([1, 0]);
  });
});
