import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { holdLock, type HeldLock } from "../images/file-lock";
import { ask, type LabStatus } from "../test/openstack-lab/control";
import { down } from "../test/openstack-lab/down";
import { labHome, placesOf, type Places } from "../test/openstack-lab/places";
import { ensureTree, hasTree } from "../test/openstack-lab/tree";
import { up } from "../test/openstack-lab/up";
import { cacheDir } from "./paths";
import { diskProblems, hostProblems, installPackages, lookAtHost, mayInstall, type HostFacts } from "./prerequisites";
import type { Problem } from "./problem";

/** The cloud itself takes 3.3 to 4.5 GiB; engine, plugins and tests come on top. */
const NEEDED_MEMORY_BYTES = 5.5 * 2 ** 30;
const NEEDED_DISK_BYTES = 5 * 2 ** 30;
const COMMAND_LOCK_SECONDS = 1_200;
const TESTS_LOCK_SECONDS = 3_600;

/** Why the OpenStack lab cannot run on this computer. Empty when it can. */
export function labProblems(facts: HostFacts & { readonly freeMemoryBytes: number }, installed: boolean): Problem[] {
  const needed = installed ? { ...facts, missing: facts.missing.filter((p) => p !== "mmdebstrap") } : facts;
  const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  return [
    ...hostProblems(needed),
    ...(installed ? [] : diskProblems(facts, NEEDED_DISK_BYTES)),
    ...(facts.freeMemoryBytes >= NEEDED_MEMORY_BYTES ? [] : [{
      what: `OpenStack needs ${gib(NEEDED_MEMORY_BYTES)} GiB of free memory, and ${gib(facts.freeMemoryBytes)} GiB are free`, fix: "end something large, or use a computer with more memory",
    }]),
  ];
}

/** What `npm test` says of a lab that is not up. */
export const notUp: Problem = { what: "the OpenStack lab is not up", fix: "npm run test:openstack brings it up, runs this lane and takes it down" };

const statusOf = (places: Places): Promise<LabStatus | undefined> => ask<LabStatus>(places.socket, "GET", "/status");

export async function labIsUp(): Promise<boolean> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false; // nobody else may look at it
  return (await statusOf(placesOf(labHome())))?.phase === "ready";
}

/** A lab that is brought up for tests is used by one run at a time; the mark tells a lab that a killed run left from a user's own. */
const testsLock = (places: Places): string => join(places.home, "tests.lock");
const broughtUpByTests = (places: Places): string => join(places.run, "brought-up-by-tests");

export type LabRun<T> = { readonly lab: T } | { readonly skipped: readonly Problem[] };

/**
 * Brings the lab up, works in it, and takes it down again, also when the work fails or is interrupted. A lab that was up before stays
 * up. Answers why not where the lab cannot run here; a lab that could run and does not come up is an error.
 */
export async function withLab<T>(say: (line: string) => void, work: () => Promise<T>): Promise<LabRun<T>> {
  const facts = await lookAtHost(cacheDir());
  if (facts.platform !== "linux" || !facts.isRoot) return { skipped: hostProblems({ ...facts, missing: [] }) };
  const places = placesOf(labHome());
  await mkdir(places.home, { recursive: true, mode: 0o700 });
  const lock = await lockOrSay(testsLock(places), TESTS_LOCK_SECONDS, () => say("another run of the OpenStack lane is at work; waiting for it"));
  try {
    const interrupted = new AbortController();
    const stop = (): void => interrupted.abort();
    const signals = ["SIGINT", "SIGTERM"] as const;
    signals.forEach((s) => process.on(s, stop)); // to the end: the lab is taken down also then
    let mine = existsSync(broughtUpByTests(places)); // with the lock in our hands, whoever brought it up is dead
    try {
      if ((await statusOf(places)) === undefined) {
        const problems = await missing(places, facts, say, interrupted.signal);
        if (problems.length > 0) return { skipped: problems };
        mine = true;
      }
      await changing(places, () => up(places, {}, say, interrupted.signal));
      if (mine) await writeFile(broughtUpByTests(places), "");
      return { lab: await work() };
    } finally {
      if (mine) {
        await changing(places, () => down(places, { keepState: false, purge: false }));
        say("the OpenStack lab is down");
      }
      signals.forEach((s) => process.off(s, stop));
    }
  } finally {
    await lock.release();
  }
}

/** Installs what may be installed, and says what is missing after that. */
async function missing(places: Places, first: HostFacts, say: (line: string) => void, signal: AbortSignal): Promise<readonly Problem[]> {
  let facts = first;
  if (!hasTree(places) && facts.missing.includes("mmdebstrap") && mayInstall(facts, process.env)) {
    await installPackages(["mmdebstrap"], say).catch((e: Error) => say(e.message)); // shows as the program still missing
    facts = await lookAtHost(cacheDir());
  }
  const problems = labProblems({ ...facts, freeMemoryBytes: freeMemoryBytes() }, hasTree(places));
  if (problems.length > 0 || hasTree(places)) return problems;
  try {
    await changing(places, () => ensureTree(places, say, signal));
    return [];
  } catch (e) {
    if (signal.aborted) throw e;
    return [{ what: `OpenStack's packages cannot be installed: ${(e as Error).message}`, fix: "give this computer a way to Debian's package mirrors, then run again" }];
  }
}

const freeMemoryBytes = (): number => Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0) * 1024;

async function lockOrSay(path: string, seconds: number, busy: () => void): Promise<HeldLock> {
  const waiting = setTimeout(busy, 1_000);
  const lock = await holdLock(path, seconds).finally(() => clearTimeout(waiting));
  if (lock === undefined) throw new Error(`${path} is still held by another command after ${seconds} s (fuser ${path} names it)`);
  return lock;
}

/** Commands that change the lab run one after the other, those of `lab:openstack` included. */
async function changing<T>(places: Places, work: () => Promise<T>): Promise<T> {
  const lock = await lockOrSay(places.commandLock, COMMAND_LOCK_SECONDS, () => undefined);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
