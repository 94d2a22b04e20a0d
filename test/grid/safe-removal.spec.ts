import { expect } from "chai";
import { CondorPool } from "../support/condor-pool";
import { needHosts } from "../support/lane";

const JOB = "executable = /bin/sleep\ntransfer_executable = false\nrequest_memory = 50\n";
const SECONDS = 8;
/** HTCondor's own default: a drain ends jobs at once. */
const STOCK = "/etc/condor/config.d/99-stock.config";

/**
 * What takes a job's worker away from it and what does not, as measured when the grid was designed (M1 to M8): each case once, on real
 * HTCondor, with its stock settings where the case says so and with the product's own elsewhere.
 */
describe("safe removal", function () {
  this.timeout(90_000);
  const pool = new CondorPool({ name: "safe", workers: 1, vcpus: 1 });
  const machine = pool.machine(1);
  const count = async (event: number): Promise<number> => (await pool.events())[event] ?? 0;
  const states = async (): Promise<string> => (await pool.onMaster("condor_status -af State NumDynamicSlots -constraint PartitionableSlot")).trim();
  const started = async (): Promise<{ readonly evicted: number; readonly ended: number }> => {
    const before = await count(1);
    await pool.submit(`${JOB}arguments = ${SECONDS}\nqueue`);
    await pool.until("the job runs", 40, async () => (await count(1)) > before);
    return { evicted: await count(4), ended: await count(5) };
  };
  const setStock = async (stock: boolean): Promise<void> => {
    await pool.onWorker(1, stock ? `echo 'MAXJOBRETIREMENTTIME = 0' > ${STOCK}; systemctl restart condor` : `rm -f ${STOCK}; systemctl restart condor`);
    const wanted = stock ? "0" : "31536000";
    await pool.until("the worker has read it", 30, async () => (await pool.onMaster("condor_status -af MaxJobRetirementTime -constraint PartitionableSlot")).trim() === wanted);
  };
  const evicted = (before: number): Promise<void> => pool.until("the job is evicted", 20, async () => (await count(4)) === before + 1);
  const ends = async (before: { readonly evicted: number; readonly ended: number }): Promise<void> => {
    await pool.until("the job ends", 40, async () => (await count(5)) === before.ended + 1);
    expect(await count(4), "evicted").to.equal(before.evicted);
  };
  /** As before a case: in service, idle, nothing queued. */
  const restore = async (): Promise<void> => {
    await pool.onMaster("condor_rm -all >/dev/null 2>&1; true");
    await pool.until("the worker is idle and in service", 60, async () => {
      const now = await states();
      // A daemon that is just ending does not hear that it should begin.
      if (now === "") await pool.onWorker(1, "condor_on -startd >/dev/null 2>&1; sleep 1");
      else if (now !== "Unclaimed 0") await pool.onMaster(`condor_drain -cancel ${machine} >/dev/null 2>&1; sleep 1`);
      return now === "Unclaimed 0";
    });
  };
  const waits = async (): Promise<void> => {
    const before = await count(1);
    await pool.submit(`${JOB}arguments = 1\nqueue`);
    await new Promise((r) => setTimeout(r, 6_000)); // three negotiations
    expect(await count(1), "a job that came after it").to.equal(before);
  };

  before(async function () {
    await needHosts(this);
    await pool.open();
  });
  afterEach(restore);
  after(() => pool.close());

  describe("with HTCondor's stock settings", () => {
    before(() => setStock(true));
    after(() => setStock(false));
    const killers: Array<[string, string]> = [
      ["M1: condor_drain -graceful ends the job", `condor_drain -graceful ${machine}`],
      ["M2: condor_off -graceful -startd ends the job", `condor_off -graceful -daemon startd -name ${machine}`],
      ["M3: condor_off -drain ends the job", `condor_off -drain -daemon startd -name ${machine}`],
    ];
    for (const [says, command] of killers) it(says, async () => {
      const before = await started();
      await pool.onMaster(command);
      await evicted(before.evicted);
    });
    it("M5: condor_off -peaceful -startd lets the job end", async () => {
      const before = await started();
      await pool.onMaster(`condor_off -peaceful -daemon startd -name ${machine}`);
      await ends(before);
    });
    it("the grid's own drain is refused, and the job goes on", async () => {
      const before = await started();
      expect((await pool.queue.fence(machine, "drain", "elastigrid:drain")).answer).to.equal("notNow");
      await ends(before);
    });
  });

  describe("with the grid's settings", () => {
    it("M4: a drain lets the job end, and a later one does not start there", async () => {
      const before = await started();
      expect((await pool.queue.fence(machine, "drain", "elastigrid:drain")).answer).to.equal("accepted");
      await ends(before);
      await pool.until("it is drained", 20, async () => (await states()) === "Drained 0");
      await waits();
    });
    it("M6: a drain that ends the daemon lets the job end first", async () => {
      const before = await started();
      await pool.onMaster(`condor_drain -graceful -start False -exit-on-completion ${machine}`);
      await ends(before);
      await pool.until("the daemon has gone", 40, async () => (await states()) === "");
    });
    it("M7: a worker with a job refuses to be closed as idle, in the same instant, and stays in service", async () => {
      const before = await started();
      expect((await pool.queue.fence(machine, "ifIdle", "elastigrid:scale-in")).answer).to.equal("refusedBusy");
      await ends(before);
      await pool.until("it is in service", 20, async () => (await states()) === "Unclaimed 0");
    });
    it("M8: an idle one is closed, and a job queued a moment later does not start there", async () => {
      expect((await pool.queue.fence(machine, "ifIdle", "elastigrid:scale-in")).answer).to.equal("accepted");
      await waits();
    });
  });
});
