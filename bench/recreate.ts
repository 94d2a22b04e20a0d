import { load, percentile, positive, round, type Bench } from "./bench";
import { withStack } from "./grid";

const ANCESTOR_SECONDS = 234, ANCESTOR_FAILED_PERCENT = 20.9;

/** How long a whole grid takes to come and go, and whether it ever fails. */
export const recreate: Bench = {
  about: "a whole grid made and destroyed again and again, against the ancestor's 234 s of which 20.9 % failed",
  flags: { rounds: ["10", "times"] },
  needs: "grid",
  async run(flags, print) {
    const rounds = positive(flags, "rounds");
    const ups: number[] = [], downs: number[] = [];
    let failed = 0;
    await withStack("the recreate bench", () => undefined, async ({ stack, cloud }) => {
      for (let i = 1; i <= rounds; i += 1) {
        try {
          const up = await stack.up();
          const down = await stack.destroy();
          const { leaks } = await cloud.leaks();
          if (leaks.length > 0) throw new Error(`left: ${leaks.join("; ")}`);
          ups.push(up.seconds);
          downs.push(down.seconds);
          print(`round ${i}: up ${up.seconds.toFixed(1)} s, destroy ${down.seconds.toFixed(1)} s (${load()})`);
        } catch (e) {
          failed += 1;
          print(`round ${i}: FAILED: ${(e as Error).message.slice(-800)}`);
        }
      }
    });
    const mean = ups.reduce((a, b) => a + b, 0) / Math.max(1, ups.length);
    return {
      rounds, failed, upMeanSeconds: round(mean), upMedianSeconds: round(percentile(ups, 0.5)), destroyMedianSeconds: round(percentile(downs, 0.5)),
      timesAsFastAsAncestor: round(ANCESTOR_SECONDS / mean), ancestorFailedPercent: ANCESTOR_FAILED_PERCENT, ok: failed === 0,
    };
  },
};
