import { statfsSync } from "node:fs";
import { findOnPath, nearestExisting } from "./paths";
import type { Problem } from "./problem";
import { mustRun, runCommand } from "./process";

/** What this computer must have; each fact is looked up once, then judged by pure functions. */
export interface HostFacts {
  readonly platform: string;
  readonly isRoot: boolean;
  /** Programs that are not on PATH. */
  readonly missing: readonly string[];
  /** Why namespaces cannot be made, such as the kernel's words; undefined when they can. */
  readonly namespaceFault?: string;
  readonly freeBytes: number;
  readonly cache: string;
}

interface HostProgram {
  readonly program: string;
  readonly package: string;
  readonly for: string;
}

/** Programs outside Node that servers on this computer need, and the Debian package of each. */
export const hostPrograms: readonly HostProgram[] = [
  { program: "mmdebstrap", package: "mmdebstrap", for: "builds the appliance tree" },
  { program: "ssh", package: "openssh-client", for: "talks to masters" },
  { program: "ip", package: "iproute2", for: "makes bridges inside local-cloud's own namespaces" },
  { program: "unshare", package: "util-linux", for: "makes namespaces" },
  { program: "flock", package: "util-linux", for: "guards the cache" },
  { program: "mount", package: "mount", for: "lays a server's disk over the appliance tree" },
];

/** Engine and appliance tree, with Go's own caches, from nothing. */
export const NEEDED_FREE_BYTES = 7 * 2 ** 30;

/** Why servers that are real hosts cannot run here. Empty when they can. */
export function hostProblems(facts: HostFacts): Problem[] {
  if (facts.platform !== "linux") return [{ what: `servers need Linux namespaces, and this is ${facts.platform}`, fix: "use a Linux computer or virtual machine" }];
  const problems: Problem[] = [];
  if (!facts.isRoot) problems.push({ what: "servers need root (namespaces, mounts, cgroups of their own)", fix: "run the same command as root, such as sudo -E npm start" });
  else if (facts.namespaceFault !== undefined) {
    problems.push({ what: `root may not make namespaces here (${facts.namespaceFault})`, fix: "use a computer or a virtual machine; a container needs --privileged" });
  }
  return [...problems, ...programProblems(facts.missing)];
}

export function programProblems(missing: readonly string[]): Problem[] {
  return hostPrograms.filter((p) => missing.includes(p.program)).map((p) => ({ what: `${p.program} is missing (it ${p.for})`, fix: `apt-get install -y ${p.package}` }));
}

/** Only to be asked where something is still to be built. */
export function diskProblems(facts: Pick<HostFacts, "freeBytes" | "cache">, neededBytes: number): Problem[] {
  if (facts.freeBytes >= neededBytes) return [];
  const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  return [{
    what: `only ${gib(facts.freeBytes)} GiB free at ${facts.cache}, ${gib(neededBytes)} GiB needed`,
    fix: "free some, or set XDG_CACHE_HOME to a folder on a larger disk",
  }];
}

export async function lookAtHost(cache: string): Promise<HostFacts> {
  const isRoot = process.getuid?.() === 0;
  const disk = statfsSync(nearestExisting(cache));
  return {
    platform: process.platform, isRoot, cache,
    missing: hostPrograms.map((p) => p.program).filter((p) => findOnPath(p) === undefined),
    namespaceFault: process.platform === "linux" && isRoot ? await namespaceFault() : undefined,
    freeBytes: disk.bavail * disk.bsize,
  };
}

async function namespaceFault(): Promise<string | undefined> {
  if (findOnPath("unshare") === undefined) return undefined; // named as missing already
  const tried = await runCommand("unshare", ["--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--fork", "--mount-proc", "true"], { timeoutMs: 10_000 });
  return tried.code === 0 ? undefined : tried.stderr.trim().split("\n").slice(-1)[0];
}

/** Whether set-up may install packages of the host by itself: Debian or a relative, root, and nobody forbade it. */
export const mayInstall = (facts: HostFacts, env: NodeJS.ProcessEnv): boolean =>
  facts.isRoot && env["ELASTIGRID_NO_APT"] !== "1" && findOnPath("apt-get") !== undefined;

/** Packages that set-up installs: the two that a fresh Debian or Ubuntu lacks. Everything else is part of their base. */
export const installable = (missing: readonly string[]): string[] =>
  hostPrograms.filter((p) => missing.includes(p.program) && ["mmdebstrap", "openssh-client"].includes(p.package)).map((p) => p.package);

export async function installPackages(packages: readonly string[], say: (line: string) => void): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Keyring and gpg are what makes mmdebstrap trust Debian on Ubuntu.
  const args = ["install", "-y", "-q", "--no-install-recommends", ...packages, ...(packages.includes("mmdebstrap") ? ["debian-archive-keyring", "gpg"] : [])];
  say(`apt-get ${args.join(" ")} (ELASTIGRID_NO_APT=1 forbids this)`);
  const options = { env, timeoutMs: 600_000 };
  const first = await runCommand("apt-get", args, options);
  if (first.code === 0) return;
  say("apt-get update, then again");
  await mustRun("apt-get", ["update", "-q"], options);
  await mustRun("apt-get", args, options);
}
