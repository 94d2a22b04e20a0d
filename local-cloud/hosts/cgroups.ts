import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rmdir, stat, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { messageOf } from "./run";

/** One vcpu of the cloud, as the rest of the project counts. */
const MHZ_PER_VCPU = 2000;
const PERIOD_US = 100_000;

/** Where this computer's controllers are mounted: all in one tree (version 2), or cpu and memory apart (version 1). */
export interface CgroupLayout {
  readonly unified: string;
  readonly cpuV1?: string;
  readonly memoryV1?: string;
  /** Hierarchies of version 1 for HTCondor in the guests: where memory is in version 1 it cannot be in version 2, and HTCondor wants all of these. */
  readonly forGuests: readonly GuestHierarchy[];
}

export interface GuestHierarchy {
  readonly point: string;
  /** The controllers, as mount wants them: a hierarchy can only be mounted with the ones it has. */
  readonly controllers: string;
  /** Its folder in what the guest's HTCondor sees as /sys/fs/cgroup. */
  readonly folder: string;
}

/** What HTCondor looks for under version 1, and the controller by which each is known. */
const HTCONDOR_V1: ReadonlyArray<readonly [controller: string, folder: string]> = [
  ["memory", "memory"], ["cpuacct", "cpu,cpuacct"], ["freezer", "freezer"], ["devices", "devices"],
];

export interface Limits {
  readonly cpuMHz: number;
  readonly memoryBytes: number;
}

export const parseLayout = (mountinfo: string): CgroupLayout => {
  let unified: string | undefined, cpuV1: string | undefined, memoryV1: string | undefined;
  const v1 = new Map<string, GuestHierarchy>();
  for (const line of mountinfo.split("\n")) {
    const [left, right] = line.split(" - ");
    const point = left?.split(" ")[4];
    const [type, , options] = right?.split(" ") ?? [];
    if (point === undefined) continue;
    if (type === "cgroup2") unified ??= point;
    if (type === "cgroup" && options?.split(",").includes("cpu")) cpuV1 ??= point;
    if (type === "cgroup" && options?.split(",").includes("memory")) memoryV1 ??= point;
    const controllers = (options ?? "").split(",").filter((o) => !MOUNT_FLAGS.has(o)).join(",");
    for (const [controller, folder] of HTCONDOR_V1)
      if (type === "cgroup" && controllers.split(",").includes(controller) && !v1.has(folder)) v1.set(folder, { point, controllers, folder });
  }
  if (unified === undefined) throw new Error("no cgroup2 file system is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup/unified");
  // All or none: with a part of them HTCondor would find version 1 and then fail at the first job.
  const forGuests = HTCONDOR_V1.every(([, folder]) => v1.has(folder)) ? [...v1.values()] : [];
  return { unified, cpuV1, memoryV1, forGuests };
};

/** Stand among the controllers in mountinfo. */
const MOUNT_FLAGS = new Set(["rw", "ro", "xattr", "clone_children", "noprefix"]);

/** Microseconds of CPU per period: the MHz bought, but never more than this computer has. */
export const quotaUs = (cpuMHz: number, cores: number): number =>
  Math.max(1000, Math.min(Math.round((cpuMHz / MHZ_PER_VCPU) * PERIOD_US), cores * PERIOD_US));

/** The cgroup folders of one instance's guests; their names carry the instance, so that strangers' stay untouched. */
export class Cgroups {
  private constructor(
    private readonly layout: CgroupLayout,
    private readonly prefix: string,
    private readonly warn: (text: string) => void,
  ) {}

  static async open(prefix: string, warn: (text: string) => void): Promise<Cgroups> {
    return new Cgroups(parseLayout(await readFile("/proc/self/mountinfo", "utf8")), prefix, warn);
  }

  /** `folder=controllers`, for the guest to mount: see guestInitScript. */
  guestMounts(): string[] {
    return this.layout.forGuests.map((h) => `${h.folder}=${h.controllers}`);
  }

  private roots(): string[] {
    const { unified, cpuV1, memoryV1, forGuests } = this.layout;
    return [...new Set([unified, cpuV1, memoryV1, ...forGuests.map((h) => h.point)].filter((r): r is string => r !== undefined))];
  }

