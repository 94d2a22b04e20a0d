import { known, unknown, type Observed, type ProbeResult } from "../ports";
import { hostsOf } from "./condor-jobs";
import { parseAds, type Ad } from "./condor-parse";
import type { CondorTools } from "./condor-tools";
import { parseAddress } from "./tcp-probe";

/** Long enough for the three tries, 5 s apart, that a shadow makes; short enough for an address that a new worker may get. */
const REFUSED_SECONDS = 20;

/** The ad by which the collector is told to forget machines. */
export const invalidation = (type: "Machine" | "DaemonMaster" | "StartD", machine: string): string =>
  `MyType = "Query"\nTargetType = "${type}"\nRequirements = Machine == ${JSON.stringify(machine)}\n`;

/**
 * The rules by which the master itself refuses connections to these addresses for a while: HTCondor then learns at once what else takes
 * it 20 s a try. They end by themselves, also when the controller does.
 */
export const refusal = (addresses: readonly string[]): string => [
  "add table inet elastigrid_gone",
  "add set inet elastigrid_gone hosts { type ipv4_addr; flags timeout; }",
  "add chain inet elastigrid_gone output { type filter hook output priority filter; }",
  "flush chain inet elastigrid_gone output",
  "add rule inet elastigrid_gone output ip daddr @hosts meta l4proto tcp reject with tcp reset",
  `add element inet elastigrid_gone hosts { ${addresses.map((a) => `${a} timeout ${REFUSED_SECONDS}s`).join(", ")} }`,
  "",
].join("\n");

/** Process ids of the shadows of these jobs, from `ps -o pid=,args=`: a shadow has its job's id as a word of its own. */
export const shadowsOf = (listing: string, jobs: ReadonlySet<string>): readonly string[] =>
  listing.split("\n").flatMap((line) => {
    const [pid, ...words] = line.trim().split(/\s+/);
    return pid !== undefined && /^\d+$/.test(pid) && words.some((w) => jobs.has(w)) ? [pid] : [];
  });

const jobId = (ad: Ad): string => `${String(ad["ClusterId"])}.${String(ad["ProcId"])}`;

/**
 * Lets the jobs of a machine that no longer exists start elsewhere now, instead of at the end of their lease. Of all that was tried only
 * the end of the shadow does it: condor_vacate_job -fast makes it wait for the lease, and the schedd has no command to forget a claim. The
 * schedd tries the claim once more; where the address refuses, that takes 10 s, else 22 to 59. Answers how many jobs it was.
 */
export async function releaseJobs(tools: CondorTools, machine: string, probe: (address: string) => Promise<ProbeResult>): Promise<Observed<number>> {
  const asked = await tools.ask(
    "condor_q",
    ["-allusers", "-json", "-attributes", "ClusterId,ProcId,RemoteHost,AllRemoteHosts,StartdIpAddr", "-constraint", `AllRemoteHosts =!= undefined || split(RemoteHost, "@")[1] == ${JSON.stringify(machine)}`],
    (t) => parseAds(t).filter((ad) => hostsOf(ad).includes(machine)),
  );
  if (!asked.known || asked.value.length === 0) return asked.known ? known(0) : asked;
  const jobs = asked.value;
  // A job of several machines names the address of one of them only: it is left to its lease.
  const own = jobs.filter((ad) => hostsOf(ad).length === 1);
  const addresses = [...new Set(own.map((ad) => (typeof ad["StartdIpAddr"] === "string" ? ad["StartdIpAddr"] : "")))];
  for (const address of addresses) {
    const { answer, detail } = await probe(address);
    if (answer !== "silent") return unknown(`its jobs are left alone: ${detail}`);
  }
  if (own.length === 0) return known(0);
  // What fails here only makes it slower.
  await tools.call("nft", ["-f", "-"], refusal(addresses.flatMap((a) => parseAddress(a)?.host ?? [])));
  const shadows = await tools.call("ps", ["-C", "condor_shadow", "-o", "pid=,args="]);
  const pids = shadowsOf(shadows.stdout, new Set(own.map(jobId)));
  if (pids.length === 0) return unknown("no shadow of its jobs was found: they start elsewhere when their lease ends");
  const failure = tools.failure("kill", await tools.call("kill", ["-KILL", ...pids]));
  return failure === undefined ? known(pids.length) : unknown(failure);
}
