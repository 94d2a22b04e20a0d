import { HtcondorQueue } from "../controller/adapters/htcondor-queue";
import type { CommandResult, RunCommand } from "../controller/run-command";
import { quote } from "../cli/remote";
import type { Master } from "../demo/ssh";
import { load, percentile, positive, round, type Bench } from "./bench";
import { withGrid } from "./grid";
import { fillQueue } from "./queue";

interface Cost {
  readonly bytes: number;
  readonly seconds: number;
  readonly scheddCpuSeconds: number;
}

/** As it was: every job with what decides about it, at each look. */
const EVERY_JOB = "ClusterId,ProcId,JobStatus,RemoteHost,Owner,QDate,JobCurrentStartDate,RequestCpus,RequestMemory,RequestDisk,HoldReason,Requirements";

/** What a look at a long queue costs, against fetching every job each time. */
export const poll: Bench = {
  about: "a look at a long queue: bytes, seconds and the schedd's CPU, against fetching every job each time",
  flags: { queued: ["10000", "waiting jobs"], looks: ["10", "looks of each kind, in turn"] },
  needs: "grid",
  async run(flags, print) {
    const queued = positive(flags, "queued"), looks = positive(flags, "looks");
    const found: Record<"before" | "now", Cost[]> = { before: [], now: [] };
    await withGrid("the poll bench", print, async ({ master }) => {
      await fillQueue(master, queued);
      await master.run("systemctl stop elastigrid-controller.service"); // its own looks would be counted too
      const meter = new Meter(master);
      const queue = new HtcondorQueue({ run: meter.run, timeoutMs: 60_000 });
      // A first look may have to learn what later ones only follow.
      await look(meter, queue, queued);
      for (let i = 1; i <= looks; i += 1) {
        const before = await meter.measured(
          async () => void (await meter.run("condor_q", ["-allusers", "-json", "-attributes", EVERY_JOB], { timeoutMs: 60_000 })),
        );
        const now = await look(meter, queue, queued);
        found.before.push(before);
        found.now.push(now);
        const text = (c: Cost): string => `${(c.bytes / 1e6).toFixed(3)} MB, ${c.seconds.toFixed(2)} s, schedd ${c.scheddCpuSeconds.toFixed(2)} s`;
        print(`look ${i}: every job ${text(before)}; now ${text(now)} (${load()})`);
      }
      await master.run("condor_rm -all >/dev/null", "", 120_000);
    });
    const median = (which: "before" | "now", of: (c: Cost) => number): number => percentile(found[which].map(of), 0.5);
    const both = (of: (c: Cost) => number): [number, number, number] => [
      median("before", of), median("now", of), median("before", of) / median("now", of),
    ];
    const [bytesBefore, bytes, timesBytes] = both((c) => c.bytes), [secondsBefore, seconds, timesSeconds] = both((c) => c.seconds);
    const mean = (which: "before" | "now"): number => found[which].reduce((a, c) => a + c.scheddCpuSeconds, 0) / looks; // in ticks of 10 ms
    return {
      queued, looks, bytes: round(bytes), bytesEveryJob: round(bytesBefore), timesFewerBytes: round(timesBytes), seconds: round(seconds), secondsEveryJob: round(secondsBefore),
      timesFaster: round(timesSeconds), scheddCpuSeconds: round(mean("now")), scheddCpuSecondsEveryJob: round(mean("before")), timesLessScheddCpu: round(mean("before") / mean("now")),
    };
  },
};

async function look(meter: Meter, queue: HtcondorQueue, queued: number): Promise<Cost> {
  return meter.measured(async () => {
    const seen = await queue.observe();
    if (!seen.known) throw new Error(`the look was not answered: ${seen.reason}`);
    if (seen.value.counts.waiting !== queued) throw new Error(`the look shows ${seen.value.counts.waiting} of ${queued} waiting jobs`);
  });
}

/** Runs the adapter's commands on the master and adds up what they cost there. */
class Meter {
  private cost = { bytes: 0, seconds: 0 };
  constructor(private readonly master: Master) {}

  readonly run: RunCommand = async (program, args, { timeoutMs, input }): Promise<CommandResult> => {
    const command = [program, ...args].map(quote).join(" ");
    const stdin = input === undefined ? "</dev/null" : "";
    const said = await this.master.run(
      `s=$(date +%s%N); ${command} ${stdin} 2>/tmp/bench-err; c=$?; e=$(date +%s%N); echo; echo "took $((e - s)) $c"; tail -c 2000 /tmp/bench-err`,
      input ?? "", timeoutMs,
    );
    const at = said.lastIndexOf("\ntook ");
    const [, nanoseconds = "", code = ""] = /^took (\d+) (\d+)$/m.exec(said.slice(at)) ?? [];
    const stdout = said.slice(0, at);
    this.cost.bytes += stdout.length;
    this.cost.seconds += Number(nanoseconds) / 1e9;
    return { code: Number(code), stdout, stderr: said.slice(at).split("\n").slice(2).join("\n"), timedOut: false };
  };

  async measured(work: () => Promise<void>): Promise<Cost> {
    this.cost = { bytes: 0, seconds: 0 };
    const from = await this.scheddCpuSeconds();
    await work();
    return { ...this.cost, scheddCpuSeconds: (await this.scheddCpuSeconds()) - from };
  }

  private async scheddCpuSeconds(): Promise<number> {
    const fields = (await this.master.run("cat /proc/$(pgrep -x condor_schedd | head -n 1)/stat; getconf CLK_TCK")).trim().split("\n");
    const stat = (fields[0] ?? "").split(") ")[1]?.split(" ") ?? [];
    // With its children that have ended: it answers a long question in a fork. No job runs meanwhile, so no shadow is among them.
    return [11, 12, 13, 14].reduce((sum, i) => sum + Number(stat[i]), 0) / Number(fields[1]);
  }
}
