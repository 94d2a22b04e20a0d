import { writeFileSync } from "node:fs";
import Mocha from "mocha";
import type { LaneCounts } from "./totals";

/** mocha's ordinary live report, and the counts in the file that ELASTIGRID_LANE_COUNTS names. */
class LaneReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const file = process.env["ELASTIGRID_LANE_COUNTS"];
    let failed = 0; // hooks that fail count too: mocha's own statistics leave out what they kept from running
    runner.on("fail", () => (failed += 1));
    // mocha would die at once and leave what the tests started; so: fail the test at hand, skip the others, run the hooks.
    let interrupted = false;
    process.once("SIGINT", () => {
      interrupted = true;
      runner.abort();
      setImmediate(() => {
        throw new Error("interrupted");
      });
    });
    runner.once("end", () => {
      const counts: LaneCounts = { passed: this.stats.passes, failed, skipped: this.stats.pending };
      if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
      if (interrupted) process.exit(130); // the test at hand may still wait for something; nobody waits for it
    });
  }
}

export = LaneReporter;
