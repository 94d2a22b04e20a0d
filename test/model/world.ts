/*
 * The world of the protocol: servers of a cloud, the startd on each, the collector's ads, the schedd's jobs, the operator's orders.
 * One job fills one worker. Whatever happens here happens without the controller; `world-steps.ts` says what may.
 *
 * Time is left out, so every order of steps is tried, also absurdly slow and quick ones. Where the protocol relies on a time, the
 * world keeps to it and says so:
 *  A1  between the first and the last of the looks that confirm something, a live worker that the network reaches is heard.
 *  A2  the cloud's list shows a new server after at most `lag` looks.
 *  A3  from the answer to the last question to the call that ends the server a worker does not restart its startd, be matched,
 *      claimed and given a job: that takes HTCondor seconds, the controller milliseconds.
 *  A4  an ad and a lease live longer than the controller takes from one pass to the next.
 */

export type ServerState = "absent" | "stopped" | "starting" | "running" | "stopping" | "deleting";
/** `claimed`: a schedd holds it and is about to start a job there. `retiring`: it drains, its job runs on. */
export type StartdState = "off" | "unclaimed" | "claimed" | "busy" | "retiring" | "drained";
/** What the collector tells of a worker. */
export type Ad = "none" | "unclaimed" | "busy" | "retiring" | "drained";

/** What a controller remembers of one server. All of it is lost with its process. */
export interface Mind {
  readonly known: boolean;
  /** The cloud's word in this pass; `absent`: not in the list. */
  readonly status: ServerState;
  readonly ad: Ad;
  /** Looks in a row in which the cloud said that a server that was in the pool does not run, and the pool did not contradict. */
  readonly badLooks: number;
  /** An ad came in after the first of them. */
  readonly heardSince: boolean;
  /** Lists in a row that did not show it. */
  readonly absentLists: number;
  /** Looks in a row, each with an answer of the queue, without its ad. */
  readonly silentLooks: number;
  readonly everJoined: boolean;
  /** The last question was answered; `deleteOnly`: the cloud is never told to stop it. */
  readonly removing: "no" | "stopAndDelete" | "deleteOnly";
  /** It gets no token from now on. */
  readonly gateClosed: boolean;
  /** Made by this very process, and no token given since. */
  readonly untouched: boolean;
  readonly plan: Plan;
  /** How much of the last question has been answered; 3: all of it, and the call follows at once. */
  readonly asked: number;
}

export type Basis = "drained" | "stopped" | "lost" | "neverJoined" | "notAdmitted" | "now";
export type Plan = "none" | "start" | "cancelDrain" | "fenceIfIdle" | "drain" | "confirmGone" | "goOn" | Basis;

export interface Worker {
  readonly server: ServerState;
  /** So many lists will not show it yet. */
  readonly lag: number;
  readonly token: boolean;
  readonly startd: StartdState;
  readonly ad: Ad;
  /** The negotiator has given a job to it that the schedd has not brought yet. */
  readonly matched: boolean;
  /** The schedd has a running job on record there. */
  readonly recorded: boolean;
  /** The network does not reach it. */
  readonly cutOff: boolean;
  /** Its startd hangs: nobody hears from it, while its host answers and its job runs on. */
  readonly hangs: boolean;
  /** It runs and will never come up: a broken image. */
  readonly broken: boolean;
  /** The operator's word. */
  readonly order: "none" | "drain" | "now";
  /** One mind per controller. */
  readonly minds: readonly Mind[];
}

export interface ControllerState {
  readonly at: "down" | "waiting" | "list" | "ads" | "jobs" | "act";
  /** So many lists are watched before anything is made. */
  readonly watch: number;
  /** Creates planned in this pass. */
  readonly creates: number;
}

/** How much may still go wrong, and be ordered: what bounds the world. */
export interface Budget {
  /** Single answers of the cloud that call a running server stopped: in a list or asked by id. */
  readonly lies: number;
  /** Lists that leave out one server. */
  readonly partialLists: number;
  readonly emptyLists: number;
  /** Questions without an answer. */
  readonly unanswered: number;
  /** Calls to end a server that fail without effect. */
  readonly failedCalls: number;
  /** Creates whose answer is lost, before or after their effect. */
  readonly lostCreates: number;
  /** Ads that the collector loses while the worker lives. */
  readonly lostAds: number;
  /** Answers of the schedd without a job that runs. */
  readonly hiddenJobs: number;
  /** A live host that does not answer at its address. */
  readonly silentHosts: number;
  readonly cuts: number;
  readonly hangs: number;
  /** Servers that die by themselves. */
  readonly deaths: number;
  /** Servers that somebody else deletes. */
  readonly vanishings: number;
  readonly brokenBoots: number;
  /** Startds that restart and forget their drain, or that somebody puts back into service by hand. */
  readonly reopened: number;
  readonly crashes: number;
  readonly submissions: number;
  /** Orders of the operator: a size, or to drain a worker. */
  readonly sizeOrders: number;
  readonly drainOrders: number;
  readonly nowOrders: number;
}

export interface World {
  readonly workers: readonly Worker[];
  readonly controllers: readonly ControllerState[];
  /** Which controller holds the lock; -1: none. */
  readonly lock: number;
  readonly waiting: number;
  /** The operator's size; -1: none. */
  readonly size: number;
  readonly left: Budget;
  /** The promise that the last step broke. */
  readonly broken: string;
}

/** What a state says of the step that led to it. */
export const PROMISE = {
  killed: "a running job was ended by us",
  claimed: "a worker was removed with a job just matched to it",
  tooMany: "there are more servers than the maximum",
  twice: "a server was made twice for one wish",
} as const;

