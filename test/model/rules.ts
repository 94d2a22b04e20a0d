import { isFree, withMind, withController, type Mind, type Plan, type World } from "./world";

/*
 * The controller's rules, as the model knows them: what one look leads to. The shipped rules are explored too, by themselves
 * (`shipped.spec.ts`); these here can be switched off one by one, which shows what each of them is for.
 */

/** A rule that can be left out. */
export type Guard =
  /** Idle workers are closed to new work first, by the startd's own compare-and-drain; what is not fenced is not removed. */
  | "fenceFirst"
  /** When the call to end a server failed, everything is asked again. */
  | "askAfterFailure"
  /** A drained worker's startd is asked again before its server is ended. */
  | "askStartdAgain"
  /** Workers let a job run to its end when they drain (MAXJOBRETIREMENTTIME). */
  | "retirement"
  /** What the cloud calls stopped must be called so in several looks. */
  | "confirmStopped"
  /** An ad that comes in after the cloud's first bad word beats it. */
  | "liveAdBeatsCloud"
  /** Before a removal the cloud is asked for that one server. */
  | "askCloudAgain"
  /** Before a removal the host's address is tried. */
  | "askHost"
  /** On the cloud's word alone a server is deleted, never stopped: a cloud that refuses to delete what runs gives the last word. */
  | "deleteOnly"
  /** A silent worker is believed lost after several looks only. */
  | "confirmSilent"
  /** What has a job on record is not lost. */
  | "heedRecords"
  /** A worker that is to go before it joined gets no token any more; one that may have a token is drained. */
  | "closeGate"
  /** After a restart every server may have a token. */
  | "mayHaveToken"
  /** A question without an answer is no answer. */
  | "unknownIsUnknown"
  /** A server that the list does not show is counted until several lists and the cloud itself deny it. */
  | "countAbsent"
  /** After a create without an answer the list is watched before the next one. */
  | "watchAfterLostCreate"
  /** After a start the list is watched before anything is made. */
  | "watchAfterStart"
  /** One controller at a time. */
  | "lock"
  /** Several lists without a server are not enough: it is asked for by its id before its place is given away. */
  | "confirmGone"
  /** A server that was in the pool and is off, or is not heard any more, is replaced. */
  | "replaceDead"
  /** What does not join is replaced. */
  | "replaceNeverJoined"
  /** What the cloud denies is no longer counted. */
  | "believeGone"
  /** A made server that does not run is started. */
  | "startStopped"
  /** What was drained for being too many is taken back when it is needed, and removed otherwise. */
  | "finishDrained";

export interface Protocol {
  readonly cloud: "cloudsigma" | "openstack";
  readonly min: number;
  readonly max: number;
  /** Looks that confirm a bad word, a silence, or an absence from the list. */
  readonly looks: number;
  /** Lists that may lack a new server. */
  readonly lag: number;
  readonly off: ReadonlySet<Guard>;
}

export const has = (p: Protocol, g: Guard): boolean => !p.off.has(g);

/** Notes one worker's part of the cloud's list. */
export function noteListed(m: Mind, status: Mind["status"], p: Protocol): Mind {
  if (status !== "absent") return { ...m, known: true, status, absentLists: 0 };
  if (!m.known) return m;
  if (!has(p, "countAbsent")) return { ...m, known: false };
  return { ...m, status, absentLists: Math.min(m.absentLists + 1, p.looks) };
}

/** Notes one worker's part of the collector's answer, after the list of the same pass. */
export function noteAd(m: Mind, ad: Mind["ad"], isOrdered: boolean, p: Protocol): Mind {
  if (!m.known) return m;
  const everJoined = m.everJoined || ad !== "none";
  // One that the operator wants gone is not started, so nothing else would ever finish a removal that a crash cut off.
  const isBad = m.status === "stopped" && (everJoined || isOrdered);
  const contradicted = has(p, "liveAdBeatsCloud") && m.badLooks > 0 && m.heardSince;
  const badLooks = !isBad ? 0 : contradicted ? 1 : Math.min(m.badLooks + 1, p.looks);
  return {
    ...m, ad, everJoined, badLooks, heardSince: badLooks > 0 && !contradicted && m.badLooks > 0 ? m.heardSince : false,
    silentLooks: ad === "none" ? Math.min(m.silentLooks + 1, p.looks) : 0,
  };
}

type Phase = "booting" | "joining" | "idle" | "busy" | "draining" | "drained" | "lost" | "removing";

function phaseOf(m: Mind, recorded: boolean): Phase {
  if (m.removing !== "no") return "removing";
  if (m.ad === "none") return m.everJoined ? "lost" : m.status === "running" ? "joining" : "booting";
  if (m.ad === "drained") return recorded ? "draining" : "drained";
  if (m.ad === "retiring") return "draining";
  return m.ad === "busy" || recorded ? "busy" : "idle";
}

