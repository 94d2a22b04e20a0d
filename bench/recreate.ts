/**
 * How long a whole grid takes to come and go, and whether it ever fails: `node dist/bench/recreate.js [rounds]`. Real
 * engine, real hosts. Prints every round, then the mean as a ratio to the ancestor's (234 s, 20.9 % failed).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { openSession } from "../demo/session";

const ANCESTOR_SECONDS = 234;
const port = 9936;

async function main(rounds: number): Promise<number> {
  const packageDir = resolve(__dirname, "..", "..");
  const dir = mkdtempSync(join(tmpdir(), "elastigrid-bench-"));
  const configFile = join(dir, "documented.yaml");
  writeFileSync(configFile, readFileSync(join(packageDir, "stacks", "Pulumi.local.yaml"), "utf8").replace("127.0.0.1:9931", `127.0.0.1:${port}`));
  const session = await openSession({ packageDir, stateDir: dir, stack: "bench", configFile, port, keep: false, print: () => undefined });
  const ups: number[] = [];
  let failed = 0;
  try {
    for (let round = 1; round <= rounds; round += 1) {
      try {
        const { seconds } = await session.stack.up();
        const down = await session.stack.destroy();
        const { leaks } = await session.cloud.leaks();
        ups.push(seconds);
        if (leaks.length > 0) throw new Error(`left: ${leaks.join("; ")}`);
        process.stdout.write(`round ${round}: up ${seconds.toFixed(1)} s, destroy ${down.seconds.toFixed(1)} s, load ${(loadavg()[0] ?? 0).toFixed(1)}\n`);
      } catch (e) {
        failed += 1;
        process.stdout.write(`round ${round}: FAILED: ${(e as Error).message.slice(-800)}\n`);
      }
    }
  } finally {
    await session.cloud.stop();
    rmSync(dir, { recursive: true, force: true });
  }
  const mean = ups.reduce((a, b) => a + b, 0) / Math.max(1, ups.length);
  process.stdout.write(`${rounds} rounds, ${failed} failed (ancestor: 20.9 %); mean up ${mean.toFixed(1)} s, ${(ANCESTOR_SECONDS / mean).toFixed(1)} times as fast as the ancestor's ${ANCESTOR_SECONDS} s\n`);
  return failed === 0 ? 0 : 1;
}

void main(Number(process.argv[2] ?? 10)).then((code) => (process.exitCode = code));
