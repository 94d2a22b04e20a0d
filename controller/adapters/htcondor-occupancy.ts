import { known, unknown, type Observed, type Occupancy } from "../ports";
import { hostsOf } from "./condor-jobs";
import { parseAds, parseMachines } from "./condor-parse";
import type { CondorTools } from "./condor-tools";

const MACHINE = ["Name", "Machine", "State", "Activity", "NumDynamicSlots", "PartitionableSlot", "Draining", "DrainReason"] as const;

/**
 * Two fresh questions about these machines alone, one to the schedd and one to the collector. A job counts wherever it has a host,
 * whatever its state: a removed or suspended one may still occupy it. Either question unanswered makes the whole unknown.
 */
export async function occupancy(tools: CondorTools, machines: readonly string[]): Promise<Observed<ReadonlyMap<string, Occupancy>>> {
  if (machines.length === 0) return known(new Map());
  const list = `{${machines.map((m) => JSON.stringify(m)).join(",")}}`;
  const [slots, jobs] = await Promise.all([
    tools.ask("condor_status", ["-json", "-attributes", MACHINE.join(","), "-constraint", `DynamicSlot =!= True && member(Machine, ${list})`], (t) => parseMachines(parseAds(t))),
    tools.ask("condor_q", ["-allusers", "-json", "-attributes", "ClusterId,ProcId,RemoteHost,AllRemoteHosts", "-constraint", `AllRemoteHosts =!= undefined || member(split(RemoteHost, "@")[1], ${list})`], (t) => parseAds(t).flatMap(hostsOf)),
  ]);
  if (!slots.known) return unknown(slots.reason);
  if (!jobs.known) return unknown(jobs.reason);
  const bySlot = new Map(slots.value.map((s) => [s.name, s]));
  return known(new Map(machines.map((m): readonly [string, Occupancy] => {
    const ad = bySlot.get(m);
    return [m, { jobs: jobs.value.filter((h) => h === m).length, claims: ad?.claims ?? 0, hasAd: ad !== undefined }];
  })));
}
