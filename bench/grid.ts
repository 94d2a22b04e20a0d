import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { LocalCloudProcess } from "../demo/cloud";
import { lockFolder } from "../demo/lock";
import { openSession, type Session } from "../demo/session";
import type { Master } from "../demo/ssh";

const packageDir = resolve(__dirname, "..", "..");
const PORT = 9938;
const READY_SECONDS = 60;

export interface BenchGrid {
  readonly master: Master;
  readonly session: Session<LocalCloudProcess>;
}

/** A new cloud of its own with the documented local grid's stack on it, not deployed yet; everything is gone afterwards. */
export async function withStack<T>(
  what: string, print: (line: string) => void, measure: (session: Session<LocalCloudProcess>) => Promise<T>,
): Promise<T> {
  const stateDir = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "elastigrid", "bench");
  const lock = await lockFolder(stateDir, what);
  try {
    // A run that was cut short leaves a grid with its jobs: cloud and state go together.
    for (const part of ["cloud", "pulumi"]) rmSync(join(stateDir, part), { recursive: true, force: true });
    const configFile = join(stateDir, "Pulumi.bench.yaml");
    mkdirSync(stateDir, { recursive: true });
    const documented = readFileSync(join(packageDir, "stacks", "Pulumi.local.yaml"), "utf8");
    writeFileSync(configFile, documented.replace(/(endpoint: http:\/\/127\.0\.0\.1:)\d+/, `$1${PORT}`));
    const session = await openSession({ packageDir, stateDir, stack: "bench", configFile, port: PORT, keep: false, print });
    // A signal ends local-cloud and all guests through the lifeline of its parent.
    try {
      return await measure(session);
    } finally {
      await session.cloud.stop();
    }
  } finally {
    await lock.release();
  }
}

/** Deploys the documented local grid, hands it over, and takes everything down again. */
export const withGrid = <T>(what: string, print: (line: string) => void, measure: (grid: BenchGrid) => Promise<T>): Promise<T> =>
  withStack(what, print, async (session) => {
    print("pulumi up ...");
    try {
      await session.stack.up();
      const master = await session.connect();
      try {
        return await measure({ master, session });
      } finally {
        await master.close();
      }
    } finally {
      await session.stack.destroy();
    }
  });

/** Sets the size by order and waits until exactly that many workers are in the pool and in no other state. */
export async function resize(master: Master, size: number): Promise<void> {
  const pool = "$(condor_status -af Machine | sort -u | wc -l)";
  await master.run(
    `elastigrid scale ${size} >/dev/null; n=0; until [ "${pool}" -eq ${size} ]; do n=$((n + 1)); [ $n -lt ${READY_SECONDS * 2} ] || exit 1; sleep 0.5; done`,
  );
}
