import { expect } from "chai";
import { dueOrphans, noteOrphans, type Orphans } from "../../components/policy/orphans";
import { CondorPool } from "../support/condor-pool";
import { needHosts } from "../support/lane";

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
    await needHosts(this);
    await pool.open();
  });
  after(() => pool.close());

  it("lets the job of a startd that was killed start anew when the next startd is there, and no job whose startd lives", async () => {
    const neighbour = await start();
    const lost = await start();
    const began = [await startOf(neighbour.job), await startOf(lost.job)];
    const machine = pool.machine(lost.worker);
    const orphans: Array<Orphans | undefined> = [undefined, undefined];
    const heard = new Map<string, { readonly raw: number; readonly atMs: number }>();
    /** As the controller looks, at both workers. */
    const look = async (): Promise<void> => {
      const seen = await pool.queue.observe();
      if (!seen.known) return;
      const nowMs = performance.now();
      for (const [i, { worker }] of [neighbour, lost].entries()) {
        const name = pool.machine(worker), m = seen.value.machines.find((x) => x.name === name);
        if (m !== undefined && heard.get(name)?.raw !== m.heardAtMs) heard.set(name, { raw: m.heardAtMs, atMs: nowMs });
        orphans[i] = noteOrphans(orphans[i], { startedAtMs: m?.startedAtMs, heardAtMs: heard.get(name)?.atMs, jobs: seen.value.running.filter((j) => j.machine === name), nowMs });
      }
      await new Promise((r) => setTimeout(r, 2_000));
    };
    const due = () => (orphans[1] === undefined ? [] : dueOrphans(orphans[1], heard.get(machine)?.atMs, performance.now()));
    await look();
    expect(orphans).to.deep.equal([undefined, undefined]);
    const view = await pool.queue.observe();
    const running = view.known ? view.value.running : [];
    expect(running.map((j) => j.machine).sort()).to.deep.equal([pool.machine(neighbour.worker), machine].sort());
    for (const j of running) expect((await pool.queue.releaseLostClaims(j.machine, [j])).known, "its startd lives").to.equal(false);

    const started = await count("started");
    await pool.onWorker(lost.worker, "kill -KILL $(pgrep -x condor_startd)");
    await pool.until("another startd is known to have begun", 90, async () => {
      await look();
      return due().length > 0;
    });
    expect(orphans[0], "the neighbour").to.equal(undefined);
    expect(await startOf(lost.job), "the queue believes in it").to.equal(began[1]);
    expect(await pool.queue.releaseLostClaims(pool.machine(neighbour.worker), running), "the neighbour's startd lives").to.have.property("known", false);
    expect(await pool.queue.releaseLostClaims(machine, due())).to.deep.equal({ known: true, value: 1 });
    expect(await pool.queue.releaseLostClaims(machine, due()), "it is another start now").to.deep.equal({ known: true, value: 0 });
    // Its lease would hold it for 20 minutes.
    await pool.until("the job runs anew", 90, async () => (await count("started")) > started);
    expect(await startOf(neighbour.job)).to.equal(began[0]);
    expect(await startOf(lost.job)).not.to.equal(began[1]);
    await pool.onMaster(`condor_rm ${lost.job} ${neighbour.job}`);
  });

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
