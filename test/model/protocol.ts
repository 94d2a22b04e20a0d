import type { Step } from "./explorer";
import { decide, has, noteAd, noteListed, type Protocol } from "./rules";
import {
  BLANK_MIND, blankWorker, hasJob, isAlive, isFree, isReached, PROMISE, spend, withController, withMind, withWorker, type Mind, type Plan, type ServerState, type World,
} from "./world";
import { dies, heard } from "./world-steps";

/*
 * The controller's steps: list, ads and jobs are asked one after the other, so that what was seen is of different moments; then the
 * plans are carried out, question by question and call by call, in any order, while the world goes on between any two of them.
 */

export function controllerSteps(s: World, p: Protocol, out: Step<World>[]): void {
  s.controllers.forEach((c, k) => {
    const say = (label: string, next: World, kind: Step<World>["kind"] = "fair"): void => void out.push({ label: `controller ${k}: ${label}`, kind, next });
    if (c.at === "down") say("starts", withController(s, k, { at: has(p, "lock") && s.controllers.length > 1 ? "waiting" : "list", watch: has(p, "watchAfterStart") ? p.looks : 0 }));
    else if (c.at === "waiting") {
      if (s.lock < 0) say("has the lock", withController({ ...s, lock: k }, k, { at: "list" }));
    } else {
      if (s.left.crashes > 0) say("crashes", spend(forget(s, k), "crashes"), "fault");
      if (c.at === "list") lookAtList(s, k, p, say);
      else if (c.at === "ads") lookAtAds(s, k, p, say);
      else if (c.at === "jobs") lookAtJobs(s, k, p, say);
      else carryOut(s, k, p, say);
    }
  });
}

type Say = (label: string, next: World, kind?: Step<World>["kind"]) => void;

/** With the process goes all it knew. */
function forget(s: World, k: number): World {
  let next = withController({ ...s, lock: s.lock === k ? -1 : s.lock }, k, { at: "down", watch: 0, creates: 0 });
  s.workers.forEach((_, i) => { next = withMind(next, i, k, BLANK_MIND); });
  return next;
}

function lookAtList(s: World, k: number, p: Protocol, say: Say): void {
  const truth = s.workers.map((w): ServerState => (w.lag > 0 ? "absent" : w.server));
  const listed = truth.flatMap((t, i) => (t === "absent" ? [] : [i]));
  const answered = (statuses: readonly ServerState[]): World => {
    let next = withController(s, k, { at: "ads", watch: Math.max(0, s.controllers[k]!.watch - 1) });
    s.workers.forEach((w, i) => {
      const before = w.minds[k]!;
      const mind = noteListed(before, statuses[i]!, p);
      if (mind === before && w.lag === 0) return;
      next = withMind(withWorker(next, i, { lag: Math.max(0, w.lag - 1) }), i, k, mind);
    });
    return next;
  };
  say("lists the servers", answered(truth));
  const but = (i: number, status: ServerState): ServerState[] => truth.map((t, x) => (x === i ? status : t));
  for (const i of listed) {
    if (s.left.lies > 0 && truth[i] === "running") say(`lists the servers; the cloud falsely calls w${i} stopped`, spend(answered(but(i, "stopped")), "lies"), "fault");
    if (s.left.partialLists > 0) say(`lists the servers; w${i} is left out`, spend(answered(but(i, "absent")), "partialLists"), "fault");
  }
  if (s.left.emptyLists > 0 && listed.length > 0) say("lists the servers; the list is empty", spend(answered(truth.map(() => "absent")), "emptyLists"), "fault");
  if (s.left.unanswered > 0) say("lists the servers; no answer", spend(has(p, "unknownIsUnknown") ? s : answered(truth.map(() => "absent")), "unanswered"), "fault");
}

/** A1: what is about to be confirmed a last time has had its time to be heard. */
function inTime(s: World, k: number, p: Protocol): World {
  let next = s;
  s.workers.forEach((w, i) => {
    const m = w.minds[k]!;
    const isLast = (m.badLooks === p.looks - 1 && m.badLooks > 0) || (m.silentLooks === p.looks - 1 && m.silentLooks > 0);
    if (!isLast) return;
    if (isReached(w)) next = withWorker(next, i, heard(w));
    else {
      // So have a claim and a match that cannot be carried out.
      const startd = w.startd === "claimed" ? "unclaimed" : w.startd;
      const back = (w.matched ? 1 : 0) + (startd === w.startd ? 0 : 1);
      if (back > 0) next = withWorker({ ...next, waiting: next.waiting + back }, i, { matched: false, startd });
    }
  });
  return next;
}

