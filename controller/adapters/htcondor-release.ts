import { known, unknown, type Observed } from "../ports";
import { hostsOf } from "./condor-jobs";
import { number, parseAds, text, type Ad } from "./condor-parse";
import type { CondorTools } from "./condor-tools";

const ATTRIBUTES = [
  "ClusterId", "ProcId", "JobStatus", "RemoteHost", "AllRemoteHosts", "StartdIpAddr", "PublicClaimId", "JobCurrentStartDate",
  "NumShadowStarts",
] as const;

/** Jobs that have this machine as a host, whatever their state; of several machines, where it is one of them. */
export const jobsThere = (tools: CondorTools, machine: string): Promise<Observed<readonly Ad[]>> =>
  tools.ask(
    "condor_q",
    [
      "-allusers", "-json", "-attributes", ATTRIBUTES.join(","),
      "-constraint", `AllRemoteHosts =!= undefined || split(RemoteHost, "@")[1] == ${JSON.stringify(machine)}`,
    ],
    (t) => parseAds(t).filter((ad) => hostsOf(ad).includes(machine)),
  );

export const jobId = (ad: Ad): string => `${String(ad["ClusterId"])}.${String(ad["ProcId"])}`;

/** Process ids of the shadows of these jobs, from `ps -o pid=,args=`: a shadow has its job's id as a word of its own. */
export const shadowsOf = (listing: string, jobs: ReadonlySet<string>): readonly string[] =>
  listing.split("\n").flatMap((line) => {
    const [pid, ...words] = line.trim().split(/\s+/);
    return pid !== undefined && /^\d+$/.test(pid) && words.some((w) => jobs.has(w)) ? [pid] : [];
  });

/** This very start of the job and no later one, as a constraint; none where its ad does not tell them apart. */
export function sameStart(ad: Ad): string | undefined {
  const cluster = number(ad, "ClusterId"), proc = number(ad, "ProcId"), host = text(ad, "RemoteHost");
  const started = number(ad, "JobCurrentStartDate"), starts = number(ad, "NumShadowStarts");
  if ([cluster, proc, host, started, starts].includes(undefined)) return undefined;
  const which = `ClusterId == ${cluster} && ProcId == ${proc} && RemoteHost =?= ${JSON.stringify(host)}`;
  return `${which} && JobCurrentStartDate =?= ${started} && NumShadowStarts =?= ${starts}`;
}

/**
 * Ends the claims of these jobs on the schedd's side, so that they start anew. Of what was tried only the end of the shadow does it:
 * condor_vacate_job -fast and condor_hold make it wait for the lease, and the schedd has no command to forget a claim. First the lease is
 * said to be over: the schedd does that for this very start of the job or not at all, and the shadows are looked up before it, so that no
 * shadow of a later start is ended. The schedd tries a claim that it still holds once more: where the address refuses, or another startd answers there,
 * the job is idle 10 s later and runs 5 s after that. Answers how many jobs it was.
 */
export async function release(tools: CondorTools, jobs: readonly Ad[]): Promise<Observed<number>> {
  const shadows = await tools.call("ps", ["-C", "condor_shadow", "-o", "pid=,args="]);
  const pids: string[] = [], kept: string[] = [];
  for (const ad of jobs) {
    const id = jobId(ad), [pid, ...others] = shadowsOf(shadows.stdout, new Set([id]));
    const one = pid !== undefined && others.length === 0;
    const why = one ? await endLease(tools, ad) : `it has ${pid === undefined ? "no shadow" : "more than one shadow"}`;
    if (pid !== undefined && why === undefined) pids.push(pid);
    else kept.push(`job ${id} is left to its lease: ${why}`);
  }
  if (pids.length === 0) return kept.length === 0 ? known(0) : unknown(kept.join("; "));
  const failure = tools.failure("kill", await tools.call("kill", ["-KILL", ...pids]));
  return failure === undefined ? known(pids.length) : unknown(failure);
}

/** Answers why not. */
async function endLease(tools: CondorTools, ad: Ad): Promise<string | undefined> {
  const constraint = sameStart(ad);
  if (constraint === undefined) return "its ad does not tell its starts apart";
  const r = await tools.call("condor_qedit", ["-constraint", constraint, "LastJobLeaseRenewal", "1"]);
  const failure = tools.failure("condor_qedit", r);
  return failure ?? (/\bfor 1 matching job/.test(r.stdout) ? undefined : "the queue did not say that its lease is over");
}
