import { mkdir } from "node:fs/promises";
import { LockedError, takeLock, type Lock } from "../local-cloud/model/lock";

/** Holds a state folder for this process; throws, naming the holder, while another live process has it. */
export async function lockFolder(dir: string, what: string): Promise<Lock> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return takeLock(dir).catch((e: unknown) => {
    throw e instanceof LockedError ? new Error(`${what} already runs as process ${e.pid}; wait for it or end it, then run again`) : e;
  });
}
