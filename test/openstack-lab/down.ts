import { existsSync } from "node:fs";
import { readdir, readFile, readlink, rm } from "node:fs/promises";
import { holdLock } from "../../images/file-lock";
import { ask } from "./control";
import { sweepCgroups } from "./guest-keeper";
import { innerPid, outerPid } from "./namespaces";
import type { Places } from "./places";

const GONE_SECONDS = 60;
const KILLED_SECONDS = 30;

/** Ends the lab and waits until nothing of it lives. With `keep` the services end in order, for their data's sake. */
export async function stopLab(places: Places, keep: boolean): Promise<void> {
  if (!existsSync(places.lifeLock)) return;
  if (await isGone(places, 0)) return;
  const refused = await ask(places.socket, "POST", `/stop?keep=${keep ? "yes" : "no"}`).then(
    (a) => a === undefined,
    () => true,
  );
  // One that does not listen is not asked twice: everything dies with its first process.
  if (!refused && (await isGone(places, GONE_SECONDS))) return;
  const pid = await outerPid(places);
  if (pid !== undefined) process.kill(pid, "SIGKILL");
  if (!(await isGone(places, KILLED_SECONDS))) throw new Error(`something still holds ${places.lifeLock} ${KILLED_SECONDS} s after the lab was killed: see "fuser -v ${places.lifeLock}"`);
}

/** Every process of the lab holds on to its lock, directly or through the first one. */
async function isGone(places: Places, waitSeconds: number): Promise<boolean> {
  const lock = await holdLock(places.lifeLock, waitSeconds);
  await lock?.release();
  return lock !== undefined;
}

export interface DownOptions {
  /** Keep databases, images and keys for the next `up`. */
  readonly keepState: boolean;
  /** Also remove the Debian tree and the set-up databases. */
  readonly purge: boolean;
}

/** Ends the lab and removes what it left. Answers commands that still live in its network namespace, with their numbers. */
export async function down(places: Places, options: DownOptions): Promise<string[]> {
  const visitors = await visitorsOf(places);
  await stopLab(places, options.keepState);
  // Everything else of the guests ended with their namespaces.
  await sweepCgroups(places.home, () => undefined);
  const leftovers = [places.run, places.imageFile, places.openrc, places.openrcAdmin, places.cloudsYaml, places.etc];
  if (!options.keepState) leftovers.push(places.state);
  if (options.purge) leftovers.push(places.trees, places.seeds, places.logs, places.lifeLock);
  for (const path of leftovers) await rm(path, { recursive: true, force: true });
  return visitors.filter(({ pid }) => existsSync(`/proc/${pid}`)).map(({ pid, command }) => `${pid} ${command}`);
}

/** Commands from outside (`exec`) in the lab's network namespace: theirs to end, but they keep the namespace alive. */
async function visitorsOf(places: Places): Promise<{ pid: string; command: string }[]> {
  const pid1 = await innerPid(places);
  if (pid1 === undefined) return [];
  const outer = String(await outerPid(places)); // in the namespace, too, but no visitor
  const [net, pidNamespace] = await Promise.all([readlink(`/proc/${pid1}/ns/net`), readlink(`/proc/${pid1}/ns/pid`)]);
  const found: { pid: string; command: string }[] = [];
  for (const pid of (await readdir("/proc")).filter((n) => /^\d+$/.test(n))) {
    if (pid === outer) continue;
    try {
      if ((await readlink(`/proc/${pid}/ns/net`)) !== net || (await readlink(`/proc/${pid}/ns/pid`)) === pidNamespace) continue;
      found.push({ pid, command: (await readFile(`/proc/${pid}/comm`, "utf8")).trim() });
    } catch (e) {
      const { code } = e as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ESRCH" && code !== "EACCES") throw e; // ended meanwhile
    }
  }
  return found;
}
