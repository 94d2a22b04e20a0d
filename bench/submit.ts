import type { LocalCloudProcess } from "../demo/cloud";
import { submitDescription } from "../demo/jobs";
import type { Master } from "../demo/ssh";
import { load, percentile, positive, round, type Bench } from "./bench";
import { withGrid } from "./grid";
import { fillQueue, KINDS } from "./queue";

const GOAL_P95_SECONDS = 5;
/** Beside the one of the minimum, which a job keeps busy all the time. */
const STEPS = 6;
const LOOK_MS = 50, LIMIT_MS = 120_000;
/** Between two submissions: users do not keep step with the controller's looks, which the create call before would make us do. */
const PAUSE_MS = 2_000, PAUSE_RANGE_MS = 3_000;

/** How long a job waits until a worker is ordered for it at the cloud, with a long queue of others. */
export const submit: Bench = {
  about: `from a job's submission to the cloud's create call for it, with a long queue (goal: 95 % within ${GOAL_P95_SECONDS} s)`,
  flags: { queued: ["10000", "other jobs in the queue, for which no worker is large enough"], kinds: [`${KINDS}`, "of them, by what they ask for"], rounds: ["3", `times ${STEPS} submissions`] },
  needs: "grid",
  async run(flags, print) {
    const queued = positive(flags, "queued"), kinds = positive(flags, "kinds"), rounds = positive(flags, "rounds");
    const seconds: number[] = [];
    await withGrid("the submit bench", print, async ({ master, session }) => {
      await fillQueue(master, queued, kinds);
      await enqueue(master);
      for (let r = 1; r <= rounds; r += 1) {
        const mine: number[] = [];
        for (let s = 0; s < STEPS; s += 1) {
          const from = await lastCall(session.cloud);
          const submittedMs = await enqueue(master);
          const createdMs = await created(session.cloud, from);
          if (createdMs === undefined) throw new Error(
            `no server was made within ${LIMIT_MS / 1_000} s of a job's submission; the controller: ${await lastWords(master)}`,
          );
          mine.push((createdMs - submittedMs) / 1_000);
          await new Promise((r) => setTimeout(r, PAUSE_MS + Math.random() * PAUSE_RANGE_MS)); // the next one is not to be counted with it
        }
        seconds.push(...mine);
        print(`round ${r}: ${mine.map((x) => x.toFixed(1)).join(", ")} s (${load()})`);
        // All but the first go again, and their workers with them.
        await master.run(
          `condor_rm $(condor_q -allusers -constraint 'JobBatchName == "needs-one"' -af ClusterId | sort -n | tail -n ${STEPS}) >/dev/null; n=0; until [ "$(condor_status -af Machine | sort -u | wc -l)" -le 1 ]; do n=$((n + 1)); [ $n -lt 180 ] || exit 1; sleep 1; done`,
          "", 200_000,
        );
      }
      await master.run("condor_rm -all >/dev/null", "", 120_000);
    });
    const p95 = percentile(seconds, 0.95);
    return {
      queued, kinds, submissions: seconds.length, p50Seconds: round(percentile(seconds, 0.5)), p95Seconds: round(p95),
      ofGoal: round(p95 / GOAL_P95_SECONDS), ok: p95 <= GOAL_P95_SECONDS,
    };
  },
};

/** Submits a job that keeps a worker; when the queue had taken it, by the clock that master and bench share. */
async function enqueue(master: Master): Promise<number> {
  const text = submitDescription({ name: "needs-one", count: 1, script: "sleep 3600" });
  const said = await master.run("cd /tmp && runuser -u grid -- condor_submit -terse - >/dev/null && date +%s%3N", text);
  return Number(said.trim());
}

const lastWords = async (master: Master): Promise<string> => {
  const lines = (await master.run("tail -n 3 /var/lib/elastigrid/journal.jsonl")).trim().split("\n");
  return lines.map((l) => JSON.parse(l) as { what: string; why: string }).map((e) => `${e.what}: ${e.why}`).join(" | ");
};

interface Calls {
  readonly calls: readonly { readonly seq: number; readonly method: string; readonly path: string }[];
  readonly last: number;
}

async function calls({ access }: LocalCloudProcess, since: number): Promise<Calls> {
  const authorization = `Basic ${Buffer.from(`${access.username}:${access.password}`).toString("base64")}`;
  const answer = await fetch(
    new URL(`/_local/calls/?since=${since}`, access.endpoint), { headers: { authorization }, signal: AbortSignal.timeout(10_000) },
  );
  if (!answer.ok) throw new Error(`local-cloud's list of calls: ${answer.status}`);
  return (await answer.json()) as Calls;
}

const lastCall = async (cloud: LocalCloudProcess): Promise<number> => (await calls(cloud, Number.MAX_SAFE_INTEGER)).last;

/** When a server was cloned; undefined when none was. */
async function created(cloud: LocalCloudProcess, since: number): Promise<number | undefined> {
  for (const end = Date.now() + LIMIT_MS; Date.now() < end; await new Promise((r) => setTimeout(r, LOOK_MS))) {
    const seen = await calls(cloud, since);
    if (seen.calls.some((c) => c.method === "POST" && /\/servers\/[^/]+\/action\/\?do=(clone|bulk_clone)/.test(c.path))) return Date.now();
  }
  return undefined;
}