/** What the schedd answered. */
export interface Jobs {
  readonly waiting: number;
  readonly recorded: readonly boolean[];
}

/** Writes the plans of controller `c` for this pass into its minds. */
export function decide(s: World, c: number, jobs: Jobs, p: Protocol): World {
  const seen = s.workers.flatMap((w, i) => {
    const m = w.minds[c]!;
    return m.known ? [{ i, m, order: w.order, phase: phaseOf(m, jobs.recorded[i]!), recorded: jobs.recorded[i]! }] : [];
  });
  const plans = new Map<number, Plan>();
  const confirm = has(p, "confirmStopped") ? p.looks : 1;
  const silent = has(p, "confirmSilent") ? p.looks : 1;
  for (const { i, m, phase, recorded } of seen) {
    const isRecorded = recorded && has(p, "heedRecords");
    if (phase === "removing") plans.set(i, "goOn");
    else if (m.absentLists >= p.looks && has(p, "believeGone")) plans.set(i, "confirmGone");
    else if (phase === "drained" && has(p, "finishDrained")) plans.set(i, "drained");
    else if (m.badLooks >= confirm && has(p, "replaceDead")) plans.set(i, "stopped");
    else if (m.silentLooks >= silent && !isRecorded && m.status !== "absent") {
      if (phase === "lost" && has(p, "replaceDead")) plans.set(i, "lost");
      else if (phase === "joining" && has(p, "replaceNeverJoined")) plans.set(i, "neverJoined");
    }
  }
  const unplanned = seen.filter((x) => !plans.has(x.i));
  for (const { i, m, order, phase } of seen) {
    if (order === "now" && phase !== "removing") plans.set(i, "now");
    else if (order === "drain" && !plans.has(i)) {
      if (phase === "idle" || phase === "busy") plans.set(i, "drain");
      else if ((phase === "booting" || phase === "joining") && m.untouched) plans.set(i, "notAdmitted");
    }
  }
  const staying = unplanned.filter((x) => x.order === "none" && (x.phase === "booting" || x.phase === "joining" || x.phase === "idle" || x.phase === "busy" || x.phase === "lost"));
  for (const x of staying) if (x.m.status === "stopped" && !x.m.everJoined && has(p, "startStopped")) plans.set(x.i, "start");
  return planned(size(s, c, staying, plans, seen.length, jobs.waiting, p), c, plans);
}

type Seen = { readonly i: number; readonly m: Mind; readonly phase: Phase };

/** Grows, takes back or shrinks, and answers the world with the creates planned. */
function size(s: World, c: number, staying: readonly Seen[], plans: Map<number, Plan>, total: number, waiting: number, p: Protocol): World {
  const coming = staying.filter((x) => x.phase !== "busy").length;
  const busy = staying.length - coming;
  const wanted = s.size >= 0 ? s.size : Math.max(p.min, Math.min(p.max, busy + waiting));
  let lacking = wanted - staying.length;
  if (lacking < 0) {
    const shrinkable = s.size >= 0 || waiting === 0;
    const take = (xs: readonly Seen[], plan: Plan): void => xs.slice(0, Math.max(0, -lacking)).forEach((x) => { plans.set(x.i, plan); lacking += 1; });
    if (!shrinkable) return s;
    take(staying.filter((x) => (x.phase === "booting" || x.phase === "joining") && (x.m.untouched || !has(p, "mayHaveToken"))), "notAdmitted");
    take(staying.filter((x) => x.phase === "idle"), "fenceIfIdle");
    const mayJoin = staying.filter((x) => (x.phase === "booting" || x.phase === "joining" || x.phase === "lost") && !plans.has(x.i)).length;
    lacking = Math.min(0, lacking + mayJoin);
    if (s.size >= 0) take(staying.filter((x) => x.phase === "busy"), "drain");
    return s;
  }
  for (const [i, plan] of plans) {
    const w = s.workers[i]!;
    if (lacking > 0 && plan === "drained" && w.order === "none") { plans.set(i, "cancelDrain"); lacking -= 1; }
  }
  s.workers.forEach((w, i) => {
    if (lacking > 0 && w.minds[c]!.ad === "retiring" && w.order === "none" && !plans.has(i)) { plans.set(i, "cancelDrain"); lacking -= 1; }
  });
  const creates = s.controllers[c]!.watch > 0 ? 0 : Math.max(0, Math.min(lacking, p.max - total));
  return withController(s, c, { creates });
}

function planned(s: World, c: number, plans: ReadonlyMap<number, Plan>): World {
  let next = s;
  s.workers.forEach((w, i) => {
    if (isFree(w) || !w.minds[c]!.known) return;
    // What was seen has been used: it is not remembered beyond the decision, except what counts looks.
    next = withMind(next, i, c, { plan: plans.get(i) ?? "none", status: "absent", ad: "none", asked: 0 });
  });
  return next;
}
