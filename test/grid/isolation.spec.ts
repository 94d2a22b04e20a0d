import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseGridConfig } from "../../components/config/schema";
import { slotAccounts } from "../../components/render/condor-isolation";
import { packageRoot } from "../../tools/paths";
import { CondorPool } from "../support/users-pool";
import { needHosts } from "../support/lane";

const config = parseGridConfig({ name: "apart", ssh: { port: 2273 }, workers: { vcpus: 4, memory: "1 GiB" } });
const hostileJob = readFileSync(join(packageRoot, "test", "fixtures", "hostile-job.py"), "utf8");
const VICTIM_SECONDS = 25;

/** What a job may find out about others or do to them: nothing. */
const nothing = {
  "sees processes of others": false, "reads a neighbour's environment": false, "reads a neighbour's arguments": false, "reads arguments in logs": false,
  "reads a neighbour's sandbox": false, "writes into a neighbour's sandbox": false, "sees a neighbour's temporary files": false,
  "finds an earlier job's shared memory": false, "finds an earlier job's files": false, "reads the worker's token": false, "reads the claim": false,
  "reads user data": false, "is given a token": false, "drains the worker": false, "vacates the worker": false, "turns HTCondor off": false,
  "turns the server off": false, "traces a neighbour": false,
};

/** Takes away what keeps jobs apart: the tries must then succeed, or they prove nothing. */
const withoutGuards = [
  "rm /etc/condor/config.d/70-elastigrid-slots.config /etc/systemd/system/condor.service.d/20-elastigrid-isolation.conf",
  "printf 'STARTER = /usr/sbin/condor_starter\\nMOUNT_UNDER_SCRATCH = \"\"\\nMOUNT_PRIVATE_DEV_SHM = False\\nDEDICATED_EXECUTE_ACCOUNT_REGEXP =\\nCGROUP_MEMORY_LIMIT_POLICY = none\\n' > /etc/condor/config.d/95-open.config",
  "mount -o remount,hidepid=0 /proc",
  "chmod 755 /var/log/condor",
  "nft flush chain inet elastigrid output",
  "systemctl daemon-reload",
  "systemctl restart condor",
].join(" && ");

