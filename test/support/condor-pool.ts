import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseGridConfig } from "../../components/config/schema";
import { poolDomain } from "../../components/policy/names";
import { mintIdToken, poolKeyFile, workerIdentity, workerScopes } from "../../components/policy/tokens";
import { masterUserData, workerUserData } from "../../components/render/cloud-init";
import { HtcondorQueue } from "../../controller/adapters/htcondor-queue";
import type { Connect } from "../../controller/adapters/tcp-probe";
import type { RunCommand } from "../../controller/run-command";
import { Master, RemoteError } from "../../demo/ssh";
import type { Backend, HostSpec } from "../../local-cloud/backend";
import { hostsBackend } from "../../local-cloud/hosts";
import { cacheDir } from "../../tools/paths";

const MASTER = "a7000000-0000-4000-8000-000000000001";
const VLAN = "c7000000-0000-4000-8000-000000000003";
const POOL_KEY = "7a".repeat(32);
const POLL_MS = 100;

export interface CondorPoolOptions {
  /** Names the pool, and with it everything that it makes on this computer. */
  readonly name: string;
  /** How many at once, with how many slots of one vcpu each. */
  readonly workers: number;
  readonly vcpus: number;
  /** HTCondor's settings for all of them, over those of the product. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/**
 * Real HTCondor on real hosts, with exactly the product's configuration and no controller: a spec plays its part. Master and
 * workers boot from the rendered user data.
 */
export class CondorPool {
  readonly queue: HtcondorQueue;
  private readonly stateDir: string;
  private readonly config;
  private cloud!: Backend;
  private master!: Master;

  constructor(private readonly options: CondorPoolOptions) {
    const { name, vcpus, settings = {} } = options;
    this.stateDir = mkdtempSync(join(tmpdir(), `elastigrid-${name}-`));
    this.config = parseGridConfig({ name, ssh: { port: 2222 }, workers: { vcpus, memory: `${Math.max(512, 256 * vcpus)} MiB` }, condor: { settings } });
    this.queue = new HtcondorQueue({ run: this.run, connect: this.connect });
  }

  /** Full name of the worker with that number, from 1. */
  machine(n: number): string {
    return `w-${uuidOf(n).slice(0, 8)}.${poolDomain(this.config.name)}`;
  }

