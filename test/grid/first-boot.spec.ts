import { expect } from "chai";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseGridConfig } from "../../components/config/schema";
import { mintIdToken, poolKeyFile, workerIdentity, workerScopes } from "../../components/policy/tokens";
import { masterUserData, workerUserData } from "../../components/render/cloud-init";
import { masterFiles } from "../../components/render/master";
import { pushFilesScript } from "../../components/render/push";
import type { Backend, HostSpec } from "../../local-cloud/backend";
import { hostsBackend } from "../../local-cloud/hosts";
import { cacheDir as cacheDirOf } from "../../tools/paths";
import { needHosts } from "../support/lane";

const cacheDir = cacheDirOf();
const MASTER = "a5000000-0000-4000-8000-000000000001";
const WORKER = "b5c0ffee-0000-4000-8000-000000000002";
const VLAN = "c5000000-0000-4000-8000-000000000003";
const poolKey = "5e".repeat(32);
const domain = "boot.internal";
const config = parseGridConfig({ name: "boot", ssh: { port: 2222 }, firewall: [{ name: "web", protocol: "tcp", ports: "8080" }], workers: { memory: "512 MiB" } });
const changed = parseGridConfig({ name: "boot", ssh: { port: 2222 }, workers: { memory: "512 MiB" }, condor: { settings: { MAX_JOBS_PER_OWNER: 77 } } });

