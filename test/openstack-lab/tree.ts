import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Places } from "./places";

const SUITE = "bookworm";

/** Debian 12's OpenStack (Zed), its helpers, and the clients. */
const PACKAGES = [
  "keystone", "glance-api", "placement-api", "nova-api", "nova-conductor", "nova-scheduler", "nova-compute-qemu",
  "neutron-server", "neutron-linuxbridge-agent", "neutron-l3-agent", "neutron-dhcp-agent", "neutron-metadata-agent",
  "heat-api", "heat-api-cfn", "heat-engine", "gnocchi-api", "gnocchi-metricd",
  "aodh-api", "aodh-evaluator", "aodh-notifier", "aodh-listener",
  "mariadb-server", "rabbitmq-server", "memcached", "uwsgi-core", "uwsgi-plugin-python3",
  "python3-openstackclient", "python3-heatclient", "python3-gnocchiclient", "python3-aodhclient", "python3-pymysql", "python3-memcache",
  "cinder-api", "cinder-scheduler", "cinder-volume", "python3-cinderclient",
  "haproxy", "dnsmasq-base", "ebtables", "ipset", "conntrack", "iputils-arping", "iputils-ping", "bridge-utils", "curl", "iproute2", "procps",
  "libvirt-daemon", "libvirt-daemon-system", "libvirt-clients", "libvirt-daemon-driver-lxc", "libvirt-daemon-driver-qemu",
  "qemu-system-x86", "qemu-utils", "genisoimage",
] as const;

/** Folders that the lab mounts something on; the tree itself is mounted read-only. */
const MOUNT_POINTS = ["lab", "proc", "sys", "dev", "run", "tmp", "var/log", "var/tmp"] as const;

const FILES: Readonly<Record<string, string>> = {
  "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 oslab\n",
  "etc/hostname": "oslab\n",
  "etc/resolv.conf": "",
};

export const treeHash = (): string => createHash("sha256").update(JSON.stringify([SUITE, PACKAGES, MOUNT_POINTS, FILES])).digest("hex").slice(0, 12);

const treeLocation = (places: Places): { home: string; path: string; stamp: string } => {
  const home = join(places.trees, treeHash());
  return { home, path: join(home, "tree"), stamp: join(home, "stamp.json") };
};

export const treePath = (places: Places): string => treeLocation(places).path;
export const hasTree = (places: Places): boolean => existsSync(treeLocation(places).stamp) && existsSync(treePath(places));

/**
 * Installs OpenStack's packages into a tree of their own, once per list of packages. Interrupted at any point it begins
 * anew the next time. The caller holds the command lock.
 */
export async function ensureTree(places: Places, progress: (line: string) => void, signal?: AbortSignal): Promise<void> {
  if (hasTree(places)) return;
  const at = treeLocation(places);
  await mkdir(at.home, { recursive: true });
  for (const name of await readdir(at.home)) await rm(join(at.home, name), { recursive: true, force: true });
  const making = join(at.home, `making-${process.pid}`);
  const started = Date.now();
  const seconds = (): number => Math.round((Date.now() - started) / 1000);
  progress(`packages: installing OpenStack from Debian ${SUITE} into a tree of its own (about 5 minutes, about 2.2 GB, once)`);
  const tick = setInterval(() => progress(`packages: ${seconds()} s so far`), 30_000);
  try {
    await install(making, signal);
    for (const folder of MOUNT_POINTS) await mkdir(join(making, folder), { recursive: true });
    for (const [path, text] of Object.entries(FILES)) {
      await rm(join(making, path), { force: true });
      await writeFile(join(making, path), text);
    }
    await rename(making, at.path);
  } catch (e) {
    await rm(making, { recursive: true, force: true });
    throw e;
  } finally {
    clearInterval(tick);
  }
  await writeFile(`${at.stamp}.new`, JSON.stringify({ suite: SUITE, builtAt: new Date().toISOString(), seconds: seconds() }) + "\n");
  await rename(`${at.stamp}.new`, at.stamp);
  for (const other of await readdir(places.trees)) {
    if (other !== treeHash()) await rm(join(places.trees, other), { recursive: true, force: true });
  }
  progress(`packages: ready after ${seconds()} s`);
}

const install = (target: string, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const mmdebstrap = [
      "mmdebstrap", "--mode=root", "--variant=minbase", '--aptopt=Acquire::Languages "none"', '--aptopt=APT::Install-Recommends "false"',
      '--aptopt=Acquire::Retries "3"', "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
      "--dpkgopt=path-exclude=/usr/share/doc/*", `--include=${PACKAGES.join(",")}`, SUITE, target,
    ];
    // Namespaces that die with us: an interrupted build leaves no installer and no mount behind. No network namespace: it downloads.
    const argv = ["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", ...mmdebstrap];
    const child = spawn("setpriv", argv, {
      stdio: ["ignore", "ignore", "pipe"],
      signal,
      killSignal: "SIGKILL",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", HOME: "/root", LANG: "C.UTF-8", ...proxies() },
    });
    let stderr = "";
    child.stderr.on("data", (d: Buffer) => (stderr = (stderr + d.toString()).slice(-4000)));
    child.on("error", reject);
    child.on("close", (code, sig) => {
      const said = stderr.trim().split("\n").slice(-12).join("\n");
      if (code === 0) resolve();
      else if (code === 127) reject(new Error(`mmdebstrap is missing (${said}); install it: apt-get install -y mmdebstrap`));
      else reject(new Error(`packages: mmdebstrap ended with ${code ?? sig}; its last lines:\n${said}`));
    });
  });

const proxies = (): Record<string, string> =>
  Object.fromEntries(["http_proxy", "https_proxy", "no_proxy"].flatMap((k) => (process.env[k] ? [[k, process.env[k] as string]] : [])));
