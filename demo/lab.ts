import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { holdLock } from "../images/file-lock";
import { ask, type LabStatus } from "../test/openstack-lab/control";
import { down } from "../test/openstack-lab/down";
import { execInLab } from "../test/openstack-lab/enter";
import { labHome, placesOf, type Places } from "../test/openstack-lab/places";
import { up } from "../test/openstack-lab/up";

/** Set for the run inside the lab's network namespace, where the APIs and the floating IPs answer. */
const INSIDE = "ELASTIGRID_START_IN_LAB";
const LOCK_SECONDS = 1_200;

export const isInLab = (env: NodeJS.ProcessEnv): boolean => env[INSIDE] !== undefined;

/**
 * Brings a real OpenStack up on this computer, runs the same command inside its network namespace, and takes it down again:
 * unless it was up before, or the grid shall stay.
 */
export async function startInLab(argv: readonly string[], flags: { keep: boolean; down: boolean }, run: { stateDir: string; print: (line: string) => void }): Promise<number> {
  const { stateDir, print } = run;
  if (process.platform !== "linux" || process.getuid?.() !== 0) throw new Error("the OpenStack lab runs on Linux as root (it makes namespaces)");
  const places = placesOf(labHome());
  const before = await ask<LabStatus>(places.socket, "GET", "/status");
  if (before === undefined && flags.down) {
    print("the OpenStack lab is down, and with it everything that ran there");
    return 0;
  }
  // A cloud that begins anew has nothing of what an older state tells.
  if (before === undefined && !existsSync(places.secrets)) await rm(join(stateDir, "pulumi"), { recursive: true, force: true });
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    await locked(places, () => up(places, before === undefined ? { virt: "hosts" } : {}, (line) => print(`  lab: ${line}`), interrupted.signal));
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
  let code = 1;
  try {
    code = await execInLab(places, [process.execPath, join(__dirname, "in-lab.js"), ...argv], { ...process.env, [INSIDE]: "1" });
    return code;
  } finally {
    if (flags.down || !(before !== undefined || (flags.keep && code === 0))) {
      // After a failure the cloud's state stays too, so that the next run goes on from there.
      await locked(places, () => down(places, { keepState: code !== 0, purge: false }));
      print("the OpenStack lab is down");
    }
  }
}

async function locked<T>(places: Places, work: () => Promise<T>): Promise<T> {
  await mkdir(places.home, { recursive: true, mode: 0o700 });
  const lock = await holdLock(places.commandLock, LOCK_SECONDS);
  if (lock === undefined) throw new Error(`another lab command still runs after ${LOCK_SECONDS} s (lock ${places.commandLock})`);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
