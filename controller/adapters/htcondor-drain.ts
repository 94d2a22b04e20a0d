import { known, type FenceResult, type Observed, type Occupancy, type ProbeAnswer } from "../ports";
import type { CommandResult } from "../run-command";
import { parseAds } from "./condor-parse";
import type { CondorTools } from "./condor-tools";

/** A machine's name is put into an expression: only what a host name may hold. */
const HOST = /^[A-Za-z0-9][A-Za-z0-9.-]*$/;

/** The acting side of the queue: what is done to a worker. */
export class HtcondorDrain {
  constructor(protected readonly tools: CondorTools) {}

  async fence(machine: string, kind: "ifIdle" | "drain", reason: string): Promise<FenceResult> {
    // The check is evaluated for every slot, dynamic ones included, by the startd itself in the same step as the drain:
    // one slot in use refuses it as a whole.
    const check = kind === "ifIdle" ? ["-check", 'State=="Unclaimed"'] : [];
    return this.drain(machine, ["-graceful", "-reason", reason, ...check]);
  }

  async cancelDrain(machine: string): Promise<FenceResult> {
    return this.drain(machine, ["-cancel"]);
  }

  async evict(machine: string): Promise<FenceResult> {
    const drained = await this.drain(machine, ["-fast", "-reason", "elastigrid:now"]);
    if (drained.answer !== "alreadyDraining") return drained;
    // A drain that lets jobs end is under way and stays; its jobs are told to go.
    const failure = this.tools.failure("condor_vacate", await this.tools.call("condor_vacate", ["-fast", machine]));
    return failure === undefined ? { answer: "accepted", detail: "" } : { answer: "unknown", detail: failure };
  }

  async occupancy(machines: readonly string[]): Promise<Observed<ReadonlyMap<string, Occupancy>>> {
    const [jobs, slots] = await Promise.all([
      this.tools.ask("condor_q", ["-allusers", "-json", "-attributes", "RemoteHost", "-constraint", "RemoteHost =!= undefined"], parseAds),
      this.tools.ask("condor_status", ["-json", "-attributes", "Machine,State,NumDynamicSlots,PartitionableSlot"], parseAds),
    ]);
    if (!jobs.known) return jobs;
    if (!slots.known) return slots;
    return known(new Map(machines.map((m): [string, Occupancy] => {
      const ads = slots.value.filter((ad) => ad["Machine"] === m);
      const claims = ads.filter((ad) => ad["PartitionableSlot"] !== true && ad["State"] !== "Unclaimed" && ad["State"] !== "Drained").length;
      return [m, { jobs: jobs.value.filter((ad) => String(ad["RemoteHost"]).endsWith(`@${m}`)).length, claims, hasAd: ads.length > 0 }];
    })));
  }

  async probe(_address: string): Promise<ProbeAnswer> {
    return "unknown";
  }

  async gone(machine: string): Promise<void> {
    if (!HOST.test(machine)) return;
    // What fails here only leaves an ad that expires by itself.
    await this.tools.call("condor_advertise", ["INVALIDATE_STARTD_ADS", "-"], invalidation("Machine", machine));
    await this.tools.call("condor_advertise", ["INVALIDATE_MASTER_ADS", "-"], invalidation("DaemonMaster", machine));
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
  if (failure === undefined) return { answer: "accepted", detail: "" };
  if (r.timedOut) return { answer: "unknown", detail: failure };
  const said = `${r.stdout}\n${r.stderr}`;
  if (/error code 10001\b/.test(said)) return { answer: "alreadyDraining", detail: failure };
  if (/error code 10003\b/.test(said)) return { answer: "refusedBusy", detail: failure };
  if (/Can't find address for startd/.test(said)) return "not-found";
  return { answer: "unknown", detail: failure };
}

/** The ad by which the collector is told to forget machines. */
export const invalidation = (type: "Machine" | "DaemonMaster" | "StartD", machine: string): string =>
  `MyType = "Query"\nTargetType = "${type}"\nRequirements = Machine == ${JSON.stringify(machine)}\n`;
