import { workerHostname } from "../../components/policy/names";
import { REASON_OPERATOR } from "../../components/policy/decision";
import {
  known, unknown, type FenceResult, type GrowResult, type Machine, type Member, type MemberStatus, type Observed, type Occupancy, type PoolView, type ProbeResult,
  type QueueView, type RemovalStep,
} from "../../controller/ports";
import { NOW_MS, type Call, type Outcome } from "./shipped-brain";
import { blankWorker, hasJob, isAlive, isReached, PROMISE, spend, withWorker, type ServerState, type World, type Worker } from "./world";
import { dies } from "./world-steps";

/** What cloud and HTCondor answer to the calls of the shipped controller, truly and falsely, and what the calls do. */

export const idOf = (i: number): string => `${String(i).repeat(8)}-0000-4000-8000-000000000000`;
const machineOf = (i: number): string => `${workerHostname(idOf(i))}.g.internal`;
const addressOf = (i: number): string => `10.0.0.${i}:9618`;
/** Of a server id, a machine name or an address. */
export const indexOf = (of: string): number => Number(/\d/.exec(of.replace("10.0.0.", ""))![0]);

/** What the shipped controller looks at beyond `Worker`. */
export interface Extra {
  /** An ad came in since the collector was last asked. */
  readonly fresh: boolean;
  /** Passes since the last ad. */
  readonly adAge: number;
  /** Why it drains. */
  readonly reason: string;
}
export const BLANK_EXTRA: Extra = { fresh: false, adAge: 0, reason: "" };

export interface Scene {
  readonly world: World;
  readonly extras: readonly Extra[];
}

export interface Answer {
  readonly label: string;
  readonly scene: Scene;
  readonly value: unknown;
  readonly kind: "fair" | "fault";
  /** It is not an answer yet: what was seen goes into it. */
  readonly seen?: true;
}

export interface Rules {
  readonly cloud: "cloudsigma" | "openstack";
  readonly max: number;
  readonly lag: number;
}

type Say = (label: string, value: unknown, scene?: Scene, kind?: Answer["kind"]) => void;

const STATUS: Readonly<Record<ServerState, MemberStatus>> = { absent: "gone", stopped: "stopped", starting: "starting", running: "running", stopping: "stopping", deleting: "stopping" };
const withExtra = (s: Scene, i: number, change: Partial<Extra>): Scene => ({ ...s, extras: s.extras.map((e, x) => (x === i ? { ...e, ...change } : e)) });
const withWorld = (s: Scene, world: World): Scene => ({ ...s, world });
const sensed = (s: Scene, i: number, change: Partial<Worker>): Scene => withWorld(s, withWorker(s.world, i, change));
const spent = (s: Scene, what: Parameters<typeof spend>[1]): Scene => withWorld(s, spend(s.world, what));

/** Every answer that this call may get now. `seen`: what a look has gathered of the collector so far. */
export function answersTo(s: Scene, call: Call, outcome: Outcome, seen: unknown, r: Rules): readonly Answer[] {
  const out: Answer[] = [];
  const say: Say = (label, value, scene = s, kind = "fair") => void out.push({ label, value, scene, kind });
  const { left } = s.world;
  const i = call.of === "" ? -1 : indexOf(call.of), w = s.world.workers[i];
  if (call.what === "observe") listServers(s, say);
  else if (call.what === "look") lookAtPool(s, seen, out, say);
  else if (call.what === "grow") grow(s, outcome, r, say);
  else if (call.what === "occupancy") occupancy(s, call.of.split(","), say);
  else if (call.what === "gone") {
    const released = w!.recorded ? 1 : 0;
    const world = withWorker({ ...s.world, waiting: s.world.waiting + released }, i, { ad: "none", recorded: false });
    say(`tells HTCondor that w${i} is gone`, known(released), withWorld(s, world));
  }
  else if (w === undefined) throw new Error(`the model does not know the call ${call.what}`);
  else if (call.what === "statusNow") {
    say(`asks the cloud for w${i} alone: ${w.server}`, known(STATUS[w.server]));
    if (left.lies > 0 && w.server === "running") say(`asks the cloud for w${i} alone, which falsely says stopped`, known<MemberStatus>("stopped"), spent(s, "lies"), "fault");
  } else if (call.what === "start") say(`starts w${i}`, w.server === "stopped", w.server === "stopped" ? sensed(s, i, { server: "starting" }) : s);
  else if (call.what === "remove") remove(s, i, w, call.how === "onlyIfOff", r, say);
  else if (call.what === "probe") {
    const answers = w.server === "running" && !w.cutOff && isAlive(w);
    say(`tries the host of w${i}: ${answers ? "it answers" : "silent"}`, { answer: answers ? "answers" : "silent", detail: "" } satisfies ProbeResult);
    if (answers && left.silentHosts > 0) say(`tries the host of w${i}, which is falsely silent`, { answer: "silent", detail: "" } satisfies ProbeResult, spent(s, "silentHosts"), "fault");
  } else pool(s, i, w, call, say);
  // A question without an answer; those that change something are never told from a success that was not told, so the next look shows.
  if (left.unanswered > 0 && ["observe", "look", "occupancy", "statusNow"].includes(call.what)) say(`gets no answer to ${call.what}`, unknown("no answer"), spent(s, "unanswered"), "fault");
  return out;
}

