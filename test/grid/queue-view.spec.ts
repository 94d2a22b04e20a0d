import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { packDemand, type Demand, type Offer, type WaitingGroup } from "../../components/policy/demand";
import { HtcondorQueue } from "../../controller/adapters/htcondor-queue";
import { Submissions } from "../../controller/adapters/submissions";
import type { QueueView } from "../../controller/ports";
import type { RunCommand } from "../../controller/run-command";
import { CondorPool } from "../support/condor-pool";
import { needHosts } from "../support/lane";

const SLEEP = "executable = /bin/sleep\ntransfer_executable = false\narguments = 900\nrequest_disk = 1MB\n";

/** Real jobs of many kinds: what the controller makes of them, and whether HTCondor then does what it was thought to do. */
describe("the queue as the controller sees it", function () {
  this.timeout(180_000);
  let pool: CondorPool, queue: HtcondorQueue, bytes = 0, bytesOfKinds = 0;
  const ids = new Map<string, number>();

  const look = async (): Promise<QueueView> => {
    bytes = 0;
    const seen = await queue.observe();
    if (!seen.known) throw new Error(seen.reason);
    return seen.value;
  };
  const demandOf = (view: QueueView): Demand => {
    const machine = view.machines[0]!;
    const offer: Offer = { type: "default", learned: true, room: machine.total, ad: view.machines.find((m) => m.ad !== undefined)?.ad ?? {} };
    return packDemand({ groups: view.groups, free: [], coming: {}, offers: [offer], refused: new Map(), limitsLeft: view.limitsLeft, nowMs: 0, queueNowMs: Date.now(), leadMs: 60_000 });
  };
  const submit = async (name: string, lines: string): Promise<void> => void ids.set(name, await pool.submit(`${lines.includes("executable") ? "" : SLEEP}${lines}`));
  const groupOf = (view: QueueView, name: string): WaitingGroup | undefined => view.groups.find((g) => g.exampleId.startsWith(`${ids.get(name)}.`));

  before(async function () {
    await needHosts(this);
    pool = new CondorPool({ name: "view", workers: 1, vcpus: 2, settings: { MACHINE_RESOURCE_license: 2, LIC_LIMIT: 1 } });
    await pool.open();
    const run: RunCommand = async (program, args, { input }) => {
      const stdout = await pool.onMaster([program, ...args].map((w) => `'${w.replaceAll("'", "'\\''")}'`).join(" "), input);
      bytes += stdout.length;
      if (args.includes("-autocluster")) bytesOfKinds = stdout.length;
      return { code: 0, stdout, stderr: "", timedOut: false };
    };
    queue = new HtcondorQueue({ run });
    await submit("filler", "request_memory = 64\nqueue 2");
    await pool.until("the worker is full", 30, async () => (await look()).running.length === 2);
    await submit("plain", "request_memory = 70\nqueue 3");
    await submit("gpu", "request_memory = 70\nrequest_gpus = 1\nqueue 2");
    await submit("license", "request_memory = 71\nrequest_license = 1\nqueue");
    await submit("too many", "request_memory = 72\nrequest_license = 3\nqueue");
    await submit("limited", "request_memory = 73\nconcurrency_limits = Lic\nqueue 4");
    await submit("deferred", "request_memory = 74\ndeferral_time = 1999999999\nqueue");
    await submit("gang", `universe = parallel\n${SLEEP}request_memory = 70\nmachine_count = 3\nqueue`);
    await submit("expression", "request_memory = 75\nrequest_cpus = 2 * 4\nqueue");
    await submit("attribute", '+Need = 3\nrequest_memory = 76\nrequirements = TARGET.HasFoo >= MY.Need\nqueue');
    await submit("foreign", 'request_memory = 77\nrequirements = TARGET.Arch == "aarch64"\nqueue');
    await submit("local", `universe = local\n${SLEEP}queue`);
    await submit("odd", 'request_memory = ifThenElse(true, "lots", 3)\nqueue 2');
    await submit("held", "request_memory = 78\nhold = true\nqueue");
  });
  after(async () => pool?.close());

  it("tells the kinds of jobs apart, with what each asks for", async () => {
    const view = await look();
    expect(groupOf(view, "plain")).to.deep.include({ count: 3, owner: "grid", request: { cpus: 1, memoryMiB: 70, diskMiB: 1 } });
    expect(groupOf(view, "gpu")?.request.resources).to.deep.equal({ gpus: 1 });
    expect(groupOf(view, "expression")?.request.cpus).to.equal(8);
    expect(groupOf(view, "limited")).to.deep.include({ limits: { lic: 1 }, count: 4 });
    expect(groupOf(view, "deferred")?.notBeforeMs).to.equal((1_999_999_999 - 300) * 1000);
    expect(groupOf(view, "gang")).to.deep.include({ gang: 3, count: 1 });
    expect(view.unreadable).to.deep.equal([{ id: `${ids.get("odd")}.0`, count: 2, why: 'RequestMemory is "lots", not a number' }]);
    expect(view.counts).to.deep.include({ running: 2, held: 1 });
    expect(view.limitsLeft).to.deep.equal({ lic: 1 });
    expect(view.machines[0]!.total.resources?.["license"]).to.equal(2);
    const plain = groupOf(view, "plain")!;
    expect(Math.abs(Date.now() - plain.queuedAtMs), "when they were submitted").to.be.below(120_000);
  });

  it("keeps the same keys once HTCondor has numbered them itself", async () => {
    // without the local universe: its job starts by itself meanwhile, and its group ends with it
    const keys = async (): Promise<string[]> => (await look()).groups.map((g) => g.key).filter((key) => !key.startsWith("12/")).sort();
    const before = await keys();
    await pool.until("all have been negotiated", 30, async () => (await pool.onMaster("condor_q -allusers -constraint 'JobStatus == 1 && JobUniverse == 5 && AutoClusterId =?= undefined' -af ClusterId")).trim() === "");
    expect(await keys()).to.deep.equal(before);
  });

  it("gives each its own reason, and buys workers for the rest", async () => {
    const view = await look();
    const demand = demandOf(view);
    const why = (name: string): string => demand.reasons.filter((r) => r.exampleId.startsWith(`${ids.get(name)}.`)).map((r) => `${r.kind}: ${r.why}`).join();
    expect(why("gpu")).to.equal("unmatchable: asks for 1 GPU, a worker has none");
    expect(why("too many")).to.equal("unmatchable: asks for 3 license, a worker has 2");
    expect(why("expression")).to.equal("unmatchable: asks for 8 cpus, a worker has 2");
    expect(why("attribute")).to.match(/^unmatchable: .*a worker has no HasFoo$/);
    expect(why("foreign")).to.match(/^unmatchable: .*a worker has Arch = "X86_64"$/);
    expect(why("limited")).to.match(/^limited: the concurrency limit lic/);
    expect(why("deferred")).to.match(/^later/);
    for (const fits of ["plain", "license", "gang"]) expect(why(fits), fits).to.equal("");
    // 3 plain, 1 with a license, 1 of the limited, and 3 nodes: 8 places on workers of 2.
    expect(demand).to.deep.include({ placeable: 6, newWorkers: 4 });
  });

  it("hears of submissions in the schedd's own log, and takes no negotiation for one", async () => {
    const dir = mkdtempSync(join(tmpdir(), "submissions-")), copy = join(dir, "log");
    try {
      const log = (await pool.onMaster("condor_config_val JOB_QUEUE_LOG")).trim();
      let heard = 0;
      const submissions = new Submissions({ run: async () => ({ code: 0, stdout: copy, stderr: "", timedOut: false }), submitted: () => (heard += 1) });
      const heardOf = async (): Promise<number> => {
        writeFileSync(copy, await pool.onMaster(`cat ${log}`));
        await submissions.look();
        return heard;
      };
      const refusals = async (): Promise<number> => Number(await pool.onMaster(`grep -c LastRejMatchTime ${log} || true`));
      await heardOf();
      const before = await refusals();
      await pool.until("jobs have been refused again", 30, async () => (await refusals()) > before);
      expect(await heardOf()).to.equal(0);
      await submit("one more", "request_memory = 79\nqueue");
      expect(await heardOf()).to.equal(1);
      await pool.onMaster(`condor_rm ${ids.get("one more")}`);
      expect(await heardOf()).to.equal(1);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it("is right about what HTCondor runs when there is room, and what it never does", async () => {
    await pool.onMaster(`condor_rm ${ids.get("filler")} ${ids.get("gang")}`);
    for (const name of ["plain", "license"]) {
      await pool.until(`${name} runs`, 40, async () => (await look()).running.some((r) => r.id.startsWith(`${ids.get(name)}.`)));
      await pool.onMaster(`condor_rm ${ids.get(name)}`);
    }
    await pool.until("one of the limited runs", 40, async () => (await look()).running.some((r) => r.id.startsWith(`${ids.get("limited")}.`)));
    const view = await look();
    expect(view.limitsLeft).to.deep.equal({ lic: 0 });
    expect(view.running.filter((r) => r.id.startsWith(`${ids.get("limited")}.`))).to.have.length(1);
    for (const name of ["gpu", "too many", "expression", "attribute", "foreign", "deferred"]) expect(groupOf(view, name), name).to.not.equal(undefined);
    expect(demandOf(view).newWorkers, "the limit is used up, and nothing else can run").to.equal(0);
  });

  it("forgets groups with their jobs, and does not call removed ones done", async () => {
    const { done } = (await look()).counts;
    await pool.onMaster("condor_rm -all");
    await pool.until("the queue is empty", 30, async () => (await look()).groups.length === 0);
    expect((await look()).counts).to.deep.include({ waiting: 0, running: 0, held: 0, done });
    await pool.until("the last one has left, and a look fetches nothing of their kinds", 30, async () => { await look(); return bytesOfKinds === 0; });
    expect(Number(await pool.onMaster("condor_q -allusers -autocluster -json | wc -c")), "bytes that the schedd keeps of them").to.be.above(0);
  });

  it("fetches no more for 10 000 jobs than for one", async () => {
    await pool.onMaster("condor_drain -graceful $(condor_status -af Machine | head -1)");
    await submit("many", "request_memory = 100\nqueue 10000");
    await pool.until("all are there", 60, async () => (await look()).counts.waiting === 10_000);
    const view = await look();
    expect(view.groups.map((g) => g.count)).to.deep.equal([10_000]);
    expect(bytes, "bytes of one look").to.be.below(30_000);
  });
});
