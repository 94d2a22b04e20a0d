import type { QueueJob } from "../../components/policy/demand";
import { known, type Observed, type Queue, type QueueView } from "../ports";
import type { RunCommand } from "../run-command";
import { JOB_ATTRIBUTES, MACHINE_ATTRIBUTES, countsOf, groupsOf, parseAds, parseJobs, parseMachines, runningOf } from "./condor-parse";
import { CondorTools } from "./condor-tools";
import { HtcondorDrain } from "./htcondor-drain";
import type { Connect } from "./tcp-probe";

export interface HtcondorOptions {
  readonly run: RunCommand;
  /** @default 15000 */
  readonly timeoutMs?: number;
  /** @default a TCP connection of this host */
  readonly connect?: Connect;
}

/** HTCondor through its own tools, on the master: two commands per look, whatever the size of the pool. */
export class HtcondorQueue extends HtcondorDrain implements Queue {
  constructor({ run, timeoutMs = 15_000, connect }: HtcondorOptions) {
    super({ tools: new CondorTools(run, timeoutMs), connect });
  }

  async observe(): Promise<Observed<QueueView>> {
    const [machines, jobs] = await Promise.all([
      this.tools.ask("condor_status", ["-json", "-attributes", MACHINE_ATTRIBUTES.join(","), "-constraint", "DynamicSlot =!= True"], (t) => parseMachines(parseAds(t))),
      this.tools.ask("condor_q", ["-allusers", "-json", "-attributes", JOB_ATTRIBUTES.join(",")], (t) => parseJobs(parseAds(t))),
    ]);
    if (!machines.known) return machines;
    if (!jobs.known) return jobs;
    return known({ machines: machines.value, groups: groupsOf(jobs.value), running: runningOf(jobs.value), counts: countsOf(jobs.value) });
  }

  async jobs(_limit: number): Promise<Observed<readonly QueueJob[]>> {
    return this.tools.ask("condor_q", ["-allusers", "-json", "-attributes", JOB_ATTRIBUTES.join(",")], (t) => parseJobs(parseAds(t)));
  }
}