function listServers(s: Scene, say: Say): void {
  const { workers, left } = s.world;
  const listed = workers.map((w, i): Member | undefined => (w.server === "absent" || w.lag > 0 ? undefined : { id: idOf(i), name: idOf(i), status: STATUS[w.server], copying: false, macs: [] }));
  const after = workers.reduce((x, w, i) => (w.lag > 0 ? sensed(x, i, { lag: w.lag - 1 }) : x), s);
  const view = (members: readonly (Member | undefined)[]): Observed<PoolView> => known({ members: members.filter((m) => m !== undefined) });
  say("lists the servers", view(listed), after);
  listed.forEach((m, i) => {
    if (m === undefined) return;
    const but = (other: Member | undefined): Observed<PoolView> => view(listed.map((x, n) => (n === i ? other : x)));
    if (left.lies > 0 && m.status === "running") say(`lists the servers; the cloud falsely calls w${i} stopped`, but({ ...m, status: "stopped" }), spent(after, "lies"), "fault");
    if (left.partialLists > 0) say(`lists the servers; w${i} is left out`, but(undefined), spent(after, "partialLists"), "fault");
  });
  if (left.emptyLists > 0 && listed.some((m) => m !== undefined)) say("lists the servers; the list is empty", view([]), spent(after, "emptyLists"), "fault");
}

const ROOM = { cpus: 1, memoryMiB: 1_000, diskMiB: 4_000 }, NONE = { cpus: 0, memoryMiB: 0, diskMiB: 0 };

/** First the collector, then the schedd: between the two the world goes on. */
function lookAtPool(s: Scene, seen: unknown, out: Answer[], say: Say): void {
  const { workers, waiting } = s.world;
  if (seen === undefined) {
    const machines = workers.flatMap((w, i): Machine[] => (w.ad === "none" ? [] : [{
      name: machineOf(i), serverId: idOf(i), address: addressOf(i), claims: w.ad === "busy" || w.ad === "retiring" ? 1 : 0, draining: w.ad === "retiring" || w.ad === "drained",
      drained: w.ad === "drained", ...(w.ad === "retiring" || w.ad === "drained" ? { drainReason: s.extras[i]!.reason } : {}), total: ROOM, free: w.ad === "unclaimed" ? ROOM : NONE,
      heardAtMs: s.extras[i]!.fresh ? 1 : 0,
    }]));
    out.push({ label: "asks the collector", value: machines, scene: { ...s, extras: s.extras.map((e) => ({ ...e, fresh: false })) }, kind: "fair", seen: true });
    return;
  }
  // A job that is matched or claimed has not begun: the schedd calls it idle.
  const idle = waiting + workers.filter((w) => w.matched || w.startd === "claimed").length;
  const groups = idle === 0 ? [] : [{ key: "g", count: idle, exampleId: "1.0", owner: "u", queuedAtMs: NOW_MS, request: { cpus: 1, memoryMiB: 100, diskMiB: 100 }, ad: {} }];
  const view = (isHidden: (i: number) => boolean): Observed<QueueView> => {
    const running = workers.flatMap((w, i) => (w.recorded && !isHidden(i) ? [{ id: `${i + 1}.0`, owner: "u", machine: machineOf(i), state: "running" as const, startedAtMs: NOW_MS }] : []));
    return known({ machines: seen as Machine[], groups, running, counts: { waiting: idle, running: running.length, held: 0 } });
  };
  say("asks the schedd", view(() => false));
  workers.forEach((w, i) => {
    if (w.recorded && s.world.left.hiddenJobs > 0) say(`asks the schedd; the job on w${i} is left out`, view((x) => x === i), spent(s, "hiddenJobs"), "fault");
  });
}

function occupancy(s: Scene, machines: readonly string[], say: Say): void {
  const there = new Map(machines.map((name): [string, Occupancy] => {
    const w = s.world.workers[indexOf(name)]!;
    return [name, { jobs: w.recorded ? 1 : 0, claims: w.ad === "busy" || w.ad === "retiring" ? 1 : 0, hasAd: w.ad !== "none" }];
  }));
  say(`asks HTCondor what runs on ${machines.map((m) => `w${indexOf(m)}`).join()}`, known(there));
}

