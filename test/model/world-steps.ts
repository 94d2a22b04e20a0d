import type { Step } from "./explorer";
import { adOf, hasJob, isAlive, isReached, spend, withWorker, type World, type Worker } from "./world";

/** What the world must know of the controllers and of time. */
export interface Bearings {
  readonly max: number;
  /** A3: a controller has the last answer about this worker, and its call is on the way. */
  isAboutToEnd(w: Worker, i: number): boolean;
  /** A3, of a drained one: its startd has just said that it drains, and the other questions are being asked. */
  isJudged(w: Worker, i: number): boolean;
  /** A4: what ends by the time that has passed does so between two passes. */
  readonly isBetweenPasses: boolean;
  /** Ads come in and expire at any time; else somebody else plays them. */
  readonly ads: boolean;
}

/** What cloud, startd, collector, schedd and operator may do next. */
export function worldSteps(s: World, b: Bearings, out: Step<World>[]): void {
  for (let i = 0; i < s.workers.length; i += 1) {
    const w = s.workers[i]!;
    serverSteps(s, i, w, out);
    poolSteps(s, i, w, b, out);
    faultSteps(s, i, w, b, out);
    operatorSteps(s, i, w, out);
  }
  if (s.left.submissions > 0) out.push({ label: "a job is submitted", kind: "fault", next: spend({ ...s, waiting: s.waiting + 1 }, "submissions") });
  if (s.left.sizeOrders > 0) {
    for (let n = 0; n <= b.max; n += 1) if (n !== s.size) out.push({ label: `the operator says: scale ${n}`, kind: "fault", next: spend({ ...s, size: n }, "sizeOrders") });
  }
}

function serverSteps(s: World, i: number, w: Worker, out: Step<World>[]): void {
  const becomes = (server: Worker["server"], label: string): void => void out.push({ label: `cloud: server of w${i} ${label}`, kind: "fair", next: withWorker(s, i, { server }) });
  if (w.server === "starting") becomes("running", "runs");
  if (w.server === "stopping") becomes("stopped", "has stopped");
  if (w.server === "deleting") out.push({ label: `cloud: server of w${i} is gone`, kind: "fair", next: withWorker(s, i, { server: "absent", token: false, lag: 0, broken: false }) });
  if (w.server !== "running" || isAlive(w) || w.broken) return;
  if (w.token) out.push({ label: `w${i} starts its startd`, kind: "fair", next: withWorker(s, i, { startd: "unclaimed" }) });
  // Whoever serves enrolment gives the token: the controller that is in charge, unless it has closed the gate.
  else s.controllers.forEach((c, k) => {
    const mind = w.minds[k]!;
    if (c.at === "down" || c.at === "waiting" || mind.gateClosed) return;
    const minds = w.minds.map((m, x) => (x === k ? { ...m, untouched: false } : m));
    out.push({ label: `w${i} asks controller ${k} for its token and gets it`, kind: "fair", next: withWorker(s, i, { token: true, minds }) });
  });
}

/** A new ad, which the controllers that doubt the worker take note of. */
export function heard(w: Worker): Partial<Worker> {
  return { ad: adOf(w), minds: w.minds.map((m) => (m.badLooks > 0 && !m.heardSince ? { ...m, heardSince: true } : m)) };
}

/** The job of a claim or of a match goes back to those that wait. */
const giveBack = (s: World): World => ({ ...s, waiting: s.waiting + 1 });