export const NO_FAULTS: Budget = {
  lies: 0, partialLists: 0, emptyLists: 0, unanswered: 0, failedCalls: 0, lostCreates: 0, lostAds: 0, hiddenJobs: 0, silentHosts: 0, cuts: 0, hangs: 0, deaths: 0, vanishings: 0, brokenBoots: 0, reopened: 0, crashes: 0,
  submissions: 0, sizeOrders: 0, drainOrders: 0, nowOrders: 0,
};

const BUDGETS = Object.keys(NO_FAULTS) as readonly (keyof Budget)[];

export const BLANK_MIND: Mind = {
  known: false, status: "absent", ad: "none", badLooks: 0, heardSince: false, absentLists: 0, silentLooks: 0, everJoined: false,
  removing: "no", gateClosed: false, untouched: false, plan: "none", asked: 0,
};

export const blankWorker = (controllers: number): Worker => ({
  server: "absent", lag: 0, token: false, startd: "off", ad: "none", matched: false, recorded: false, cutOff: false, hangs: false, broken: false, order: "none",
  minds: Array.from({ length: controllers }, () => BLANK_MIND),
});

export const isAlive = (w: Worker): boolean => w.startd !== "off";
export const isReached = (w: Worker): boolean => isAlive(w) && !w.cutOff && !w.hangs;
export const hasJob = (w: Worker): boolean => w.startd === "busy" || w.startd === "retiring";
/** What the startd would say of itself. */
export const adOf = (w: Worker): Ad => (w.startd === "off" ? "none" : w.startd === "claimed" ? "busy" : w.startd);
/** Nobody and nothing knows of the place any more: a new server may take it, and nobody can tell it from a place never used. */
export const isFree = (w: Worker): boolean => w.server === "absent" && w.ad === "none" && !w.matched && !w.recorded && w.minds.every((m) => !m.known);

export function withWorker(s: World, i: number, change: Partial<Worker>): World {
  const workers = s.workers.slice();
  const w = { ...s.workers[i]!, ...change };
  workers[i] = isFree(w) ? blankWorker(w.minds.length) : w;
  return { ...s, workers };
}

export function withMind(s: World, i: number, c: number, change: Partial<Mind>): World {
  const minds = s.workers[i]!.minds.slice();
  const mind = { ...minds[c]!, ...change };
  minds[c] = mind.known ? mind : BLANK_MIND;
  return withWorker(s, i, { minds });
}

export const withController = (s: World, c: number, change: Partial<ControllerState>): World =>
  ({ ...s, controllers: s.controllers.map((x, k) => (k === c ? { ...x, ...change } : x)) });

export const spend = (s: World, what: keyof Budget): World => ({ ...s, left: { ...s.left, [what]: s.left[what] - 1 } });

/** One character per word, so that a state is a short string. */
const WORDS = [
  "absent", "stopped", "starting", "running", "stopping", "deleting", "off", "unclaimed", "claimed", "busy", "retiring", "drained", "none", "drain", "now",
  "no", "stopAndDelete", "deleteOnly", "start", "cancelDrain", "fenceIfIdle", "confirmGone", "goOn", "lost", "neverJoined", "notAdmitted", "down", "waiting", "list",
  "ads", "jobs", "act",
] as const;
const CODE: Readonly<Record<string, string>> = Object.fromEntries(WORDS.map((w, i) => [w, String.fromCharCode(64 + i)]));
const bit = (b: boolean, weight: number): number => (b ? weight : 0);

function mindKey(m: Mind): string {
  if (!m.known) return "-";
  const bits = bit(m.heardSince, 1) + bit(m.everJoined, 2) + bit(m.gateClosed, 4) + bit(m.untouched, 8);
  return CODE[m.status]! + CODE[m.ad]! + CODE[m.removing]! + CODE[m.plan]! + String.fromCharCode(40 + bits) + m.badLooks + m.absentLists + m.silentLooks + m.asked;
}

function workerKey(w: Worker): string {
  const bits = bit(w.token, 1) + bit(w.matched, 2) + bit(w.recorded, 4) + bit(w.cutOff, 8) + bit(w.hangs, 16) + bit(w.broken, 32);
  return CODE[w.server]! + CODE[w.startd]! + CODE[w.ad]! + CODE[w.order]! + String.fromCharCode(40 + bits) + w.lag + w.minds.map(mindKey).join("");
}

function budgetKey(b: Budget): string {
  let text = "";
  for (const name of BUDGETS) text += b[name];
  return text;
}

/** Workers have no names, so their order does not count. */
export function worldKey(s: World): string {
  const workers = s.workers.map(workerKey).sort().join("|");
  const controllers = s.controllers.map((c) => `${CODE[c.at]}${c.watch}${c.creates}`).join("");
  return `${workers}/${controllers}${s.lock}:${s.waiting},${s.size}/${budgetKey(s.left)}${s.broken}`;
}

/** One line for a story's end. */
export function showWorld(s: World): string {
  const workers = s.workers.map((w, i) => (isFree(w) ? "" : `w${i} server ${w.server}, startd ${w.startd}, ad ${w.ad}${w.recorded ? ", job on record" : ""}${w.cutOff ? ", cut off" : ""}${w.hangs ? ", hangs" : ""}${
    w.minds.map((m) => (m.known ? ` (controller: ${m.plan}/${m.removing})` : " (controller does not know it)")).join("")}`)).filter((t) => t !== "");
  return `${workers.join("; ")}; ${s.waiting} jobs wait${s.size < 0 ? "" : `, size ordered ${s.size}`}`;
}
