import { expect } from "chai";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createConnection, type AddressInfo } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import type { Backend, HostSpec } from "../../local-cloud/backend";
import { hostsBackend } from "../../local-cloud/hosts";
import { cacheDir as cacheDirOf } from "../../tools/paths";
import { needHosts } from "../support/lane";

const cacheDir = cacheDirOf();
const ALPHA = "a1000000-0000-4000-8000-000000000001";
const BETA = "b2000000-0000-4000-8000-000000000002";
const VLAN = "c3000000-0000-4000-8000-000000000003";
const MIB = 2 ** 20;

const lan = (card: string, address: string): string =>
  `#cloud-config\n` +
  JSON.stringify({
    write_files: [
      { path: "/etc/ssh/sshd_config.d/10-port.conf", content: "Port 2222\n" },
      { path: "/etc/systemd/network/10-lan.network", content: `[Match]\nName=${card}\n[Network]\nAddress=${address}\nLinkLocalAddressing=no\n` },
      { path: "/root/from-user-data", content: address },
    ],
    runcmd: [["touch", "/root/ran"]],
  });

describe("hosts back end", function () {
  this.timeout(30_000);
  let cloud: Backend, stateDir: string, address: string, settings: Map<string, string>, api: Server | undefined;
  const cards = JSON.stringify(Object.keys(networkInterfaces()));
  const exits: string[] = [];

  const ssh = (command: string): Promise<{ code: number | null; out: string }> =>
    runToEnd("ssh", [
      "-p", "2222", "-i", join(stateDir, "key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
      "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", `root@${address}`, command,
    ]);
  const until = async (what: string, seconds: number, test: () => Promise<boolean> | boolean): Promise<void> => {
    for (const end = Date.now() + seconds * 1000; ; ) {
      if (await test()) return;
      if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s; console:\n${await cloud.consoleTail(ALPHA, 2000)}`);
      await new Promise((r) => setTimeout(r, 100));
    }
  };
  const answersSsh = (): Promise<void> => until("ssh answers", 20, async () => (await ssh("true")).code === 0);
  const alpha = (): HostSpec => ({
    uuid: ALPHA, name: "Alpha Host", cpuMHz: 4000, smp: 2, memoryBytes: 512 * MIB, bootDriveUuid: "disk-a",
    nics: [{ mac: "22:a1:00:00:00:01", publicAddress: address }, { mac: "22:a1:00:00:00:02", vlanUuid: VLAN }],
    meta: { ssh_public_key: readFileSync(join(stateDir, "key.pub"), "utf8"), "cloudinit-user-data": lan("eth1", "10.99.0.1/24") }, publicKeys: [],
  });
  const beta = (): HostSpec => ({
    uuid: BETA, name: "beta", cpuMHz: 1000, smp: 1, memoryBytes: 384 * MIB, bootDriveUuid: "disk-b", nics: [{ mac: "22:b2:00:00:00:01", vlanUuid: VLAN }],
    meta: { "cloudinit-user-data": Buffer.from(lan("eth0", "10.99.0.2/24")).toString("base64"), base64_fields: "cloudinit-user-data" },
    publicKeys: [readFileSync(join(stateDir, "key.pub"), "utf8")],
  });

  before(async function () {
    await needHosts(this);
    settings = sysctls();
    stateDir = mkdtempSync(join(tmpdir(), "elastigrid-hosts-"));
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(stateDir, "key")]);
    cloud = hostsBackend({ stateDir, cacheDir, instance: "spec", publishPorts: [2222] });
    cloud.events.on("exit", (uuid, reason_) => exits.push(`${uuid} ${reason_ ?? "clean"}`));
    await cloud.open();
    address = cloud.publicAddresses()[0] as string;
    await cloud.createDrive("disk-a", cloud.images[0]?.uuid);
    await cloud.createDrive("disk-b", cloud.images[0]?.uuid);
    await Promise.all([cloud.boot(alpha()), cloud.boot(beta())]);
    await answersSsh();
  });

  after(async () => {
    api?.close();
    await cloud?.close();
    if (stateDir) rmSync(stateDir, { recursive: true, force: true });
  });

  it("runs user data, and names the host after the server", async () => {
    await until("user data ran", 15, async () => (await ssh("test -e /root/ran")).code === 0);
    const { out } = await ssh("cat /root/from-user-data; echo; hostname; cat /var/lib/cloud/data/instance-id; systemctl --failed --no-legend");
    expect(out.trim().split("\n")).to.deep.equal(["10.99.0.1/24", "alpha-host", ALPHA]);
  });

  it("gives the public card its address by DHCP, and keeps the order of the cards", async () => {
    const { out } = await ssh("ip -4 -o addr show eth0; cat /sys/class/net/eth0/address /sys/class/net/eth1/address; ip route show default");
    expect(out).to.match(/inet 198\.51\.100\.2\/24 .*dynamic/);
    expect(out).to.match(/22:a1:00:00:00:01\n22:a1:00:00:00:02\n/);
    expect(out).to.match(/default via 198\.51\.100\.1 dev eth0/);
  });

  it("joins the guests of a VLAN at layer 2", async () => {
    await until("ping over the VLAN", 10, async () => (await ssh("ping -c1 -W1 10.99.0.2")).code === 0);
    await until("TCP over the VLAN", 10, async () => (await ssh("timeout 2 bash -c 'read -r l </dev/tcp/10.99.0.2/2222; echo $l' | grep -q ^SSH")).code === 0);
  });

  it("refuses what leads out of the cloud at once", async () => {
    const { out, code } = await ssh("timeout 3 ping -c1 192.0.2.1; date +%s");
    expect(code).to.equal(0);
    expect(out).to.match(/unreachable/i);
  });

  it("lets guests reach the API", async () => {
    api = createServer((req, res) => res.end(`seen ${req.url}`));
    await new Promise<void>((r) => api?.listen(0, "127.0.0.1", r));
    const endpoint = cloud.guestEndpoint({ host: "127.0.0.1", port: (api.address() as AddressInfo).port });
    await until("the gateway answers", 5, async () => (await ssh(`curl -fsS -m 3 ${endpoint}`)).out === "seen /api/2.0/");
  });

  it("holds guests to their CPU and memory", async () => {
    const join_ = 'for f; do echo 0 > "$f/cgroup.procs"; done; exec timeout 3 sh -c "while :; do :; done"';
    const burner = spawn("sh", ["-c", join_, "sh", ...cgroupFolders("spec").filter((f) => f.endsWith(BETA)).map(leaf)], { stdio: "ignore" });
    const from = usageOf(BETA);
    await new Promise((r) => setTimeout(r, 1500));
    const spent = usageOf(BETA) - from;
    burner.kill();
    expect(spent).to.be.within(100_000, 1_100_000); // half a vcpu for 1.5 s is 0.75 s
    expect(Number((await ssh("awk '/usage_usec/ {print $2}' /sys/fs/cgroup/cpu.stat")).out)).to.be.within(100_000, usageOf(ALPHA));
    const hog = await ssh("head -c 700000000 /dev/zero | tail | wc -c");
    expect(hog.out.trim()).to.not.equal("700000000");
  });

  it("keeps the kernel's settings out of the guests' reach", async () => {
    const { out } = await ssh("sysctl -w vm.swappiness=1 kernel.pid_max=99999 2>&1; sysctl -w net.ipv4.ip_forward=1; date -s 2001-01-01 2>&1; mknod /root/disk b 8 0 2>&1");
    expect(out).to.match(/denied on key "vm\.swappiness"|vm\.swappiness.*read-only/i);
    expect(out).to.match(/net\.ipv4\.ip_forward = 1/);
    expect(out).to.match(/cannot set date/);
    expect(out).to.match(/mknod.*not permitted/);
  });

  it("refuses a second instance on the same state folder, and a drive in use", async () => {
    const second = hostsBackend({ stateDir, cacheDir, instance: "second", log: () => undefined });
    expect(await failure(second.open())).to.match(/another local-cloud uses this state folder/);
    expect(await failure(cloud.boot({ ...alpha(), uuid: "d4000000-0000-4000-8000-000000000004" }))).to.match(/in use by running server/);
    await cloud.createDrive("disk-empty");
    expect(await failure(cloud.boot({ ...beta(), uuid: "d4000000-0000-4000-8000-000000000004", bootDriveUuid: "disk-empty" }))).to.match(/no operating system/);
  });

  it("shows the console, and boots again after a reboot from inside", async () => {
    expect(await cloud.consoleTail(ALPHA, 100_000)).to.match(/Welcome to Debian/);
    const first = (await ssh("cat /proc/sys/kernel/random/boot_id; stat -c %Y /proc/1; touch /root/kept; systemctl reboot")).out;
    await until("the guest is back", 20, async () => {
      const { code, out } = await ssh("cat /proc/sys/kernel/random/boot_id; stat -c %Y /proc/1; test -e /root/kept");
      return code === 0 && out !== first;
    });
    expect(await cloud.isRunning(ALPHA)).to.equal(true);
  });

  it("powers off on ACPI and says so; the address then refuses", async () => {
    const off = once(cloud.events, "exit");
    await cloud.pressPower(ALPHA);
    expect(await off).to.deep.equal([ALPHA, undefined]);
    expect(await cloud.isRunning(ALPHA)).to.equal(false);
    expect(await failure(connect(address, 2222))).to.match(/ECONNREFUSED/);
  });

  it("copies a drive with everything written to it", async () => {
    await cloud.createDrive("disk-copy", "disk-a");
    await cloud.boot({ ...alpha(), bootDriveUuid: "disk-copy" });
    await answersSsh();
    expect((await ssh("test -e /root/kept")).code).to.equal(0);
  });

  it("ends everything of an unplugged guest", async () => {
    const pid = firstProcessOf(BETA);
    await cloud.unplug(BETA);
    expect(await cloud.isRunning(BETA)).to.equal(false);
    expect(alive(pid)).to.equal(false);
    expect(cgroupFolders("spec").filter((f) => f.includes(BETA))).to.deep.equal([]);
    expect(exits).to.include(`${BETA} clean`);
    await cloud.unplug(BETA);
  });

  it("leaves nothing behind when its owner is killed", async () => {
    const home = join(stateDir, "owned");
    const owner = spawn(process.execPath, [join(__dirname, "../support/hosts-owner.js"), home, cacheDir], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(owner.stdout, "data");
      await until("it booted", 10, () => membersOf("owner").length > 5);
      const pids = [...membersOf("owner"), ...descendants(owner.pid as number)];
      owner.kill("SIGKILL");
      await until("all its processes are gone", 2, () => pids.every((p) => !alive(p)));
    } finally {
      owner.kill("SIGKILL");
    }
    expect(readFileSync("/proc/self/mountinfo", "utf8")).to.not.contain("elastigrid");
    const next = hostsBackend({ stateDir: home, cacheDir, instance: "owner", publishPorts: [2222] });
    await next.open();
    expect(cgroupFolders("owner")).to.deep.equal([]);
    await next.close();
  });

  it("leaves the computer as it was", async () => {
    await cloud.close();
    expect(cgroupFolders("spec")).to.deep.equal([]);
    expect(JSON.stringify(Object.keys(networkInterfaces()))).to.equal(cards);
    const now = sysctls();
    expect([...settings].filter(([k, v]) => now.get(k) !== v)).to.deep.equal([]);
  });
});


function runToEnd(command: string, args: string[]): Promise<{ code: number | null; out: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], timeout: 20_000, killSignal: "SIGKILL" });
    let out = "";
    child.stdout.on("data", (d: Buffer) => (out += d.toString()));
    child.stderr.on("data", (d: Buffer) => (out += command === "ssh" && /Connection|kex_exchange/.test(d.toString()) ? "" : d.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out }));
  });
}

const failure = (p: Promise<unknown>): Promise<string> => p.then(() => "it did not fail", (e: Error) => e.message || String(e));

const connect = (host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const s = createConnection({ host, port }, () => {
      s.destroy();
      resolve();
    });
    s.on("error", reject);
  });

const alive = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false; // no such process
  }
};

const cgroupRoots = (): string[] =>
  readFileSync("/proc/self/mountinfo", "utf8").split("\n").filter((l) => / - cgroup2? /.test(l)).map((l) => l.split(" ")[4] as string);

const cgroupFolders = (instance: string): string[] =>
  cgroupRoots().flatMap((r) => readdirSync(r).filter((n) => n.startsWith(`elastigrid-${instance}`)).map((n) => join(r, n)));

const processes = (): number[] => readdirSync("/proc").filter((n) => /^\d+$/.test(n)).map(Number);

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // a process that ended while we looked, or a setting that only takes writes
  }
};

/** Processes in cgroups of an instance or of a server. */
const membersOf = (part: string): number[] => processes().filter((p) => /elastigrid-\S*/.exec(read(`/proc/${p}/cgroup`))?.[0].includes(part));

/** The guest's pid 1 as this computer sees it: in the server's cgroup, second-level pid 1. */
const firstProcessOf = (uuid: string): number => {
  const found = membersOf(uuid).find((p) => /^NSpid:.*\t1$/m.test(read(`/proc/${p}/status`)));
  if (found === undefined) throw new Error(`no first process of ${uuid}`);
  return found;
};

const descendants = (pid: number): number[] => {
  const children = processes().filter((p) => new RegExp(`^PPid:\\t${pid}$`, "m").test(read(`/proc/${p}/status`)));
  return children.flatMap((c) => [c, ...descendants(c)]);
};

const usageOf = (uuid: string): number =>
  Math.max(...cgroupFolders("spec").filter((f) => f.endsWith(uuid)).map((f) => Number(/usage_usec (\d+)/.exec(read(join(f, "cpu.stat")))?.[1] ?? -1)));

/** Where systemd has moved its own process, other processes must go below too. */
const leaf = (folder: string): string => (readdirSync(folder).includes("init.scope") ? join(folder, "init.scope") : folder);

function sysctls(): Map<string, string> {
  const found = new Map<string, string>();
  const moving = /random|ns_last_pid|pty\/nr|file-nr|inode|dentry|stat_refresh|compact_memory|drop_caches|aio-nr|perf_event_max_sample_rate|nr_hugepages_mempolicy/;
  const walk = (folder: string): void => {
    for (const e of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, e.name);
      if (moving.test(path)) continue;
      if (e.isDirectory()) walk(path);
      else found.set(path, read(path));
    }
  };
  for (const part of ["fs", "kernel", "vm"]) walk(join("/proc/sys", part));
  return found;
}