  /** Makes the folders with their limits; answers those that the guest's first process must join. */
  async create(uuid: string, limits: Limits): Promise<string[]> {
    const name = `${this.prefix}-${uuid}`;
    const folders = this.roots().map((r) => join(r, name));
    for (const f of folders) await mkdir(f, { recursive: true });
    const { unified, cpuV1, memoryV1 } = this.layout;
    const quota = quotaUs(limits.cpuMHz, cpus().length);
    if (cpuV1 === undefined || memoryV1 === undefined) await this.delegate(unified);
    if (cpuV1 !== undefined) {
      await this.set(join(cpuV1, name, "cpu.cfs_period_us"), String(PERIOD_US));
      await this.set(join(cpuV1, name, "cpu.cfs_quota_us"), String(quota));
    } else await this.set(join(unified, name, "cpu.max"), `${quota} ${PERIOD_US}`);
    if (memoryV1 !== undefined) await this.set(join(memoryV1, name, "memory.limit_in_bytes"), String(limits.memoryBytes));
    else await this.set(join(unified, name, "memory.max"), String(limits.memoryBytes));
    return folders;
  }

  async remove(uuid: string): Promise<void> {
    for (const root of this.roots()) await removeTree(join(root, `${this.prefix}-${uuid}`));
  }

  /**
   * Ends what still runs in folders of an earlier run, then removes them. Folders of other instances go only when they are
   * old and empty: what remains of a killed one whose state folder nobody opens again.
   */
  async sweep(): Promise<void> {
    for (const root of this.roots()) {
      for (const name of await readdir(root)) {
        const folder = join(root, name);
        if (name.startsWith(`${this.prefix}-`)) await removeTree(folder, true);
        else if (/^elastigrid-[a-zA-Z0-9]+-/.test(name) && (await isForsaken(folder))) await removeTree(folder);
      }
    }
  }

  /** Folders that exist now; none after close. */
  async leftovers(): Promise<string[]> {
    const found: string[] = [];
    for (const root of this.roots()) for (const n of await readdir(root)) if (n.startsWith(`${this.prefix}-`)) found.push(join(root, n));
    return found;
  }

  private async delegate(root: string): Promise<void> {
    const have = (await readFile(join(root, "cgroup.subtree_control"), "utf8")).split(/\s+/);
    const missing = ["cpu", "memory"].filter((c) => !have.includes(c));
    if (missing.length > 0) await this.set(join(root, "cgroup.subtree_control"), missing.map((c) => `+${c}`).join(" "));
  }

  /** A limit that cannot be set is reported, not fatal: the guest runs, only without it. */
  private async set(file: string, value: string): Promise<void> {
    try {
      await writeFile(file, value);
    } catch (e) {
      this.warn(`cannot write ${value} to ${file} (${messageOf(e)}): guests run without this limit`);
    }
  }
}

const FORSAKEN_AFTER_MS = 15 * 60_000;

/** Nobody in it, and nothing made in it for a while: not one that is about to boot. */
async function isForsaken(folder: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(folder)).mtimeMs > FORSAKEN_AFTER_MS && (await isEmpty(folder));
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === "ENOENT") return false; // its own instance removed it meanwhile
    throw e;
  }
}

async function isEmpty(folder: string): Promise<boolean> {
  if ((await readFile(join(folder, "cgroup.procs"), "utf8")).trim() !== "") return false;
  for (const sub of await readdir(folder, { withFileTypes: true })) if (sub.isDirectory() && !(await isEmpty(join(folder, sub.name)))) return false;
  return true;
}

async function removeTree(folder: string, kill = false): Promise<void> {
  const until = Date.now() + 5000;
  for (;;) {
    if (!existsSync(folder)) return;
    if (kill) await killMembers(folder);
    try {
      for (const sub of (await readdir(folder, { withFileTypes: true })).filter((d) => d.isDirectory())) await removeTree(join(folder, sub.name), kill);
      await rmdir(folder);
      return;
    } catch (e) {
      const code = (e as NodeJS.ErrnoException).code;
      if (code === "ENOENT") return;
      // EBUSY: its last processes are still being buried.
      if (code !== "EBUSY" || Date.now() > until) throw new Error(`cannot remove the cgroup ${folder}: ${messageOf(e)}`);
      await new Promise((r) => setTimeout(r, 50));
    }
  }
}

async function killMembers(folder: string): Promise<void> {
  const pids = (await readFile(join(folder, "cgroup.procs"), "utf8")).split("\n").filter((l) => l !== "").map(Number);
  for (const pid of pids) {
    try {
      if (pid > 1) process.kill(pid, "SIGKILL");
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== "ESRCH") throw e; // gone meanwhile: what was wanted
    }
  }
}
