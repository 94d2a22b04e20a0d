import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GridConfig } from "../../components/config/grid-config";
import { poolDomain, workerHostname } from "../../components/policy/names";
import { enrolmentPort } from "../../components/policy/ports";
import { bytes, cpuMHz } from "../../components/policy/sizes";
import { mintIdToken, poolKeyFile, workerIdentity, workerScopes } from "../../components/policy/tokens";
import { masterUserData, workerUserData } from "../../components/render/cloud-init";
import type { Backend, HostSpec } from "../../local-cloud/backend";
import { hostsBackend } from "../../local-cloud/hosts";
import { cacheDir as cacheDirOf } from "../../tools/paths";

export interface CommandSaid {
  readonly code: number | null;
  readonly out: string;
}

/** Master and workers from their rendered user data, on real hosts. No controller: the pool enrols whoever asks. */
export class CondorPool {
  static readonly masterUuid = "a7000000-0000-4000-8000-000000000001";
  private readonly vlan = "c7000000-0000-4000-8000-000000000003";
  private readonly poolKey = "5e".repeat(32);
  private readonly stateDir = mkdtempSync(join(tmpdir(), "elastigrid-pool-"));
  private readonly keyFile = join(this.stateDir, "key");
  private address = "";

  private constructor(private readonly config: GridConfig, private readonly cloud: Backend) {}

  /** `name` tells instances apart, and is the grid's name too. Users may submit from the start; workers come with `addWorker`. */
  static async open(config: GridConfig, users: readonly string[]): Promise<CondorPool> {
    const stateDir = mkdtempSync(join(tmpdir(), "elastigrid-pool-"));
    const cloud = hostsBackend({ stateDir, cacheDir: cacheDirOf(), instance: `${config.name}-spec`, publishPorts: [config.ssh.port] });
    const pool = new CondorPool(config, cloud);
    pool.folders.push(stateDir, pool.stateDir);
    try {
      await pool.start(users);
      return pool;
    } catch (e) {
      await pool.close();
      throw e;
    }
  }
  private readonly folders: string[] = [];

  private async start(users: readonly string[]): Promise<void> {
    const { cloud, config } = this;
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", this.keyFile]);
    await cloud.open();
    this.address = cloud.publicAddresses()[0] as string;
    await cloud.createDrive("disk-m", cloud.images[0]?.uuid);
    await cloud.boot({
      uuid: CondorPool.masterUuid, name: `${config.name}-master`, cpuMHz: cpuMHz(2), smp: 2, memoryBytes: bytes(1024), bootDriveUuid: "disk-m", publicKeys: [],
      meta: this.meta(masterUserData(config, { servesDhcp: false })),
      nics: [{ mac: "22:a7:00:00:00:01", publicAddress: this.address }, { mac: "22:a7:00:00:00:02", vlanUuid: this.vlan }],
    });
    await this.until("the master answers", 40, async () => (await this.master("true")).code === 0);
    for (const user of users) await this.master(`useradd -m -s /bin/bash ${user}`);
    await this.master("umask 077; cat > /root/key", readFileSync(this.keyFile, "utf8"));
    await this.master("umask 077; mkdir -p /etc/condor/passwords.d; base64 -d > /etc/condor/passwords.d/POOL; systemctl start condor", poolKeyFile(this.poolKey).toString("base64"));
    const domain = poolDomain(config.name);
    const token = mintIdToken({ poolKey: this.poolKey, issuer: domain, subject: workerIdentity(domain), scopes: workerScopes, nowSeconds: Math.floor(Date.now() / 1000) - 5, jti: "pool-for-spec" });
    const server = `require("http").createServer((q,s)=>s.end(q.url==="/v1/enrol"?${JSON.stringify(token)}:"")).listen(${enrolmentPort},"10.77.0.1")`;
    await this.master("cat > /root/enrol.js; systemd-run -q --unit=enrol-for-spec node /root/enrol.js", server);
  }

