import type { RunningJob } from "../../components/policy/demand";
import { unknown, type FenceResult, type Observed, type Occupancy, type ProbeResult } from "../ports";
import type { CommandResult } from "../run-command";
import { parseAds } from "./condor-parse";
import type { CondorTools } from "./condor-tools";
import { invalidation, releaseJobs } from "./htcondor-gone";
import { releaseLostClaims } from "./htcondor-lost-claims";
import { occupancy } from "./htcondor-occupancy";
import { probe, tcpConnect, type Connect } from "./tcp-probe";

/** A machine's name is put into an expression: only what a host name may hold. */
const HOST = /^[A-Za-z0-9][A-Za-z0-9.-]*$/;

/** Evaluated for every slot, dynamic ones included, by the startd itself in the same step as the drain: one slot refuses it as a whole. */
const IDLE = 'State == "Unclaimed"';
/**
 * The promise that a drain kills no job is the slot's own MaxJobRetirementTime. HTCondor 23.9.6 sets it to 0 when the last job of a
 * draining worker ends, and puts it back at its next look at the slot (POLLING_INTERVAL). A drain that is cancelled between the two
 * leaves it at 0, and the next drain ends whatever runs, in the same second (`ResMgr::checkForDrainCompletion`; 30 jobs of 150 in
 * 80 drains). So the startd itself refuses a drain while the promise is not there.
 */
const PROMISED = "MaxJobRetirementTime > 0";
/** Only a drain that ends puts the promise back; this one ends by itself, and is refused as soon as anything is to run. */
const SETTLE = ["-graceful", "-resume-on-completion", "-reason", "settling", "-check", `${IDLE} && MaxJobRetirementTime =?= 0`];
const SETTLE_LIMIT_MS = 8_000;
const SETTLE_POLL_MS = 250;

const accepted = (detail = ""): FenceResult => ({ answer: "accepted", detail });

export interface DrainOptions {
  readonly tools: CondorTools;
  readonly connect?: Connect;
  readonly pause?: (ms: number) => Promise<void>;
}

/** The acting side of the queue: what is done to a worker, and the questions put before it. */
export class HtcondorDrain {
  protected readonly tools: CondorTools;
  private readonly connect: Connect;
  private readonly pause: (ms: number) => Promise<void>;

  constructor({ tools, connect = tcpConnect, pause = (ms) => new Promise((done) => setTimeout(done, ms)) }: DrainOptions) {
    this.tools = tools;
    this.connect = connect;
    this.pause = pause;
  }

  async fence(machine: string, kind: "ifIdle" | "drain", reason: string): Promise<FenceResult> {
    const close = (check: string): Promise<FenceResult> => this.drain(machine, ["-graceful", "-reason", reason, "-check", check]);
    const first = await close(kind === "ifIdle" ? IDLE : PROMISED);
    if (kind === "ifIdle" || first.answer !== "refusedBusy") return first;
    // Without the promise it may still be closed while nothing runs; that also puts the promise back.
    const second = await close(IDLE);
    return second.answer !== "refusedBusy" ? second : { answer: "notNow", detail: "a drain now would end its jobs (MaxJobRetirementTime is 0 there): it is closed when it is idle, or when HTCondor has put that back" };
  }

  /**
   * Puts a draining worker back into service. When its last job ended in that very moment, the drain is brought to its end first:
   * about 2 s.
   */
  async cancelDrain(machine: string): Promise<FenceResult> {
    const cancelled = await this.drain(machine, ["-cancel"]);
    if (cancelled.answer !== "accepted") return cancelled;
    if ((await this.drain(machine, SETTLE)).answer !== "accepted") return cancelled;
    for (let waited = 0; waited < SETTLE_LIMIT_MS; waited += SETTLE_POLL_MS) {
      await this.pause(SETTLE_POLL_MS);
      const open = await this.tools.ask("condor_status", ["-json", "-attributes", "Machine,State,Draining", "-constraint", `Machine == ${JSON.stringify(machine)}`], (t) => parseAds(t).every((ad) => ad["Draining"] !== true && ad["State"] !== "Drained"));
      if (!open.known) break;
      if (open.value) return accepted("its last job had just ended");
    }
    return accepted("its last job had just ended; it will take jobs in a few seconds");
  }

