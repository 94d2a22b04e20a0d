import { outcome, submit, waitForJobs } from "../demo/jobs";
import type { Master } from "../demo/ssh";
import { load, percentile, positive, round, type Bench } from "./bench";
import { resize, withGrid } from "./grid";

const GOAL_SECONDS = 0.1, WORKERS = 3, LIMIT_SECONDS = 600;
const SETTINGS = "/etc/condor/config.d/99-bench.config";

interface Cost {
  /** Of one worker's slot, beyond what the jobs themselves take. */
  readonly overheadSeconds: number;
  /** CPU time of the master's daemons, which other work on the computer hardly changes. */
  readonly masterMsPerJob: number;
}

/** What a job costs beyond its own time, with our settings of the master and with others, in turn. */
export const throughput: Bench = {
  about: `what a job takes of its slot beyond its own time (goal ${GOAL_SECONDS} s), with our settings of the master and with others in turn`,
  flags: {
    jobs: ["90", "jobs a round"], rounds: ["3", "rounds"], seconds: ["0", "length of a job: it sleeps that long"],
    other: ["SHADOW_WORKLIFE = 3600", "the other settings, with ; between them"],
  },
  needs: "grid",
  async run(flags, print) {
    const jobs = positive(flags, "jobs"), rounds = positive(flags, "rounds"), seconds = Number(flags["seconds"]), other = flags["other"] ?? "";
    const found: Record<"other" | "ours", Cost[]> = { other: [], ours: [] };
    await withGrid("the throughput bench", print, async ({ master }) => {
      await resize(master, WORKERS);
      for (let i = 1; i <= rounds; i += 1) {
        for (const which of ["other", "ours"] as const) {
          const cost = await runJobs(master, which === "other" ? other : "", jobs, seconds);
          found[which].push(cost);
          print(
            `${which === "ours" ? "ours" : other} ${i}: ${cost.overheadSeconds.toFixed(3)} s beyond the job, ${cost.masterMsPerJob.toFixed(0)} ms of the master's CPU per job (${load()})`,
          );
        }
      }
    });
    const median = (which: "other" | "ours", of: (c: Cost) => number): number => percentile(found[which].map(of), 0.5);
    const ours = median("ours", (c) => c.overheadSeconds), others = median("other", (c) => c.overheadSeconds);
    return {
      jobs, workers: WORKERS, jobSeconds: seconds, overheadSeconds: round(ours), masterMsPerJob: round(median("ours", (c) => c.masterMsPerJob)), other, otherOverheadSeconds: round(others),
      timesLessThanOther: round(others / ours), ofGoal: round(ours / GOAL_SECONDS), ok: ours <= GOAL_SECONDS,
    };
  },
};

const masterCpuMs = async (master: Master): Promise<number> => Number(
  (await master.run("sed -n 's/^usage_usec //p' /sys/fs/cgroup/cpu.stat")).trim(),
) / 1000;

async function runJobs(master: Master, settings: string, jobs: number, jobSeconds: number): Promise<Cost> {
  await master.run(`cat > ${SETTINGS} && condor_reconfig >/dev/null && sleep 1`, `${settings.split(";").join("\n")}\n`);
  const cpuMs = await masterCpuMs(master);
  const started = Date.now();
  const cluster = await submit(master, { name: "bench", count: jobs, script: `${jobSeconds > 0 ? `sleep ${jobSeconds}; ` : ""}exit $INT(code)` });
  await waitForJobs(master, "bench", LIMIT_SECONDS);
  const seconds = (Date.now() - started) / 1000;
  const cpu = (await masterCpuMs(master)) - cpuMs;
  const { verified, evicted } = await outcome(master, "bench", cluster, jobs);
  if (verified !== jobs || evicted > 0) throw new Error(
    `${verified} of ${jobs} jobs right, ${evicted} evicted: these figures mean nothing`,
  );
  return { overheadSeconds: (seconds * WORKERS) / jobs - jobSeconds, masterMsPerJob: cpu / jobs };
}