  /** Boots worker `n` (from 1) as the configuration says, or of another one; answers its host name once the pool shows it. */
  async addWorker(n: number, config = this.config): Promise<string> {
    const uuid = `b7c0ff${String(n).padStart(2, "0")}-0000-4000-8000-000000000002`;
    const { vcpus, memoryMiB } = config.workers;
    await this.cloud.createDrive(`disk-w${n}`, this.cloud.images[0]?.uuid);
    await this.cloud.boot({
      uuid, name: `${config.name}-worker-${n}`, cpuMHz: cpuMHz(vcpus), smp: vcpus, memoryBytes: bytes(memoryMiB), bootDriveUuid: `disk-w${n}`, publicKeys: [],
      meta: this.meta(workerUserData(config, { servesDhcp: false })), nics: [{ mac: `22:b7:00:00:00:${String(n).padStart(2, "0")}`, vlanUuid: this.vlan }],
    });
    const host = workerHostname(uuid);
    await this.until(`${host} is in the pool`, 40, async () => (await this.master("condor_status -af Machine")).out.includes(host), () => this.cloud.consoleTail(uuid, 2000));
    return host;
  }

  /** A command of root on the master. */
  master(command: string, input = ""): Promise<CommandSaid> {
    const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes", "ConnectTimeout=5"].flatMap((o) => ["-o", o]);
    return runToEnd("ssh", ["-p", String(this.config.ssh.port), "-i", this.keyFile, ...options, `root@${this.address}`, command], input);
  }

  /** A command of a user on the master, in the home folder. */
  as(user: string, command: string, input = ""): Promise<CommandSaid> {
    return this.master(`runuser -l ${user} -c ${quoted(command)} 2>&1`, input);
  }

  /** A command of root on a worker, by way of the master. */
  worker(host: string, command: string, input = ""): Promise<CommandSaid> {
    return this.master(`ssh -i /root/key -o StrictHostKeyChecking=no -o LogLevel=ERROR -o BatchMode=yes -o ConnectTimeout=5 root@${host} ${quoted(command)}`, input);
  }

  /** Submits what `text` describes; answers the cluster's number. */
  async submit(user: string, text: string): Promise<number> {
    const { code, out } = await this.as(user, "cat > submitted && condor_submit -terse submitted", text);
    const cluster = /^(\d+)\.\d+ - /m.exec(out)?.[1];
    if (code !== 0 || cluster === undefined) throw new Error(`condor_submit of ${user} said: ${out}`);
    return Number(cluster);
  }

  /** Attributes of a job, wherever it is: the queue, else the history. */
  async job(cluster: number, ...attributes: readonly string[]): Promise<string> {
    const af = attributes.join(" ");
    const queued = (await this.master(`condor_q -allusers ${cluster} -af ${af}`)).out.trim();
    return queued !== "" ? queued : (await this.master(`condor_history ${cluster} -limit 1 -af ${af}`)).out.trim();
  }

  async until(what: string, seconds: number, test: () => Promise<boolean>, more: () => Promise<string> = async () => ""): Promise<void> {
    for (const end = Date.now() + seconds * 1000; ; ) {
      if (await test()) return;
      if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s\n${await more()}`);
      await new Promise((r) => setTimeout(r, 200));
    }
  }

  async close(): Promise<void> {
    await this.cloud.close();
    for (const folder of this.folders) rmSync(folder, { recursive: true, force: true });
  }

  private meta(userData: string): HostSpec["meta"] {
    return { ssh_public_key: readFileSync(`${this.keyFile}.pub`, "utf8"), "cloudinit-user-data": userData };
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

async function runToEnd(program: string, args: readonly string[], input: string): Promise<CommandSaid> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], timeout: 90_000 });
  let out = "", err = "";
  child.stdout.on("data", (d: Buffer) => (out += d.toString()));
  child.stderr.on("data", (d: Buffer) => (err += d.toString()));
  child.stdin.on("error", () => undefined); // the other side closed first: its exit code tells
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out: code === 0 ? out : out + err };
}