/** Jobs of two users on one worker, one of them hostile, on real hosts and real HTCondor. */
describe("a hostile job", function () {
  this.timeout(120_000);
  let pool: CondorPool, guarded: string, open: string;

  const job = (user: string, host: string, name: string, lines: readonly string[]): Promise<number> =>
    pool.submit(
      user,
      [`requirements = Machine == "${host}.apart.internal"`, "request_memory = 128", `output = ${name}.out`, `error = ${name}.err`, `log = ${name}.log`, ...lines, "queue", ""].join("\n"),
    );
  const ended = (cluster: number, seconds: number): Promise<void> =>
    pool.until(`job ${cluster} has ended`, seconds, async () => ["3", "4", "5"].includes(await pool.job(cluster, "JobStatus")), async () => (await pool.master(`condor_q -allusers -better-analyze ${cluster}`)).out);
  const victim = async (host: string): Promise<number> => {
    const cluster = await job("alice", host, `victim-${host}`, ["executable = victim", "arguments = neighbours-argument", "environment = NEIGHBOUR_SECRET=42"]);
    await pool.until("the victim works", 30, async () => (await pool.worker(host, "ls /var/lib/condor/execute/*/precious")).code === 0);
    return cluster;
  };
  const attack = async (host: string, name: string): Promise<Record<string, unknown>> => {
    const cluster = await job("mallory", host, name, ["executable = hostile", "environment = MASTER=10.77.0.1"]);
    await ended(cluster, 60);
    const { out } = await pool.as("mallory", `cat ${name}.out; cat ${name}.err >&2`);
    expect(out, `${name} on ${host}: ${await pool.job(cluster, "JobStatus", "HoldReason")}`).to.match(/^\{/);
    return JSON.parse(out.split("\n")[0] as string) as Record<string, unknown>;
  };

  before(async function () {
    await needHosts(this);
    pool = await CondorPool.open(config, ["alice", "mallory"]);
    [guarded, open] = [await pool.addWorker(1), await pool.addWorker(2)];
    const startd = async (): Promise<string> => (await pool.master(`condor_status -af MyAddress -constraint 'Machine == "${open}.apart.internal"'`)).out;
    const before = await startd();
    expect((await pool.worker(open, withoutGuards)).out).to.equal("");
    await pool.until("the open worker is back", 30, async () => ![before, ""].includes(await startd()));
    await pool.as("alice", "cat > victim; chmod 755 victim", `#!/bin/sh\nfor d in /tmp /var/tmp /dev/shm /run/lock; do echo x > $d/neighbour; done\necho precious > precious\nsleep ${VICTIM_SECONDS}\ncat precious && echo undisturbed\n`);
    await pool.as("mallory", "cat > hostile; chmod 755 hostile", hostileJob);
  });

  after(async () => {
    await pool?.close();
  });

  it("gets nothing of its neighbour or its worker, and the neighbour finishes undisturbed", async () => {
    const neighbour = await victim(guarded);
    const { account, ...got } = await attack(guarded, "attack");
    expect(account).to.match(/^slot1_\d+$/);
    expect(got).to.deep.equal(nothing);
    expect(await pool.job(neighbour, "JobStatus"), "the attack came too late to meet the victim").to.equal("2");
    const hog = await job("mallory", guarded, "hog", ["executable = /usr/bin/python3", "transfer_executable = false", `arguments = "-c 'import time; time.sleep(2); x = bytearray(500 * 2**20)'"`]);
    await ended(hog, 30);
    expect(await pool.job(hog, "JobStatus", "HoldReasonCode", "HoldReason")).to.match(/^5 34 .*memory limit of 128 megabytes.*request_memory/);
    await ended(neighbour, 60);
    expect(await pool.job(neighbour, "JobStatus", "ExitCode", "NumJobStarts", "NumShadowStarts")).to.equal("4 0 1 1");
    expect((await pool.as("alice", `cat victim-${guarded}.out victim-${guarded}.err`)).out).to.equal("precious\nundisturbed\n");
  });

  it("leaves nothing behind: no process, no file, no shared memory for the account's next job", async () => {
    const accounts = Array.from({ length: slotAccounts(config) }, (_, i) => `slot1_${i + 1}`);
    const left = `ps -N -u root,condor -o user=,args= | grep slot1_; find / /tmp /dev/shm /run /run/lock -xdev \\( ${accounts.map((a) => `-user ${a}`).join(" -o ")} \\) 2>/dev/null`;
    await pool.until("the accounts are empty", 20, async () => (await pool.worker(guarded, left)).out.trim() === "", async () => (await pool.worker(guarded, left)).out);
    const again = await attack(guarded, "again");
    expect([again["finds an earlier job's shared memory"], again["finds an earlier job's files"]]).to.deep.equal([false, false]);
    expect((await pool.worker(guarded, "systemctl --failed --no-legend; stat -c %a /var/log/condor")).out).to.equal("750\n");
  });

  it("would get nearly all of it without the guards, and end its neighbour", async () => {
    const neighbour = await victim(open);
    const { account, ...got } = await attack(open, "open");
    expect(account).to.equal("nobody");
    for (const what of ["sees processes of others", "reads a neighbour's environment", "reads a neighbour's arguments", "reads arguments in logs", "reads a neighbour's sandbox", "writes into a neighbour's sandbox", "sees a neighbour's temporary files", "is given a token", "traces a neighbour"])
      expect(got[what], what).to.equal(true);
    await ended(neighbour, 10);
    expect((await pool.as("alice", `cat victim-${open}.out`)).out).to.not.match(/undisturbed/);
    const again = await attack(open, "open-again");
    expect([again["finds an earlier job's shared memory"], again["finds an earlier job's files"]]).to.deep.equal([true, true]);
  });
});
