import { expect } from "chai";
import { parseGridConfig } from "../../components/config/schema";
import { CondorPool } from "../support/users-pool";
import { needHosts } from "../support/lane";

const config = parseGridConfig({
  name: "kinds", ssh: { port: 2274 }, workers: { vcpus: 2, memory: "768 MiB" },
  condor: { settings: { MACHINE_RESOURCE_LICENSE: 1, ONE_LIMIT: 1, CLAIM_WORKLIFE: 4, DAGMAN_USER_LOG_SCAN_INTERVAL: 1 } },
});
const shell = (script: string): string[] => ["executable = /bin/sh", "transfer_executable = false", `arguments = "-c '${script}'"`, "request_memory = 64"];

/** Kinds of jobs beyond the ordinary one, on two workers with two cpus each: real hosts, real HTCondor. */
describe("kinds of jobs", function () {
  this.timeout(120_000);
  let pool: CondorPool, hosts: readonly string[];

  const submit = (user: string, lines: readonly string[]): Promise<number> => pool.submit(user, [...lines, ""].join("\n"));
  const until = (what: string, cluster: number, seconds: number, test: () => Promise<boolean>): Promise<void> =>
    pool.until(what, seconds, test, async () => (await pool.master(`condor_q -allusers; condor_status; condor_q -better-analyze ${cluster}`)).out);
  const gone = (cluster: number, seconds = 60): Promise<void> =>
    until(`job ${cluster} left the queue`, cluster, seconds, async () => (await pool.master(`condor_q ${cluster} -allusers -af ClusterId`)).out === "");
  /** One row per job of the cluster, from the history. */
  const past = async (cluster: number, ...attributes: readonly string[]): Promise<string[][]> =>
    (await pool.master(`condor_history ${cluster} -af:t ${attributes.join(" ")}`)).out.trim().split("\n").map((l) => l.split("\t"));

  before(async function () {
    await needHosts(this);
    pool = await CondorPool.open(config, ["alice", "bob"]);
    hosts = [await pool.addWorker(1), await pool.addWorker(2)];
  });

  after(async () => {
    await pool?.close();
  });

  it("DAGMan: runs the second step after the first", async () => {
    await pool.as("alice", "cat > step.sub", [...shell("sleep 1"), "log = step.log", "queue", ""].join("\n"));
    await pool.as("alice", "cat > steps.dag", "JOB first step.sub\nJOB second step.sub\nPARENT first CHILD second\n");
    const dag = Number(/cluster (\d+)/.exec((await pool.as("alice", "condor_submit_dag -f steps.dag")).out)?.[1]);
    await gone(dag);
    expect(await past(dag, "JobUniverse", "ExitCode")).to.deep.equal([["7", "0"]]);
    const steps = (await pool.master(`condor_history -constraint 'DAGManJobId == ${dag}' -af DAGNodeName JobCurrentStartDate CompletionDate`)).out.trim().split("\n").map((l) => l.split(" "));
    const [first, second] = ["first", "second"].map((n) => steps.find(([name]) => name === n));
    expect(Number(second?.[1])).to.be.at.least(Number(first?.[2]));
  });

  it("late materialisation: shows the queue a few of many, and runs all", async () => {
    const late = await submit("alice", [...shell("sleep 1"), "max_idle = 1", "queue 5"]);
    const [total, there] = (await pool.job(late, "TotalSubmitProcs", "JobMaterializeNextProcId")).split("\n")[0]?.split(" ").map(Number) ?? [];
    expect(total).to.equal(5);
    expect(there).to.be.lessThan(5);
    await gone(late);
    expect((await past(late, "ProcId", "ExitCode")).map(([, code]) => code)).to.deep.equal(["0", "0", "0", "0", "0"]);
  });

  it("concurrency limits: runs one after another, and says what they wait for", async () => {
    const limited = await submit("alice", [...shell("sleep 3"), "concurrency_limits = ONE", "queue 2"]);
    await until("the limit is named", limited, 20, async () => /concurrency limit one reached/i.test((await pool.master(`condor_q ${limited} -allusers -af LastRejMatchReason`)).out));
    await gone(limited);
    const spans = (await past(limited, "JobCurrentStartDate", "CompletionDate")).map(([a, b]) => [Number(a), Number(b)] as const).sort(([a], [b]) => a - b);
    expect(spans[1]?.[0]).to.be.at.least(spans[0]?.[1] ?? Number.NaN);
  });

  it("custom resources: gives each worker's to one job at a time, and leaves waiting who asks for more than any has", async () => {
    const fitting = await submit("alice", [...shell("sleep 4"), "request_license = 1", "queue 3"]);
    const tooMuch = await submit("alice", [...shell("sleep 1"), "request_license = 2", "queue"]);
    let most = 0;
    await until("the three have run", fitting, 60, async () => {
      const states = (await pool.master(`condor_q ${fitting} -allusers -af JobStatus`)).out;
      most = Math.max(most, states.split("\n").filter((s) => s === "2").length);
      return states === "";
    });
    expect(most).to.equal(2);
    expect(await pool.job(tooMuch, "JobStatus")).to.equal("1");
    expect((await pool.master(`condor_q -allusers -better-analyze ${tooMuch}`)).out).to.match(/ 0 +TARGET\.license >= Requestlicense/i);
    await pool.master(`condor_rm ${tooMuch}`);
  });

  it("deferral: claims a slot before the time, and starts when it comes", async () => {
    const at = Math.floor(Date.now() / 1000) + 16;
    const deferred = await submit("alice", [...shell("date +%s"), `deferral_time = ${at}`, "deferral_prep_time = 4", "output = deferred.out", "queue"]);
    await gone(deferred);
    const [claimed, started] = [Number((await past(deferred, "JobCurrentStartDate"))[0]?.[0]), Number((await pool.as("alice", "cat deferred.out")).out)];
    // The time to prepare, and one SCHEDD_INTERVAL more (5 s).
    expect(claimed).to.be.within(at - 10, at);
    // The starter estimates the difference of two clocks from how long a message took: seconds off on a busy computer.
    expect(started).to.be.within(at - 5, at + 10).and.above(claimed);
  });

  it("two users: the second does not wait for the whole queue of the first", async () => {
    const many = await submit("alice", [...shell("sleep 1"), "queue 60"]);
    await until("the first user has all slots", many, 20, async () => (await pool.master(`condor_q ${many} -allusers -af JobStatus`)).out.split("\n").filter((s) => s === "2").length === 4);
    const few = await submit("bob", [...shell("sleep 1"), "queue 2"]);
    await gone(few, 40);
    expect((await pool.master(`condor_q ${many} -allusers -af ProcId`)).out.trim().split("\n").length, "jobs of the first user that still wait").to.be.at.least(10);
    await pool.master(`condor_rm ${many}`);
    await gone(many);
  });

  it("condor_ssh_to_job and interactive jobs: are with the job, as its account, and see nobody else", async () => {
    const sleeper = await submit("alice", ["executable = /bin/sleep", "transfer_executable = false", "arguments = 77", "request_memory = 64", "queue"]);
    await until("the sleeper runs", sleeper, 20, async () => (await pool.job(sleeper, "JobStatus")) === "2");
    const seen = (await pool.as("alice", `timeout 40 condor_ssh_to_job -auto-retry ${sleeper} 'id -un; ps -eo args='`)).out;
    expect(seen).to.match(/^slot1_\d+$/m).and.match(/\/bin\/sleep 77/).and.not.match(/condor_startd/);
    expect((await pool.as("bob", `timeout 40 condor_ssh_to_job ${sleeper} id`)).code).to.not.equal(0);
    await pool.master(`condor_rm ${sleeper}`);
    await pool.as("alice", "cat > interactive.sub", "request_memory = 64\nqueue\n");
    expect((await pool.as("alice", "echo 'id -un; hostname' | timeout 60 condor_submit -interactive interactive.sub")).out).to.match(/^slot1_\d+\nw-b7c0ff0\d$/m);
  });

  it("inputs by URL: are fetched by the worker, or the job is held and told why", async () => {
    for (const host of hosts) await pool.worker(host, "mkdir -p /srv/www; echo from afar > /srv/www/given; systemd-run -q --unit=www python3 -m http.server 8000 --bind 127.0.0.1 --directory /srv/www");
    const url = (path: string): Promise<number> => submit("alice", [...shell("cat given"), `transfer_input_files = http://127.0.0.1:8000/${path}`, "output = url.out", "queue"]);
    await gone(await url("given"));
    expect((await pool.as("alice", "cat url.out")).out).to.equal("from afar\n");
    const missing = await url("missing");
    await until("the job is held", missing, 40, async () => (await pool.job(missing, "JobStatus")) === "5");
    expect(await pool.job(missing, "HoldReason")).to.match(/missing/).and.match(/404/);
  });

  it("containers: wait where no worker has an engine, and HTCondor's analysis names what is missing", async () => {
    const docker = await submit("alice", ["universe = docker", "docker_image = debian:12", "executable = /bin/true", "transfer_executable = false", "queue"]);
    const container = await submit("alice", ["universe = container", "container_image = docker://debian:12", "executable = /bin/true", "transfer_executable = false", "queue"]);
    await until("both were refused", docker, 20, async () => (await pool.master(`condor_q ${docker} ${container} -allusers -af LastRejMatchReason`)).out.match(/no match found/g)?.length === 2);
    const analysis = async (cluster: number): Promise<string> => (await pool.master(`condor_q -allusers -better-analyze ${cluster}`)).out;
    expect(await analysis(docker)).to.match(/ 0 +TARGET\.HasDocker/);
    expect(await analysis(container)).to.match(/ 0 +TARGET\.HasContainer|undefined.*HasContainer|HasDockerURL/);
  });

  // Last: its slots stay claimed for a while (see masterKindsConfig). In turn, each from slots that nobody holds: with negotiations
  // less than a second apart every second gang was claimed and never started. A computer that is so busy that a worker's ad takes
  // 2 s still sees one now and then: one of three may need its slots vacated.
  it("parallel: starts all nodes of a gang at once, over both workers, three times", async () => {
    let stuck = 0;
    const vacated = async (): Promise<void> => {
      for (const host of hosts) await pool.worker(host, "condor_vacate -fast");
      await new Promise((resolve) => setTimeout(resolve, 3_000));
    };
    const ended = async (gang: number): Promise<void> => {
      for (let tries = 1; ; tries += 1) {
        try {
          return await gone(gang, 60);
        } catch (e) {
          const claimed = (await pool.master("condor_status -af State Activity -constraint DynamicSlot")).out.trim().split("\n");
          if (tries === 4 || claimed.some((l) => l !== "Claimed Idle" && l !== "")) throw e;
          stuck += 1;
          await vacated();
        }
      }
    };
    for (let nth = 1; nth <= 3; nth += 1) {
      await vacated();
      const gang = await submit("alice", ["universe = parallel", ...shell("echo $_CONDOR_PROCNO of $_CONDOR_NPROCS on `hostname`; sleep 2"), '+ParallelShutdownPolicy = "WAIT_FOR_ALL"', "output = node.$(NODE)", "machine_count = 3", "queue"]);
      await ended(gang);
      const said = (await pool.as("alice", "cat node.*; rm node.*")).out.trim().split("\n").sort();
      expect(said.map((l) => l.replace(/ on .*/, ""))).to.deep.equal(["0 of 3", "1 of 3", "2 of 3"]);
      expect(new Set(said.map((l) => l.replace(/.* on /, "")))).to.deep.equal(new Set(hosts));
      expect((await past(gang, "JobStatus", "ExitCode", "NumJobStarts"))[0]).to.deep.equal(["4", "0", "1"]);
    }
    expect(stuck, "gangs that were claimed and not started").to.be.at.most(1);
  }).timeout(480_000);
});