function lookAtAds(s: World, k: number, p: Protocol, say: Say): void {
  const answered = (world: World, ads: readonly Mind["ad"][]): World => {
    let next = withController(world, k, { at: "jobs" });
    world.workers.forEach((w, i) => { if (w.minds[k]!.known) next = withMind(next, i, k, noteAd(w.minds[k]!, ads[i]!, w.order !== "none", p)); });
    return next;
  };
  const now = inTime(s, k, p);
  say("asks the collector", answered(now, now.workers.map((w) => w.ad)));
  if (s.left.unanswered > 0) say("asks the collector; no answer", spend(has(p, "unknownIsUnknown") ? restart(s, k) : answered(s, s.workers.map(() => "none")), "unanswered"), "fault");
}

/** The pass ends without a decision; looks that count were noted. */
function restart(s: World, k: number): World {
  let next = withController(s, k, { at: "list", creates: 0 });
  s.workers.forEach((w, i) => { if (w.minds[k]!.known) next = withMind(next, i, k, { status: "absent", ad: "none", plan: "none", asked: 0 }); });
  return next;
}

function lookAtJobs(s: World, k: number, p: Protocol, say: Say): void {
  // A job that is matched or claimed has not begun: the schedd calls it idle.
  const waiting = s.waiting + s.workers.filter((w) => w.matched || w.startd === "claimed").length;
  const answered = (recorded: readonly boolean[], n = waiting): World => withController(decide(s, k, { waiting: n, recorded }, p), k, { at: "act" });
  const truth = s.workers.map((w) => w.recorded);
  say("asks the schedd and decides", answered(truth));
  if (s.left.hiddenJobs > 0) {
    truth.forEach((r, i) => { if (r) say(`asks the schedd and decides; the job on w${i} is left out`, spend(answered(truth.map((t, x) => t && x !== i)), "hiddenJobs"), "fault"); });
  }
  if (s.left.unanswered > 0) say("asks the schedd; no answer", spend(has(p, "unknownIsUnknown") ? restart(s, k) : answered(truth.map(() => false), 0), "unanswered"), "fault");
}

function carryOut(s: World, k: number, p: Protocol, say: Say): void {
  const c = s.controllers[k]!;
  const planned = s.workers.flatMap((w, i) => (w.minds[k]!.known && w.minds[k]!.plan !== "none" ? [i] : []));
  for (const i of planned) doPlan(s, i, k, p, say);
  if (c.creates > 0) create(s, k, p, say);
  if (planned.length === 0 && c.creates === 0) say("begins anew", withController(s, k, { at: "list" }));
}

function doPlan(s: World, i: number, k: number, p: Protocol, say: Say): void {
  const w = s.workers[i]!, m = w.minds[k]!;
  const done = (x: World, mind: Partial<Mind> = {}): World => withMind(x, i, k, { ...mind, plan: "none", asked: 0 });
  const found = isReached(w) && w.ad !== "none";
  switch (m.plan) {
    case "start":
      return say(`starts w${i}`, done(w.server === "stopped" ? withWorker(s, i, { server: "starting" }) : s));
    case "cancelDrain":
      if (!found || (w.startd !== "drained" && w.startd !== "retiring")) return say(`w${i} cannot be taken back`, done(s));
      return say(`takes w${i} back into service`, done(withWorker(s, i, { startd: w.startd === "drained" ? "unclaimed" : "busy" })));
    case "fenceIfIdle":
      if (!has(p, "fenceFirst")) return remove(s, i, k, "stopAndDelete", p, say);
      if (found && w.startd === "unclaimed") return say(`closes idle w${i} to new work`, done(withWorker(s, i, { startd: "drained" })));
      return say(`w${i} refuses to be closed: not idle, or not heard`, done(s));
    case "drain":
      return drain(s, i, p, say, done);
    case "confirmGone":
      if (w.server === "absent" || !has(p, "confirmGone")) return say(`asks for w${i} by its id: not found`, withMind(s, i, k, BLANK_MIND));
      return say(`asks for w${i} by its id: it is there`, done(s, { absentLists: 0 }));
    case "goOn":
      return remove(s, i, k, m.removing, p, say);
    case "none":
      return;
    default:
      return lastQuestion(s, i, k, m.plan, p, say);
  }
}

