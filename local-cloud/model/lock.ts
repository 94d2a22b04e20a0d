import { readFileSync } from "node:fs";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** One local-cloud per state folder. The lock names its holder by process id and start time, so a reused id is no holder. */
export interface Lock {
  release(): Promise<void>;
}

export class LockedError extends Error {
  constructor(readonly dir: string, readonly pid: number) {
    super(`another local-cloud (process ${pid}) uses the state folder ${dir}; stop it, or choose another folder with --state`);
    this.name = "LockedError";
  }
}

/** When a process began, in clock ticks since boot; undefined when it is gone or cannot be told. */
export function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined; // gone, or a system without /proc
  }
}

function isAlive(pid: number, start: string | undefined): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const now = startOf(pid);
  return now === undefined || start === undefined || start === "-" || now === start;
}

export async function takeLock(dir: string): Promise<Lock> {
  const file = join(dir, "lock");
  const mine = join(dir, `lock.${process.pid}`);
  await writeFile(mine, `${process.pid} ${startOf(process.pid) ?? "-"}\n`);
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        await link(mine, file);
        return { release: () => rm(file, { force: true }) };
      } catch (e) {
        if ((e as NodeJS.ErrnoException).code !== "EEXIST") throw e;
      }
      const text = await readFile(file, "utf8").catch(() => "");
      const [pid = "0", start] = text.trim().split(/\s+/);
      if (isAlive(Number(pid), start)) throw new LockedError(dir, Number(pid));
      await rm(file, { force: true }); // its holder was killed
    }
    throw new Error(`cannot take the lock ${file}`);
  } finally {
    await rm(mine, { force: true });
  }
}
