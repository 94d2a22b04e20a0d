import { known, unknown, type Observed, type ProbeResult } from "../ports";
import { hostsOf } from "./condor-jobs";
import { text } from "./condor-parse";
import type { CondorTools } from "./condor-tools";
import { jobsThere, release } from "./htcondor-release";

/** The ad by which the collector is told to forget machines. */
export const invalidation = (type: "Machine" | "DaemonMaster" | "StartD", machine: string): string =>
  `MyType = "Query"\nTargetType = "${type}"\nRequirements = Machine == ${JSON.stringify(machine)}\n`;

/** Lets the jobs of a machine that no longer exists start elsewhere now, instead of at the end of their lease. Answers how many jobs it was. */
export async function releaseJobs(tools: CondorTools, machine: string, probe: (address: string) => Promise<ProbeResult>): Promise<Observed<number>> {
  const asked = await jobsThere(tools, machine);
  if (!asked.known || asked.value.length === 0) return asked.known ? known(0) : asked;
  // A job of several machines names the address of one of them only: it is left to its lease.
  const own = asked.value.filter((ad) => hostsOf(ad).length === 1);
  for (const address of new Set(own.map((ad) => text(ad, "StartdIpAddr") ?? ""))) {
    const { answer, detail } = await probe(address);
    if (answer !== "silent") return unknown(`its jobs are left alone: ${detail}`);
  }
  return release(tools, own);
}