/** The rendered user data on real hosts: a master, a worker that enrols, and a job between them. No controller: the spec plays its part. */
describe("first boot", function () {
  this.timeout(60_000);
  let cloud: Backend, stateDir: string, address: string;

  const ssh = (command: string, input = ""): Promise<{ code: number | null; out: string }> =>
    runToEnd(
      "ssh",
      ["-p", "2222", "-i", join(stateDir, "key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", `root@${address}`, command],
      input,
    );
  const until = async (what: string, seconds: number, test: () => Promise<boolean>, more: () => Promise<string> = async () => ""): Promise<void> => {
    for (const end = Date.now() + seconds * 1000; ; ) {
      if (await test()) return;
      if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s\n${await more()}\nmaster's console:\n${await cloud.consoleTail(MASTER, 2000)}`);
      await new Promise((r) => setTimeout(r, 200));
    }
  };
  /** A command on the worker, by way of the master. */
  const onWorker = (command: string): Promise<{ code: number | null; out: string }> =>
    ssh(`ssh -i /root/key -o StrictHostKeyChecking=no -o LogLevel=ERROR -o BatchMode=yes -o ConnectTimeout=5 root@$(awk '{print $3}' /var/lib/misc/dnsmasq.leases) ${JSON.stringify(command)}`);

  before(async function () {
    await needHosts(this);
    stateDir = mkdtempSync(join(tmpdir(), "elastigrid-boot-"));
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(stateDir, "key")]);
    cloud = hostsBackend({ stateDir, cacheDir, instance: "boot-spec", publishPorts: [2222] });
    await cloud.open();
    address = cloud.publicAddresses()[0] as string;
    await cloud.createDrive("disk-m", cloud.images[0]?.uuid);
    await cloud.createDrive("disk-w", cloud.images[0]?.uuid);
    const meta = (userData: string): HostSpec["meta"] => ({ ssh_public_key: readFileSync(join(stateDir, "key.pub"), "utf8"), "cloudinit-user-data": userData });
    await cloud.boot({
      uuid: MASTER, name: "boot-master", cpuMHz: 4000, smp: 2, memoryBytes: 2 ** 30, bootDriveUuid: "disk-m", publicKeys: [], meta: meta(masterUserData(config, { servesDhcp: false })),
      nics: [{ mac: "22:a5:00:00:00:01", publicAddress: address }, { mac: "22:a5:00:00:00:02", vlanUuid: VLAN }],
    });
    await until("the master answers", 30, async () => (await ssh("true")).code === 0);
    expect((await ssh("sh -s", pushFilesScript(masterFiles(config, { servesDhcp: false }), 30))).out).to.equal("files: as they were\n");
    await ssh("umask 077; cat > /root/key", readFileSync(join(stateDir, "key"), "utf8"));
    await ssh("umask 077; mkdir -p /etc/condor/passwords.d; base64 -d > /etc/condor/passwords.d/POOL; systemctl start condor", poolKeyFile(poolKey).toString("base64"));
    const token = mintIdToken({ poolKey, issuer: domain, subject: workerIdentity(domain), scopes: workerScopes, nowSeconds: Math.floor(Date.now() / 1000) - 5, jti: "first-boot-spec" });
    const server = `require("http").createServer((q,s)=>s.end(q.url==="/v1/enrol"?${JSON.stringify(token)}:"")).listen(9600,"10.77.0.1")`;
    await ssh("cat > /root/enrol.js; systemd-run -q --unit=enrol-for-spec node /root/enrol.js", server);
    await cloud.boot({
      uuid: WORKER, name: "boot-worker-1", cpuMHz: 2000, smp: 1, memoryBytes: 2 ** 29, bootDriveUuid: "disk-w", publicKeys: [], meta: meta(workerUserData(config, { servesDhcp: false })),
      nics: [{ mac: "22:b5:00:00:00:01", vlanUuid: VLAN }],
    });
  });

  after(async () => {
    await cloud?.close();
    if (stateDir) rmSync(stateDir, { recursive: true, force: true });
  });

  it("sets up the master: no failed unit, rules loaded, second card as gateway", async () => {
    const { out } = await ssh("systemctl --failed --no-legend; hostname; ip -4 -o addr show eth1; sysctl -n net.ipv4.ip_forward; nft list table inet elastigrid; id -un grid; test ! -e /etc/sudoers.d/90-cloud-init-users && echo nosudo");
    expect(out.split("\n")[0]).to.equal("master");
    expect(out).to.match(/inet 10\.77\.0\.1\/24/);
    expect(out).to.match(/policy drop/);
    expect(out).to.match(/tcp dport 8080 accept comment "web"/);
    expect(out).to.match(/\ngrid\nnosudo\n$/);
  });

  it("resolves the pool's names on the master, and says at once where there is nobody to ask outside", async () => {
    const { out } = await ssh("cat /etc/resolv.conf; getent hosts master.boot.internal; timeout 2 getent hosts api.example.org; echo $?");
    expect(out).to.match(/^nameserver 127\.0\.0\.1\n10\.77\.0\.1 +master\.boot\.internal.*\n2\n$/);
  });

  it("lets the worker join by itself, named after its server", async () => {
    await until("the worker is in the pool", 30, async () => (await ssh("condor_status -af Machine")).out.includes("w-b5c0ffee"), async () => (await onWorker("systemctl --failed --no-legend; journalctl -n 30 --no-pager -o cat; tail -20 /var/log/condor/*Log")).out);
    const { out } = await ssh("condor_status -af Machine ElastigridServerUuid PartitionableSlot Cpus Memory");
    expect(out.trim()).to.equal(`w-b5c0ffee.${domain} ${WORKER} true 1 384`);
    expect((await onWorker("systemctl --failed --no-legend; stat -c '%a %U' /etc/condor/tokens.d/worker; stat -c %a /etc/condor/tokens.d; hostname -f")).out).to.equal(`600 root\n700\nw-b5c0ffee.${domain}\n`);
  });

  it("publishes the worker's CPU use", async () => {
    await until("ElastigridCpuPercent", 30, async () => /^\d/.test((await ssh("condor_status -af ElastigridCpuPercent")).out), async () => (await onWorker("runuser -u condor -- sh -x /usr/local/libexec/elastigrid-cpu 1; ls -la /tmp; tail -20 /var/log/condor/StartLog")).out);
    expect(Number((await ssh("condor_status -af ElastigridCpuPercent")).out.trim())).to.be.within(0, 100);
  });

  it("runs a job of the user grid, with a file that travels", async () => {
    const submit = "executable = /bin/sh\ntransfer_executable = false\narguments = \"-c 'cat given; hostname'\"\ntransfer_input_files = given\nlog = log\noutput = out\nerror = err\nqueue\n";
    const said = await ssh("runuser -u grid -- sh -c 'mkdir -p ~/j && cd ~/j && echo hello > given && condor_submit - && condor_wait -wait 30 log; cat out err' 2>&1", submit);
    expect(said.out).to.match(/hello\nw-b5c0ffee\n/);
  });

  it("refuses everything else to the worker's token", async () => {
    const { out } = await onWorker("condor_drain -graceful $(hostname -f) 2>&1; condor_off -name master 2>&1; echo 'executable = /bin/true\nqueue' | condor_submit -remote master.boot.internal - 2>&1; condor_status -schedd -af Name");
    expect(out).to.match(/denied|failed|can't|error/i);
    expect((await ssh("condor_status -af State Draining")).out).to.match(/^Unclaimed (false|undefined)/);
    expect((await ssh("condor_q -allusers -af ClusterId")).out).to.equal("");
  });

  it("brings changed files to the running master, and nothing when nothing changed", async () => {
    expect((await ssh("sh -s", pushFilesScript(masterFiles(config, { servesDhcp: false })))).out).to.equal("files: as they were\n");
    const said = await ssh("sh -s 2>&1", pushFilesScript(masterFiles(changed, { servesDhcp: false })));
    expect(said.out).to.match(/files changed: \/etc\/nftables\.conf \/etc\/condor\/config\.d\/80-elastigrid\.config\n/);
    const { out } = await ssh("nft list table inet elastigrid | grep -c 8080; condor_config_val MAX_JOBS_PER_OWNER; systemctl --failed --no-legend");
    expect(out).to.equal("0\n77\n");
  });
});

async function runToEnd(program: string, args: readonly string[], input: string): Promise<{ code: number | null; out: string }> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], timeout: 50_000 });
  let out = "";
  let err = "";
  child.stdout.on("data", (d: Buffer) => (out += d.toString()));
  child.stderr.on("data", (d: Buffer) => (err += d.toString()));
  child.stdin.on("error", () => undefined); // the other side closed first: its exit code tells
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out: code === 0 ? out : out + err };
}
