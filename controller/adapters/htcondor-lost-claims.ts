import type { RunningJob } from "../../components/policy/demand";
import { isOlderThanStartd } from "../../components/policy/orphans";
import { unknown, type Observed } from "../ports";
import { hasMachine, hostsOf } from "./condor-jobs";
import { ms, number, parseAds, startdStart, text, type Ad } from "./condor-parse";
import type { CondorTools } from "./condor-tools";
import { jobId, jobsThere, release } from "./htcondor-release";

const SLOT = ["Name", "Machine", "DynamicSlot", "DaemonStartTime", "MyCurrentTime", "LastHeardFrom", "JobId"] as const;

/** Lets jobs start anew whose claims were of a former startd of this machine. Asks anew, and leaves alone what is not certain. */
export async function releaseLostClaims(tools: CondorTools, machine: string, jobs: readonly RunningJob[]): Promise<Observed<number>> {
  const [slots, there] = await Promise.all([
    tools.ask("condor_status", ["-json", "-attributes", SLOT.join(","), "-constraint", `Machine == ${JSON.stringify(machine)}`], parseAds),
    jobsThere(tools, machine),
  ]);
  if (!slots.known) return slots;
  if (!there.known) return there;
  const { lost, kept } = lostClaims(slots.value, there.value, jobs);
  if (lost.length === 0 && kept.length > 0) return unknown(kept.join("; "));
  return release(tools, lost);
}

/**
 * The claim names its startd by the second in which that began, by the worker's clock; so does DaemonStartTime, which may be a second away.
 * The address does not tell: the next startd of the same condor_master gets the same one. It begins 10 s after the former one's end.
 */
const SAME_BIRTH_SECONDS = 5;

interface Startd {
  /** By the worker's clock. */
  readonly birth: number;
  /** By the collector's. */
  readonly startedAtMs: number;
}

/** The one startd behind these slots. */
function startdOf(slots: readonly Ad[]): Startd | string {
  let one: Startd | undefined;
  for (const ad of slots) {
    const birth = number(ad, "DaemonStartTime"), startedAtMs = startdStart(ad);
    if (birth === undefined || startedAtMs === undefined) return "a slot of it does not tell of which startd it is";
    if (one !== undefined && one.birth !== birth) return "its slots are of more than one startd";
    one = { birth, startedAtMs: Math.min(startedAtMs, one?.startedAtMs ?? startedAtMs) };
  }
  return one ?? "the collector does not know it";
}

interface Sorted {
  readonly lost: readonly Ad[];
  /** Why others are left alone. */
  readonly kept: readonly string[];
}

/**
 * Of these jobs, those whose claim is certainly lost. Ages only raise the suspicion, because the master's clock may jump; the claim itself
 * names the startd that gave it, and that must be another one than the machine has now, by the worker's clock alone. No slot may name the
 * job either: what the former startd told last stays in the collector for a minute (CLASSAD_LIFETIME), but was heard before the new one
 * began.
 */
export function lostClaims(slots: readonly Ad[], there: readonly Ad[], jobs: readonly RunningJob[]): Sorted {
  const startd = startdOf(slots.filter((ad) => ad["DynamicSlot"] !== true));
  if (typeof startd === "string") return { lost: [], kept: [startd] };
  const lost: Ad[] = [], kept: string[] = [];
  for (const job of jobs) {
    const ad = there.find((a) => jobId(a) === job.id);
    if (ad === undefined || !isSameStart(ad, job)) continue; // it has left the machine by itself
    const why = whyKept(ad, job, startd, slots);
    if (why === undefined) lost.push(ad);
    else kept.push(`job ${job.id} is left alone: ${why}`);
  }
  return { lost, kept };
}

const isSameStart = (ad: Ad, job: RunningJob): boolean =>
  ms(number(ad, "JobCurrentStartDate")) === job.startedAtMs && text(ad, "RemoteHost")?.endsWith(`@${job.machine}`) === true;

function whyKept(ad: Ad, job: RunningJob, startd: Startd, slots: readonly Ad[]): string | undefined {
  if (!hasMachine(number(ad, "JobStatus"))) return "it does not run";
  if (hostsOf(ad).length !== 1) return "it has several machines";
  if (!isOlderThanStartd(job, startd.startedAtMs)) return "it began after the startd";
  const birth = /^<[^>]*>#(\d+)#/.exec(text(ad, "PublicClaimId") ?? "")?.[1];
  if (birth === undefined) return "its claim does not tell which startd gave it";
  if (Math.abs(Number(birth) - startd.birth) <= SAME_BIRTH_SECONDS) return "its claim is of the startd that runs now";
  for (const slot of slots) {
    if (slot["JobId"] !== job.id) continue;
    const heardAtMs = ms(number(slot, "LastHeardFrom"));
    const isOfFormer = number(slot, "DaemonStartTime") !== startd.birth && heardAtMs !== undefined && heardAtMs < startd.startedAtMs;
    if (!isOfFormer) return "a slot there names it";
  }
  return undefined;
}
