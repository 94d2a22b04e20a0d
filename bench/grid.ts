import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { lockFolder } from "../demo/lock";
import { openSession } from "../demo/session";
import type { Master } from "../demo/ssh";

const packageDir = resolve(__dirname, "..", "..");
const PORT = 9938;
const READY_SECONDS = 60;

/** Deploys the documented local grid on a cloud of its own, hands its master over, and takes everything down again. */
export async function withGrid(what: string, measure: (master: Master) => Promise<void>): Promise<void> {
  const stateDir = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "elastigrid", "bench");
  const print = (line: string): void => void process.stderr.write(`${line}\n`);
  const lock = await lockFolder(stateDir, what);
  try {
    const configFile = join(stateDir, "Pulumi.bench.yaml");
    mkdirSync(stateDir, { recursive: true });
    copyFileSync(join(packageDir, "stacks", "Pulumi.local.yaml"), configFile);
    writeFileSync(configFile, readFileSync(configFile, "utf8").replace(/(endpoint: http:\/\/127\.0\.0\.1:)\d+/, `$1${PORT}`));
    const session = await openSession({ packageDir, stateDir, stack: "bench", configFile, port: PORT, keep: false, print });
    // A signal ends local-cloud and all guests through the lifeline of its parent; the next run's `up` starts over.
    try {
      print("pulumi up ...");
      await session.stack.up();
      const master = await session.connect();
      try {
        await measure(master);
      } finally {
        await master.close();
      }
    } finally {
      try {
        await session.stack.destroy();
      } finally {
        await session.cloud.stop();
      }
    }
  } finally {
    await lock.release();
  }
}

/** Sets the size by order and waits until exactly that many workers are in the pool and in no other state. */
export async function resize(master: Master, size: number): Promise<void> {
  await master.run(`elastigrid scale ${size} >/dev/null; n=0; until [ "$(condor_status -af Machine | sort -u | wc -l)" -eq ${size} ]; do n=$((n + 1)); [ $n -lt ${READY_SECONDS * 2} ] || exit 1; sleep 0.5; done`);
}

export function runBench(main: () => Promise<void>): void {
  main().catch((e: unknown) => {
    process.stderr.write(`${e instanceof Error ? e.message : String(e)}\n`);
    process.exitCode = 1;
  });
}
