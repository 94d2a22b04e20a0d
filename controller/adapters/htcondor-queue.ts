import { known, unknown, type FenceResult, type Observed, type Queue, type QueueView } from "../ports";
import { failureOf, type CommandResult, type RunCommand } from "../run-command";
import { invalidation, JOB_ATTRIBUTES, MACHINE_ATTRIBUTES, parseAds, parseDrain, parseJobs, parseMachines } from "./condor-parse";

export interface HtcondorOptions {
  readonly run: RunCommand;
  /** @default 15000 */
  readonly timeoutMs?: number;
}

/** A machine's name is put into an expression: only what a host name may hold. */
const HOST = /^[A-Za-z0-9][A-Za-z0-9.-]*$/;

/** HTCondor through its own tools, on the master: two commands per look, whatever the size of the pool. */
export class HtcondorQueue implements Queue {
  private readonly run: RunCommand;
  private readonly timeoutMs: number;

  constructor(options: HtcondorOptions) {
    this.run = options.run;
    this.timeoutMs = options.timeoutMs ?? 15_000;
  }

  async observe(): Promise<Observed<QueueView>> {
    const [machines, jobs] = await Promise.all([
      this.ask("condor_status", ["-json", "-attributes", MACHINE_ATTRIBUTES.join(","), "-constraint", "DynamicSlot =!= True"], (t) => parseMachines(parseAds(t))),
      this.ask("condor_q", ["-allusers", "-json", "-attributes", JOB_ATTRIBUTES.join(",")], (t) => parseJobs(parseAds(t))),
    ]);
    if (!machines.known) return machines;
    if (!jobs.known) return jobs;
    return known({ machines: machines.value, ...jobs.value });
  }

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
    const r = await this.call("condor_vacate", ["-fast", machine]);
    const failure = failureOf("condor_vacate", r, this.timeoutMs);
    return failure === undefined ? { answer: "accepted", detail: "" } : { answer: "unknown", detail: failure };
  }

  async invalidate(machine: string): Promise<void> {
    if (!HOST.test(machine)) return;
    // What fails here only leaves an ad that expires by itself.
    await this.call("condor_advertise", ["INVALIDATE_STARTD_ADS", "-"], invalidation("Machine", machine));
    await this.call("condor_advertise", ["INVALIDATE_MASTER_ADS", "-"], invalidation("DaemonMaster", machine));
  }

  private async drain(machine: string, args: readonly string[]): Promise<FenceResult> {
    if (!HOST.test(machine)) return { answer: "unknown", detail: `not a host name: ${machine}` };
    const r = await this.call("condor_drain", [...args, machine]);
    const answer = parseDrain(r, failureOf("condor_drain", r, this.timeoutMs));
    return answer === "not-found" ? this.confirmAbsent(machine) : answer;
  }

  /** condor_drain finds no address also when the collector is away: absent is only what the collector itself denies. */
  private async confirmAbsent(machine: string): Promise<FenceResult> {
    const there = await this.ask("condor_status", ["-json", "-attributes", "Machine,Name", "-constraint", `Machine == ${JSON.stringify(machine)}`], (t) => parseAds(t).length);
    if (!there.known) return { answer: "unknown", detail: there.reason };
    return there.value === 0 ? { answer: "notThere", detail: "the collector does not know it" } : { answer: "unknown", detail: "it has an ad but no address" };
  }

  private async ask<T>(program: string, args: readonly string[], read: (text: string) => T): Promise<Observed<T>> {
    const r = await this.call(program, args);
    const failure = failureOf(program, r, this.timeoutMs);
    if (failure !== undefined) return unknown(failure);
    try {
      return known(read(r.stdout));
    } catch (e) {
      return unknown(`${program}: unreadable answer (${e instanceof Error ? e.message : String(e)})`);
    }
  }

  private call(program: string, args: readonly string[], input?: string): Promise<CommandResult> {
    return this.run(program, args, { timeoutMs: this.timeoutMs, input });
  }
}