function poolSteps(s: World, i: number, w: Worker, b: Bearings, out: Step<World>[]): void {
  const step = (label: string, next: World): void => void out.push({ label, kind: "fair", next });
  if (b.ads && isReached(w) && (w.ad !== adOf(w) || w.minds.some((m) => m.badLooks > 0 && !m.heardSince))) step(`collector hears from w${i}: ${adOf(w)}`, withWorker(s, i, heard(w)));
  // A4: no ad expires unseen.
  if (b.ads && b.isBetweenPasses && !isReached(w) && w.ad !== "none" && w.minds.every((m) => m.silentLooks === 0)) step(`collector: the ad of w${i} expires`, withWorker(s, i, { ad: "none" }));
  if (s.waiting > 0 && w.ad === "unclaimed" && !w.matched) step(`negotiator matches a job with w${i}`, withWorker({ ...s, waiting: s.waiting - 1 }, i, { matched: true }));
  if (w.matched) {
    // A3: not between the last answer and the call that ends the server.
    if (isReached(w) && w.startd === "unclaimed") {
      if (!b.isAboutToEnd(w, i)) step(`schedd claims w${i}`, withWorker(s, i, { matched: false, startd: "claimed" }));
    }
    else step(`w${i} refuses the claim or does not answer`, withWorker(giveBack(s), i, { matched: false }));
  }
  if (w.startd === "claimed") {
    if (isReached(w)) step(`the job starts on w${i}`, withWorker(s, i, { startd: "busy", recorded: true }));
    else step(`the claim of w${i} times out`, withWorker(giveBack(s), i, { startd: "unclaimed" }));
  }
  if (hasJob(w) && !w.cutOff) {
    step(`the job on w${i} is done`, withWorker(s, i, { startd: w.startd === "retiring" ? "drained" : "unclaimed", recorded: false }));
    // The schedd may keep the claim for its next job, without asking the negotiator again.
    if (w.startd === "busy" && s.waiting > 0) step(`the job on w${i} is done, its claim is used for the next one`, withWorker({ ...s, waiting: s.waiting - 1 }, i, { startd: "claimed", recorded: false }));
  }
  if (b.isBetweenPasses && w.recorded && (!hasJob(w) || w.cutOff)) {
    const startd = w.startd === "busy" ? "unclaimed" : w.startd === "retiring" ? "drained" : w.startd;
    step(`the lease of the job on w${i} is over`, withWorker(giveBack(s), i, { recorded: false, startd }));
  }
  if (w.cutOff) step(`the network reaches w${i} again`, withWorker(s, i, { cutOff: false }));
  if (w.hangs) step(`the startd of w${i} answers again`, withWorker(s, i, { hangs: false }));
}

function faultSteps(s: World, i: number, w: Worker, b: Bearings, out: Step<World>[]): void {
  const fault = (label: string, next: World): void => void out.push({ label, kind: "fault", next });
  if (s.left.cuts > 0 && isAlive(w) && !w.cutOff) fault(`the network does not reach w${i} any more`, spend(withWorker(s, i, { cutOff: true }), "cuts"));
  if (s.left.hangs > 0 && isAlive(w) && !w.hangs) fault(`the startd of w${i} hangs`, spend(withWorker(s, i, { hangs: true }), "hangs"));
  if (s.left.lostAds > 0 && w.ad !== "none" && isReached(w)) fault(`collector loses the ad of w${i}`, spend(withWorker(s, i, { ad: "none" }), "lostAds"));
  if (s.left.deaths > 0 && w.server === "running") fault(`w${i} crashes and is off`, spend(dies(s, i, "stopped"), "deaths"));
  if (s.left.vanishings > 0 && w.server === "running") fault(`somebody deletes the server of w${i}`, spend(withWorker(dies(s, i, "absent"), i, { token: false, lag: 0, broken: false }), "vanishings"));
  if (s.left.brokenBoots > 0 && w.server === "starting" && !w.token) fault(`w${i} will not come up`, spend(withWorker(s, i, { broken: true }), "brokenBoots"));
  if (s.left.reopened > 0 && w.startd === "drained" && !b.isJudged(w, i)) fault(`w${i} is back in service by a restart of its startd or by hand`, spend(withWorker(s, i, { startd: "unclaimed" }), "reopened"));
}

function operatorSteps(s: World, i: number, w: Worker, out: Step<World>[]): void {
  if (w.server === "absent" || w.order !== "none") return;
  if (s.left.drainOrders > 0) out.push({ label: `the operator says: drain w${i}`, kind: "fault", next: spend(withWorker(s, i, { order: "drain" }), "drainOrders") });
  if (s.left.nowOrders > 0) out.push({ label: `the operator says: drain --now w${i}`, kind: "fault", next: spend(withWorker(s, i, { order: "now" }), "nowOrders") });
}

/** The server ends with all that runs on it; a job on record stays there until its lease is over. */
export function dies(s: World, i: number, server: Worker["server"]): World {
  const w = s.workers[i]!;
  return withWorker(w.startd === "claimed" ? giveBack(s) : s, i, { server, startd: "off", cutOff: false, hangs: false });
}
