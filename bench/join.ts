import type { Master } from "../demo/ssh";
import { load, percentile, positive, round, type Bench } from "./bench";
import { resize, withGrid } from "./grid";

interface Join {
  readonly tokenSeconds: number;
  readonly adSeconds: number;
}

const GOAL_ALONE_SECONDS = 4, GOAL_TOGETHER_SECONDS = 8;
const LIMIT_LOOKS = 300;

/** How long a worker needs from the controller's order (its clone call follows at once) to its ad in the collector. */
export const join: Bench = {
  about: `from the order of a worker to its ad in the pool (goals: one ${GOAL_ALONE_SECONDS} s, the last of six at once ${GOAL_TOGETHER_SECONDS} s)`,
  flags: { rounds: ["5", "times for one worker, half as often for several"], together: ["6", "workers at once"] },
  needs: "grid",
  async run(flags, print) {
    const rounds = positive(flags, "rounds"), together = positive(flags, "together");
    const alone: number[] = [], slowest: number[] = [];
    await withGrid("the join bench", print, async ({ master }) => {
      for (let i = 1; i <= rounds; i += 1) {
        const joins = await grow(master, 1, 2);
        alone.push(...joins.map((j) => j.adSeconds));
        print(`alone ${i}: ${describe(joins)} (${load()})`);
      }
      for (let i = 1; i <= Math.ceil(rounds / 2); i += 1) {
        const joins = await grow(master, 1, 1 + together);
        slowest.push(Math.max(...joins.map((j) => j.adSeconds)));
        print(`${together} at once ${i}: ${describe(joins)} (${load()})`);
      }
    });
    const one = percentile(alone, 0.5), last = percentile(slowest, 0.5);
    return {
      rounds, together, aloneMedianSeconds: round(one), aloneSlowestSeconds: round(Math.max(...alone)), lastOfAllMedianSeconds: round(last),
      ofGoalAlone: round(one / GOAL_ALONE_SECONDS), ofGoalTogether: round(last / GOAL_TOGETHER_SECONDS), ok: one <= GOAL_ALONE_SECONDS && last <= GOAL_TOGETHER_SECONDS,
    };
  },
};

/** Watched on the master itself, five looks a second: each costs the computer about 20 ms. */
const watch = (to: number): string => `
condor_status -af ElastigridServerUuid | sort -u > /tmp/bench-before
from=$(date +%s.%N)
elastigrid scale ${to} >/dev/null
n=0
while [ "$(wc -l < /tmp/bench-before)" -lt ${to} ] && [ $n -lt ${LIMIT_LOOKS} ]; do
  n=$((n + 1)); t=$(date +%s.%N)
  for u in $(condor_status -af ElastigridServerUuid | sort -u); do
    grep -q "$u" /tmp/bench-before || { echo "$u" >> /tmp/bench-before; echo "ad $u $t"; }
  done
  sleep 0.2
done
echo "from $from"
tail -n 60 /var/lib/elastigrid/journal.jsonl`;

async function grow(master: Master, from: number, to: number): Promise<Join[]> {
  await resize(master, from);
  const lines = (await master.run(watch(to))).split("\n");
  const startMs = Number(lines.find((l) => l.startsWith("from "))?.slice(5)) * 1000;
  const journal = lines.filter((l) => l.startsWith("{")).map((l) => JSON.parse(l) as { at: string; what: string; worker?: string });
  const since = (what: string, worker?: string): number =>
    Math.min(
      ...journal.filter(
        (e) => e.what === what && (worker === undefined || e.worker === worker),
      ).map((e) => Date.parse(e.at)).filter((ms) => ms >= startMs),
    );
  const orderedMs = since("grow");
  const joins = lines.filter((l) => l.startsWith("ad ")).map((l) => {
    const [, uuid = "", at = ""] = l.split(" ");
    return {
      tokenSeconds: (since("enrol", `w-${uuid.slice(0, 8)}`) - orderedMs) / 1000, adSeconds: (Number(at) * 1000 - orderedMs) / 1000,
    };
  });
  if (joins.length !== to - from) throw new Error(`${joins.length} of ${to - from} workers joined in time`);
  return joins;
}

const describe = (joins: readonly Join[]): string => joins.map(
  (j) => `token ${j.tokenSeconds.toFixed(1)} s, in pool ${j.adSeconds.toFixed(1)} s`,
).join("; ");
