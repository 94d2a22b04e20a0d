import { parseArgs } from "node:util";
import type { Master } from "../demo/ssh";
import { load, percentile } from "./bench";
import { resize, runBench, withGrid } from "./grid";

/**
 * How long a worker needs from the controller's order (its clone call follows at once) to its ad in the collector:
 * `node dist/bench/join.js [--rounds 5] [--together 6]`.
 */
interface Join {
  readonly tokenSeconds: number;
  readonly adSeconds: number;
}

const GOAL_ALONE_SECONDS = 4, GOAL_TOGETHER_SECONDS = 8;
const LIMIT_LOOKS = 300;

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
    Math.min(...journal.filter((e) => e.what === what && (worker === undefined || e.worker === worker)).map((e) => Date.parse(e.at)).filter((ms) => ms >= startMs));
  const orderedMs = since("grow");
  const joins = lines.filter((l) => l.startsWith("ad ")).map((l) => {
    const [, uuid = "", at = ""] = l.split(" ");
    return { tokenSeconds: (since("enrol", `w-${uuid.slice(0, 8)}`) - orderedMs) / 1000, adSeconds: (Number(at) * 1000 - orderedMs) / 1000 };
  });
  if (joins.length !== to - from) throw new Error(`${joins.length} of ${to - from} workers joined in time`);
  return joins;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, together: { type: "string", default: "6" } } });
  const rounds = Number(values.rounds), together = Number(values.together);
  await withGrid("the join bench", async (master) => {
    const alone: number[] = [], slowest: number[] = [];
    for (let i = 1; i <= rounds; i += 1) {
      const joins = await grow(master, 1, 2);
      alone.push(...joins.map((j) => j.adSeconds));
      console.log(`alone ${i}: ${describe(joins)} (${load()})`);
    }
    for (let i = 1; i <= Math.ceil(rounds / 2); i += 1) {
      const joins = await grow(master, 1, 1 + together);
      slowest.push(Math.max(...joins.map((j) => j.adSeconds)));
      console.log(`${together} at once ${i}: ${describe(joins)} (${load()})`);
    }
    const p50 = percentile(alone, 0.5), worst = percentile(slowest, 0.5);
    console.log(`one worker, median: ${p50.toFixed(1)} s = ${(p50 / GOAL_ALONE_SECONDS).toFixed(2)} of the goal of ${GOAL_ALONE_SECONDS} s; slowest ${Math.max(...alone).toFixed(1)} s`);
    console.log(`last of ${together} at once, median: ${worst.toFixed(1)} s = ${(worst / GOAL_TOGETHER_SECONDS).toFixed(2)} of the goal of ${GOAL_TOGETHER_SECONDS} s`);
  });
}

const describe = (joins: readonly Join[]): string => joins.map((j) => `token ${j.tokenSeconds.toFixed(1)} s, in pool ${j.adSeconds.toFixed(1)} s`).join("; ");

runBench(main);