/** What the startd is told. It must have an ad to be found, and be reached to answer. */
function pool(s: Scene, i: number, w: Worker, call: Call, say: Say): void {
  const is = (answer: FenceResult["answer"]): FenceResult => ({ answer, detail: "" });
  const name = `${call.what} ${call.how.split(" ")[0]!} w${i}`.replace("  ", " ");
  const told = (answer: FenceResult["answer"], scene = s): void => say(`${name}: ${answer}`, is(answer), scene);
  if (w.ad === "none") return told("notThere");
  if (!isReached(w)) return told("unknown");
  const drains = w.startd === "drained" || w.startd === "retiring";
  if (call.what === "cancelDrain") return drains ? told("accepted", withExtra(sensed(s, i, { startd: w.startd === "drained" ? "unclaimed" : "busy" }), i, { reason: "" })) : told("unknown");
  if (call.what === "evict") {
    const job = hasJob(w) || w.startd === "claimed" ? 1 : 0;
    return told("accepted", withExtra(withWorld(s, withWorker({ ...s.world, waiting: s.world.waiting + job }, i, { startd: "drained", recorded: false })), i, { reason: REASON_OPERATOR }));
  }
  if (call.what !== "fence") throw new Error(`the model does not know the call ${call.what}`);
  const reason = call.how.split(" ")[1]!;
  if (drains) return told("alreadyDraining");
  if (w.startd === "unclaimed") return told("accepted", withExtra(sensed(s, i, { startd: "drained" }), i, { reason }));
  if (call.how.startsWith("ifIdle")) return told("refusedBusy");
  // The adapter does not let a drain come upon a job that is just starting.
  if (w.startd === "claimed") return told("notNow");
  told("accepted", withExtra(sensed(s, i, { startd: "retiring" }), i, { reason }));
}

function remove(s: Scene, i: number, w: Worker, onlyIfOff: boolean, r: Rules, say: Say): void {
  const step = (label: string, value: RemovalStep, scene = s): void => say(label, value, scene);
  if (w.server === "absent") return step(`w${i} is gone`, "gone");
  if (w.server === "stopping") return step(`waits for the end of w${i}`, "stopping");
  if (w.server === "deleting") return step(`waits for the end of w${i}`, "deleting");
  if (w.server === "stopped") return step(`deletes w${i}`, "deleting", sensed(s, i, { server: "deleting" }));
  if (onlyIfOff) {
    step(`the cloud does not delete w${i}, which runs`, "runs");
    // Heat has no such refusal: its pool asks nova first, which may lie once more.
    if (r.cloud === "cloudsigma" || s.world.left.lies === 0) return;
    return say(`deletes w${i}, which nova falsely called off`, "deleting" satisfies RemovalStep, spent(ended(s, i, w, "deleting"), "lies"), "fault");
  }
  if (s.world.left.failedCalls > 0) say(`the call to end w${i} fails`, new Error("no answer"), spent(s, "failedCalls"), "fault");
  const next = r.cloud === "cloudsigma" ? "stopping" : "deleting";
  step(r.cloud === "cloudsigma" ? `stops w${i}` : `deletes w${i}`, next, ended(s, i, w, next));
}

function ended(s: Scene, i: number, w: Worker, server: ServerState): Scene {
  const broken = w.order === "now" ? "" : hasJob(w) ? PROMISE.killed : w.startd === "claimed" ? PROMISE.claimed : "";
  return withWorld(s, { ...dies(s.world, i, server), ...(broken === "" ? {} : { broken }) });
}

function grow(s: Scene, outcome: Outcome, r: Rules, say: Say): void {
  const { workers } = s.world;
  const remembered = new Set([...outcome.known, ...outcome.gateClosed]);
  const i = workers.findIndex((w, x) => w.server === "absent" && w.ad === "none" && !w.matched && !w.recorded && !remembered.has(idOf(x)));
  const result = (created: readonly number[], more: Partial<GrowResult> = {}): GrowResult => ({ created: created.map((x) => ({ id: idOf(x), name: idOf(x) })), ambiguous: false, wait: false, ...more });
  if (i === -1) return say("the cloud has no room for another server", result([], { failure: "no room", failureClass: "transient" }));
  const there = workers.filter((w) => w.server !== "absent").length;
  const twice = workers.some((w, x) => (w.server === "starting" || w.server === "running" || w.server === "stopped") && !outcome.known.includes(idOf(x)));
  const broken = there >= r.max ? PROMISE.tooMany : twice ? PROMISE.twice : "";
  const fresh: Worker = { ...blankWorker(0), server: r.cloud === "cloudsigma" ? "stopped" : "starting", lag: r.lag };
  const made: Scene = { world: { ...s.world, workers: workers.map((w, x) => (x === i ? fresh : w)), broken }, extras: s.extras.map((e, x) => (x === i ? BLANK_EXTRA : e)) };
  say(`makes w${i}`, result([i]), made);
  if (s.world.left.lostCreates === 0) return;
  const lost = result([], { failure: "no answer", ambiguous: true });
  say("orders a server; the answer is lost, nothing was made", lost, spent(s, "lostCreates"), "fault");
  say(`orders a server; the answer is lost, w${i} was made`, lost, spent(made, "lostCreates"), "fault");
}