function drain(s: World, i: number, p: Protocol, say: Say, done: (x: World, mind?: Partial<Mind>) => World): void {
  const w = s.workers[i]!;
  if (!isReached(w) || w.ad === "none") return say(`w${i} does not hear the drain`, done(s));
  if (w.startd === "unclaimed") return say(`drains w${i}, which is idle`, done(withWorker(s, i, { startd: "drained" })));
  if (w.startd === "claimed") return say(`drains w${i}, whose claim ends before its job began`, done(withWorker({ ...s, waiting: s.waiting + 1 }, i, { startd: "drained" })));
  if (w.startd !== "busy") return say(`w${i} drains already`, done(s));
  if (!has(p, "retirement")) return say(`drains w${i}, which evicts its job`, { ...s, broken: PROMISE.killed });
  say(`drains w${i}, whose job runs on`, done(withWorker(s, i, { startd: "retiring" })));
}

/** What is asked at the last moment, by those who know; each question is a step of its own. */
function lastQuestion(s: World, i: number, k: number, basis: Plan, p: Protocol, say: Say): void {
  const w = s.workers[i]!, m = w.minds[k]!;
  const stays = (why: string): void => say(`${why}: w${i} stays`, withMind(s, i, k, { plan: "none", asked: 0 }));
  const goes = (why: string, removing: Mind["removing"] = "stopAndDelete"): void => say(`${why}: w${i} may go (${basis})`, withMind(s, i, k, { plan: "goOn", asked: 3, removing }));
  const closed = has(p, "closeGate") ? { gateClosed: true } : {};
  if (basis === "now") return goes("the operator said so");
  if (basis === "notAdmitted") {
    if (!has(p, "closeGate")) return remove(s, i, k, "stopAndDelete", p, say);
    if (m.untouched || !has(p, "mayHaveToken")) return say(`closes the gate; w${i} may go (notAdmitted)`, withMind(s, i, k, { ...closed, plan: "goOn", asked: 3, removing: "stopAndDelete" }));
    return say(`closes the gate; w${i} may have a token and stays`, withMind(s, i, k, { ...closed, plan: "none" }));
  }
  if (basis === "drained") {
    if (!has(p, "askStartdAgain")) return remove(s, i, k, "stopAndDelete", p, say);
    if (!isReached(w) || w.ad === "none") return stays("its startd does not answer");
    if (w.startd === "drained") return w.recorded ? stays("drained, but a job is on record") : goes("the startd says: draining, nothing runs");
    if (w.startd === "unclaimed") return say(`w${i} was back in service: closes it anew`, withMind(withWorker(s, i, { startd: "drained" }), i, k, { plan: "none" }));
    return stays("it is back in service and works, or its job still runs");
  }
  // stopped, lost, neverJoined: first the cloud, then the pool and the host.
  const saysOff = w.server !== "running";
  const byCloud = basis === "stopped" && has(p, "askCloudAgain");
  if (m.asked === 0) {
    const agreed = (x: World): World => withMind(x, i, k, { ...closed, asked: 1 });
    if (byCloud && !saysOff) {
      stays(`the cloud, asked for w${i} alone, says that it runs`);
      if (s.left.lies > 0) say(`the cloud, asked for w${i} alone, falsely says stopped`, spend(agreed(s), "lies"), "fault");
      return;
    }
    return say(byCloud ? `the cloud, asked for w${i} alone, says that it is off` : `closes the gate to w${i}`, agreed(s));
  }
  if (s.left.unanswered > 0) {
    if (has(p, "unknownIsUnknown")) say(`the collector does not answer: w${i} stays`, spend(withMind(s, i, k, { plan: "none", asked: 0 }), "unanswered"), "fault");
    else say(`the collector does not answer: w${i} may go (${basis})`, spend(withMind(s, i, k, { plan: "goOn", asked: 3, removing: "stopAndDelete" }), "unanswered"), "fault");
  }
  const isHeard = basis === "stopped" ? has(p, "liveAdBeatsCloud") && m.heardSince : w.ad !== "none";
  // The looks begin anew: what was counted before it was heard says nothing about now.
  if (isHeard) return say(`the pool has heard from it: w${i} stays`, withMind(s, i, k, { plan: "none", asked: 0, silentLooks: 0, badLooks: 0 }));
  const isRecorded = basis !== "stopped" && w.recorded && has(p, "heedRecords");
  if (isRecorded) return stays("a job is on record there");
  const removing = basis === "stopped" && p.cloud === "cloudsigma" && has(p, "deleteOnly") ? "deleteOnly" : "stopAndDelete";
  const hostAnswers = has(p, "askHost") && w.server === "running" && !w.cutOff && isAlive(w);
  if (!hostAnswers) return goes("the pool does not know it, the host is silent", removing);
  stays("the host answers");
  if (s.left.silentHosts > 0) say(`the host of w${i} is falsely silent: it may go (${basis})`, spend(withMind(s, i, k, { plan: "goOn", asked: 3, removing }), "silentHosts"), "fault");
}

