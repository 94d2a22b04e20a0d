import { parseArgs } from "node:util";
import { outcome, submit, waitForJobs } from "../demo/jobs";
import type { Master } from "../demo/ssh";
import { load, percentile } from "./bench";
import { resize, runBench, withGrid } from "./grid";

/**
 * Trivial jobs on three one-slot workers with our settings of the master and with others, alternating:
 * `node dist/bench/throughput.js [--jobs 90] [--rounds 3] [--other "SHADOW_WORKLIFE = 3600"]`.
 */
const WORKERS = 3;
const LIMIT_SECONDS = 300;
const SETTINGS = "/etc/condor/config.d/99-bench.config";

interface Figures {
  readonly secondsPerJob: number;
  /** CPU time of the master's daemons, which other work on the computer hardly changes. */
  readonly masterMsPerJob: number;
}

const masterCpuMs = async (master: Master): Promise<number> => Number((await master.run("sed -n 's/^usage_usec //p' /sys/fs/cgroup/cpu.stat")).trim()) / 1000;

async function run(master: Master, settings: string, jobs: number): Promise<Figures> {
  await master.run(`cat > ${SETTINGS} && condor_reconfig >/dev/null && sleep 1`, `${settings.split(";").join("\n")}\n`);
  const cpuMs = await masterCpuMs(master);
  const started = Date.now();
  const cluster = await submit(master, { name: "bench", count: jobs, script: "exit $INT(code)" });
  await waitForJobs(master, "bench", LIMIT_SECONDS);
  const seconds = (Date.now() - started) / 1000;
  const cpu = (await masterCpuMs(master)) - cpuMs;
  const { verified, evicted } = await outcome(master, "bench", cluster, jobs);
  if (verified !== jobs || evicted > 0) throw new Error(`${verified} of ${jobs} jobs right, ${evicted} evicted: these figures mean nothing`);
  return { secondsPerJob: (seconds * WORKERS) / jobs, masterMsPerJob: cpu / jobs };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { jobs: { type: "string", default: "90" }, rounds: { type: "string", default: "3" }, other: { type: "string", default: "SHADOW_WORKLIFE = 3600" } },
  });
  const jobs = Number(values.jobs), rounds = Number(values.rounds);
  await withGrid("the throughput bench", async (master) => {
    await resize(master, WORKERS);
    const found: Record<"other" | "ours", number[]> = { other: [], ours: [] };
    for (let i = 1; i <= rounds; i += 1) {
      for (const which of ["other", "ours"] as const) {
        const f = await run(master, which === "other" ? values.other : "", jobs);
        found[which].push(f.secondsPerJob);
        console.log(`${which === "ours" ? "ours" : values.other} ${i}: ${f.secondsPerJob.toFixed(2)} s per job and worker, ${f.masterMsPerJob.toFixed(0)} ms of the master's CPU per job (${load()})`);
      }
    }
    const [other, ours] = [percentile(found.other, 0.5), percentile(found.ours, 0.5)];
    console.log(`median: ${ours.toFixed(2)} s per job and worker, ${(other / ours).toFixed(1)} times as fast as with ${values.other}`);
  });
}

runBench(main);