  async evict(machine: string): Promise<FenceResult> {
    const drained = await this.drain(machine, ["-fast", "-reason", "elastigrid:now"]);
    if (drained.answer !== "alreadyDraining") return drained;
    // A drain that lets jobs end is under way and stays; its jobs are told to go.
    const failure = this.tools.failure("condor_vacate", await this.tools.call("condor_vacate", ["-fast", machine]));
    return failure === undefined ? accepted() : { answer: "unknown", detail: failure };
  }

  /**
   * The cloud has verified that this machine no longer exists: the collector forgets it, and its jobs may start elsewhere now. Jobs of a
   * host that still answers are not touched.
   */
  async gone(machine: string): Promise<Observed<number>> {
    if (!HOST.test(machine)) return unknown(`not a host name: ${machine}`);
    // What fails here only leaves an ad that expires by itself.
    await this.tools.call("condor_advertise", ["INVALIDATE_STARTD_ADS", "-"], invalidation("Machine", machine));
    await this.tools.call("condor_advertise", ["INVALIDATE_MASTER_ADS", "-"], invalidation("DaemonMaster", machine));
    return releaseJobs(this.tools, machine, (address) => this.probe(address));
  }

  releaseLostClaims(machine: string, jobs: readonly RunningJob[]): Promise<Observed<number>> {
    return HOST.test(machine) ? releaseLostClaims(this.tools, machine, jobs) : Promise.resolve(unknown(`not a host name: ${machine}`));
  }

  occupancy(machines: readonly string[]): Promise<Observed<ReadonlyMap<string, Occupancy>>> {
    const odd = machines.find((m) => !HOST.test(m));
    return odd === undefined ? occupancy(this.tools, machines) : Promise.resolve(unknown(`not a host name: ${odd}`));
  }

  probe(address: string): Promise<ProbeResult> {
    return probe(address, this.connect);
  }

  private async drain(machine: string, args: readonly string[]): Promise<FenceResult> {
    if (!HOST.test(machine)) return { answer: "unknown", detail: `not a host name: ${machine}` };
    const r = await this.tools.call("condor_drain", [...args, machine]);
    const answer = parseDrain(r, this.tools.failure("condor_drain", r));
    return answer === "not-found" ? this.confirmAbsent(machine) : answer;
  }

  /** condor_drain finds no address also when the collector is away: absent is only what the collector itself denies. */
  private async confirmAbsent(machine: string): Promise<FenceResult> {
    const there = await this.tools.ask("condor_status", ["-json", "-attributes", "Machine,Name", "-constraint", `Machine == ${JSON.stringify(machine)}`], (t) => parseAds(t).length);
    if (!there.known) return { answer: "unknown", detail: there.reason };
    return there.value === 0 ? { answer: "notThere", detail: "the collector does not know it" } : { answer: "unknown", detail: "it has an ad but no address" };
  }
}

/** Reads condor_drain's answer. The numbers are HTCondor's: 10001 already draining, 10003 the check was false. */
export function parseDrain(r: CommandResult, failure: string | undefined): FenceResult | "not-found" {
  if (failure === undefined) return accepted();
  if (r.timedOut) return { answer: "unknown", detail: failure };
  const said = `${r.stdout}\n${r.stderr}`;
  if (/error code 10001\b/.test(said)) return { answer: "alreadyDraining", detail: failure };
  if (/error code 10003\b/.test(said)) return { answer: "refusedBusy", detail: failure };
  if (/Can't find address for startd/.test(said)) return "not-found";
  return { answer: "unknown", detail: failure };
}