  async open(): Promise<void> {
    const { name, workers } = this.options;
    const domain = poolDomain(name);
    const keyFile = join(this.stateDir, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", keyFile]);
    this.cloud = hostsBackend({ stateDir: this.stateDir, cacheDir: cacheDir(), instance: `${name}-spec`, publishPorts: [2222] });
    await this.cloud.open();
    const address = this.cloud.publicAddresses()[0] as string;
    await this.cloud.createDrive("disk-m", this.cloud.images[0]?.uuid);
    await this.cloud.boot({
      uuid: MASTER, name: "master", cpuMHz: 4000, smp: 2, memoryBytes: 2 ** 30, bootDriveUuid: "disk-m", publicKeys: [], meta: this.meta(masterUserData(this.config, { servesDhcp: false })),
      nics: [{ mac: "22:a7:00:00:00:01", publicAddress: address }, { mac: "22:a7:00:00:00:02", vlanUuid: VLAN }],
    });
    this.master = new Master({ address, port: 2222, user: "root", privateKey: readFileSync(keyFile, "utf8") }, this.stateDir);
    await this.until("the master is set up", 40, () => this.master.run("systemctl is-active dnsmasq").then(() => true, () => false));
    await this.onMaster("umask 077; cat > /root/key", readFileSync(keyFile, "utf8"));
    await this.onMaster("umask 077; mkdir -p /etc/condor/passwords.d; base64 -d > /etc/condor/passwords.d/POOL; systemctl start condor", poolKeyFile(POOL_KEY).toString("base64"));
    const token = mintIdToken({ poolKey: POOL_KEY, issuer: domain, subject: workerIdentity(domain), scopes: workerScopes, nowSeconds: Math.floor(Date.now() / 1000) - 5, jti: name });
    const server = `require("http").createServer((q,s)=>s.end(q.url==="/v1/enrol"?${JSON.stringify(token)}:"")).listen(9600,"10.77.0.1")`;
    await this.onMaster("cat > /root/enrol.js; systemd-run -q --unit=enrol-for-spec node /root/enrol.js", server);
    const numbers = Array.from({ length: workers }, (_, i) => i + 1);
    await Promise.all(numbers.map((n) => this.bootWorker(n)));
    await this.until("all workers are in the pool", 45, async () => (await this.onMaster("condor_status -af Machine")).split("\n").filter(Boolean).length === workers);
  }

  async close(): Promise<void> {
    await this.master?.close();
    await this.cloud?.close();
    rmSync(this.stateDir, { recursive: true, force: true });
  }

  /** What root's shell on the master prints; rejects when the command fails. */
  readonly onMaster = (command: string, input = ""): Promise<string> => this.master.run(command, input, 60_000);

  onWorker(n: number, command: string): Promise<string> {
    const options = "-i /root/key -o StrictHostKeyChecking=no -o LogLevel=ERROR -o BatchMode=yes -o ConnectTimeout=5 -o ControlMaster=auto -o ControlPath=/root/.c-%h -o ControlPersist=60";
    return this.onMaster(`ssh ${options} root@$(awk '$4 == "w-${uuidOf(n).slice(0, 8)}" || $2 == "${macOf(n)}" {print $3; exit}' /var/lib/misc/dnsmasq.leases) ${quoted(command)}`);
  }

  /** The worker's plug is pulled: no goodbye, no closed connection. */
  unplug(n: number): Promise<void> {
    return this.cloud.unplug(uuidOf(n));
  }

  /** No packet of the worker reaches anybody, nor anybody's reaches it, for that long; its processes go on. */
  async cut(n: number, seconds: number): Promise<void> {
    const chains = [["input", "iif"], ["output", "oif"]].map(([hook, card]) => `nft 'add chain inet cut ${hook} { type filter hook ${hook} priority -300; policy drop; }'; nft add rule inet cut ${hook} ${card} lo accept`);
    const script = ["nft add table inet cut", ...chains, `sleep ${seconds}`, "nft delete table inet cut"].join("; ");
    // A second later, so that this very connection still gets its answer.
    await this.onWorker(n, `systemd-run -q sh -c ${quoted(`sleep 1; ${script}`)}`);
  }

  /** A submit description, as the user grid, with a log `~/log`; answers the cluster. */
  async submit(description: string): Promise<number> {
    const said = await this.onMaster("runuser -u grid -- sh -c 'cd && condor_submit -terse -'", `log = /home/grid/log\n${description}\n`);
    return Number(said.split(".")[0]);
  }

  /** How often each kind of event is in the jobs' log, by HTCondor's number: 1 started, 4 evicted, 5 ended, 22 disconnected, 23 reconnected, 24 not reconnected. */
  async events(): Promise<Readonly<Record<number, number>>> {
    const lines = (await this.onMaster("grep -ohE '^0[0-9]{2} ' /home/grid/log | sort | uniq -c || true")).trim().split("\n");
    return Object.fromEntries(lines.map((l) => l.trim().split(/\s+/)).filter((p) => p.length === 2).map(([count, event]) => [Number(event), Number(count)]));
  }

  async until(what: string, seconds: number, test: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + seconds * 1000; !(await test()); await new Promise((r) => setTimeout(r, POLL_MS))) {
      if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s\nmaster's console:\n${await this.cloud.consoleTail(MASTER, 2000)}`);
    }
  }

  private readonly run: RunCommand = async (program, args, { input }) => {
    try {
      return { code: 0, stdout: await this.onMaster([program, ...args].map(quoted).join(" "), input), stderr: "", timedOut: false };
    } catch (e) {
      return { code: e instanceof RemoteError ? (e.code ?? -1) : -1, stdout: "", stderr: e instanceof Error ? e.message : String(e), timedOut: false };
    }
  };

  /** As the controller on the master would. */
  private readonly connect: Connect = async (host, port, timeoutMs) => {
    const script = `const s=require("net").connect(${port},"${host}");s.on("connect",()=>end(""));s.on("error",(e)=>end(e.code));setTimeout(()=>end("TIMEOUT"),${timeoutMs});function end(t){console.log(t);process.exit()}`;
    return (await this.onMaster("node -", script)).trim() || undefined;
  };

  private async bootWorker(n: number): Promise<void> {
    const { vcpus, memoryMiB } = this.config.workers;
    await this.cloud.createDrive(`disk-${n}`, this.cloud.images[0]?.uuid);
    await this.cloud.boot({
      uuid: uuidOf(n), name: `worker-${n}`, cpuMHz: 2000 * vcpus, smp: vcpus, memoryBytes: memoryMiB * 2 ** 20, bootDriveUuid: `disk-${n}`, publicKeys: [],
      meta: this.meta(workerUserData(this.config, { servesDhcp: false })), nics: [{ mac: macOf(n), vlanUuid: VLAN }],
    });
  }

  private meta(userData: string): HostSpec["meta"] {
    return { ssh_public_key: readFileSync(join(this.stateDir, "key.pub"), "utf8"), "cloudinit-user-data": userData };
  }
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
const uuidOf = (n: number): string => `b7c0ff${n.toString(16).padStart(2, "0")}-0000-4000-8000-000000000002`;
const macOf = (n: number): string => `22:b7:00:00:00:${n.toString(16).padStart(2, "0")}`;
