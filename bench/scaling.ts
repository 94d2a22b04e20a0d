import { scalingCeiling } from "../demo/checks";
import { outcome, submit, waitForJobs } from "../demo/jobs";
import type { Master } from "../demo/ssh";
import { load, percentile, positive, round, type Bench } from "./bench";
import { withGrid } from "./grid";

const WORKERS_MAX = 7, GOAL_RAMP_SECONDS = 8;
/** Of what the workers could reach: 6.9 of 6.990 on 720 jobs. */
const GOAL_SHARE = 6.9 / 6.99;

/** Equal jobs on a group that grows by itself from one worker: how soon all work, and how well the work is spread. */
export const scaling: Bench = {
  about: `a group grows from 1 to ${WORKERS_MAX} by itself: first jobs on all workers (goal ${GOAL_RAMP_SECONDS} s), scaling factor against its ceiling (goal 6.9 of 6.99 on 720 jobs)`,
  flags: {
    jobs: ["72", "equal jobs"], seconds: ["14", "length of a job: the factor says little where it is short against the ramp"],
    rounds: ["1", "times"],
  },
  needs: "grid",
  async run(flags, print) {
    const jobs = positive(flags, "jobs"), seconds = positive(flags, "seconds"), rounds = positive(flags, "rounds");
    const factors: number[] = [], ramps: number[] = [];
    await withGrid("the scaling bench", print, async ({ master }) => {
      for (let i = 1; i <= rounds; i += 1) {
        await atMinimum(master);
        const submitted = Date.now();
        const cluster = await submit(master, { name: "equal", count: jobs, script: `sleep ${seconds}; exit $INT(code)` });
        await waitForJobs(master, "equal", 120 + jobs * seconds);
        const took = (Date.now() - submitted) / 1_000;
        const { verified, evicted, records } = await outcome(master, "equal", cluster, jobs);
        if (verified !== jobs || evicted > 0) throw new Error(
          `${verified} of ${jobs} jobs right, ${evicted} evicted: these figures mean nothing`,
        );
        const first = new Map<string, number>();
        for (const r of records) {
          const worker = (r.LastRemoteHost ?? "").split("@").at(-1) ?? "";
          first.set(worker, Math.min(first.get(worker) ?? Number.POSITIVE_INFINITY, r.JobStartDate ?? Number.POSITIVE_INFINITY));
        }
        factors.push((jobs * seconds) / took);
        // HTCondor notes whole seconds.
        ramps.push(Math.max(...first.values()) - Math.floor(submitted / 1_000));
        print(
          `round ${i}: factor ${factors.at(-1)?.toFixed(3)}, ${took.toFixed(1)} s; first jobs on ${first.size} workers after ${ramps.at(-1)} s (${load()})`,
        );
      }
    });
    const factor = percentile(factors, 0.5), ramp = percentile(ramps, 0.5), ceiling = scalingCeiling(jobs, WORKERS_MAX);
    return {
      jobs, jobSeconds: seconds, workersMax: WORKERS_MAX, rounds, factor: round(factor, 4), ceiling: round(ceiling, 4), ofCeiling: round(factor / ceiling), rampSeconds: ramp,
      ofGoalRamp: round(ramp / GOAL_RAMP_SECONDS), ofGoalShare: round(factor / ceiling / GOAL_SHARE), ok: ramp <= GOAL_RAMP_SECONDS && factor / ceiling >= GOAL_SHARE,
    };
  },
};

async function atMinimum(master: Master): Promise<void> {
  await master.run(
    `elastigrid scale --auto >/dev/null; n=0; until [ "$(condor_status -af Machine | sort -u | wc -l)" -eq 1 ]; do n=$((n + 1)); [ $n -lt 240 ] || exit 1; sleep 0.5; done`,
    "", 130_000,
  );
}