/** The call that ends a server, or looks whether it is gone. */
function remove(s: World, i: number, k: number, removing: Mind["removing"], p: Protocol, say: Say): void {
  const w = s.workers[i]!;
  const next = (x: World): World => withMind(x, i, k, { plan: "none", asked: 0, removing });
  if (w.server === "absent") return say(`w${i} is gone`, withMind(withWorker(s, i, { ad: "none", order: "none" }), i, k, BLANK_MIND));
  if (w.server === "stopping" || w.server === "deleting") return say(`waits for the end of w${i}`, next(s));
  if (w.server === "stopped") return say(`deletes w${i}`, next(withWorker(s, i, { server: "deleting" })));
  if (removing === "deleteOnly") return say(`the cloud refuses to delete w${i}, which runs: it stays`, withMind(s, i, k, { plan: "none", asked: 0, removing: "no", badLooks: 0 }));
  if (s.left.failedCalls > 0) {
    const removingThen = has(p, "askAfterFailure") ? "no" : removing;
    say(`the call to end w${i} fails`, spend(withMind(s, i, k, { plan: "none", asked: 0, removing: removingThen }), "failedCalls"), "fault");
  }
  const ended = next(dies(s, i, p.cloud === "cloudsigma" ? "stopping" : "deleting"));
  const broken = w.order === "now" ? "" : hasJob(w) ? PROMISE.killed : w.startd === "claimed" ? PROMISE.claimed : "";
  say(p.cloud === "cloudsigma" ? `stops w${i}` : `deletes w${i}`, broken === "" ? ended : { ...ended, broken });
}

function create(s: World, k: number, p: Protocol, say: Say): void {
  const i = s.workers.findIndex(isFree);
  const one = withController(s, k, { creates: s.controllers[k]!.creates - 1 });
  if (i === -1) return say("the cloud has no room for another server", one);
  const there = s.workers.filter((w) => w.server !== "absent");
  // A living server that the maker does not know of serves the same wish already.
  const twice = there.some((w) => (w.server === "starting" || w.server === "running" || w.server === "stopped") && !w.minds[k]!.known);
  const broken = there.length >= p.max ? PROMISE.tooMany : twice ? PROMISE.twice : "";
  const fresh = { ...blankWorker(s.controllers.length), server: p.cloud === "cloudsigma" ? "stopped" : "starting", lag: p.lag } as const;
  const made = (x: World): World => {
    const workers = x.workers.slice();
    workers[i] = fresh;
    return { ...x, workers, broken };
  };
  say(`makes w${i}`, withMind(made(one), i, k, { known: true, untouched: true }));
  if (s.left.lostCreates === 0) return;
  const ambiguous = withController(one, k, { creates: 0, watch: has(p, "watchAfterLostCreate") ? p.looks : 0 });
  say("orders a server; the answer is lost, nothing was made", spend(ambiguous, "lostCreates"), "fault");
  say(`orders a server; the answer is lost, w${i} was made`, spend(made(ambiguous), "lostCreates"), "fault");
}

/** Nothing is under way, nothing waits that may run, and exactly the wanted servers exist and serve. */
export function isAtRest(s: World, p: Protocol): boolean {
  const there = s.workers.filter((w) => !isFree(w));
  const wanted = s.size >= 0 ? s.size : p.min;
  if (there.length !== wanted || (s.waiting > 0 && wanted > 0)) return false;
  if (!s.controllers.some((c) => c.at === "list")) return false;
  return there.every((w) => w.server === "running" && w.startd === "unclaimed" && w.ad === "unclaimed" && !w.matched && !w.recorded && w.order === "none");
}
