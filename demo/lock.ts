import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Start time of a process in clock ticks since boot, so that a reused number is not mistaken for the old process. */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined; // no such process
  }
}

/** Holds `file` for this process; throws, naming the holder, while another live process has it. Returns the release. */
export function acquireLock(file: string, what: string): () => void {
  mkdirSync(dirname(file), { recursive: true });
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const handle = openSync(file, "wx", 0o600);
      writeSync(handle, `${process.pid} ${processStart(process.pid) ?? ""}`);
      closeSync(handle);
      return () => rmSync(file, { force: true });
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== "EEXIST") throw e;
      const [pid, started] = readFileSync(file, "utf8").split(" ");
      if (pid && processStart(Number(pid)) === started && started !== "") {
        throw new Error(`${what} already runs as process ${pid}; wait for it or end it, then run again`);
      }
      rmSync(file, { force: true }); // its holder was killed
    }
  }
  throw new Error(`cannot take ${file}; remove it if nothing runs`);
}
