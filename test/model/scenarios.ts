import type { Model, Step } from "./explorer";
import { controllerSteps, isAtRest } from "./protocol";
import type { Guard, Protocol } from "./rules";
import { BLANK_MIND, blankWorker, NO_FAULTS, showWorld, worldKey, type Budget, type Worker, type World } from "./world";
import { worldSteps } from "./world-steps";

export interface Scenario {
  readonly about: string;
  readonly cloud: Protocol["cloud"];
  readonly min: number;
  readonly max: number;
  readonly looks: number;
  readonly lag: number;
  readonly controllers: number;
  /** Places for servers. */
  readonly places: number;
  /** Workers that serve when it begins. */
  readonly serving: number;
  readonly waiting: number;
  readonly size?: number;
  readonly budget: Partial<Budget>;
}

/** A worker in service that each controller has seen there. */
function servingWorker(controllers: number): Worker {
  const minds = Array.from({ length: controllers }, (_, k) => (k === 0 ? { ...BLANK_MIND, known: true, everJoined: true } : BLANK_MIND));
  return { ...blankWorker(controllers), server: "running", token: true, startd: "unclaimed", ad: "unclaimed", minds };
}

const isAboutToEnd = (w: Worker): boolean => w.minds.some((m) => m.asked === 3);

export function modelOf(sc: Scenario, off: readonly Guard[] = []): Model<World> {
  const p: Protocol = { cloud: sc.cloud, min: sc.min, max: sc.max, looks: sc.looks, lag: sc.lag, off: new Set(off) };
  const initial: World = {
    workers: Array.from({ length: sc.places }, (_, i) => (i < sc.serving ? servingWorker(sc.controllers) : blankWorker(sc.controllers))),
    controllers: Array.from({ length: sc.controllers }, (_, k) => ({ at: k === 0 ? "list" : "down", watch: 0, creates: 0 })),
    lock: sc.controllers > 1 ? 0 : -1, waiting: sc.waiting, size: sc.size ?? -1, left: { ...NO_FAULTS, ...sc.budget }, broken: "",
  };
  return {
    initial,
    steps: (s) => {
      const out: Step<World>[] = [];
      worldSteps(s, {
        max: p.max, ads: true, isAboutToEnd, isJudged: isAboutToEnd,
        isBetweenPasses: s.controllers.every((c) => c.at === "list" || c.at === "down" || c.at === "waiting"),
      }, out);
      controllerSteps(s, p, out);
      return out;
    },
    key: worldKey,
    broken: (s) => (s.broken === "" ? undefined : s.broken),
    isGood: (s) => isAtRest(s, p),
    show: showWorld,
  };
}

const one = { cloud: "cloudsigma", min: 0, max: 1, looks: 2, lag: 1, controllers: 1, places: 1, serving: 1, waiting: 1 } as const;

/** Each is explored as a whole. Together they let happen, within their bounds, everything that `Budget` names. */
export const scenarios = {
  orders: {
    ...one, about: "a worker, a job, and an operator who changes the size; a startd that forgets its drain, a call that fails, a crash of the controller",
    budget: { sizeOrders: 2, reopened: 1, failedCalls: 1, crashes: 1 },
  },
  drains: { ...one, about: "an operator who drains the worker, first kindly and then not; a crash", budget: { drainOrders: 1, nowOrders: 1, crashes: 1, submissions: 1 } },
  growing: {
    ...one, looks: 3, places: 2, serving: 0, about: "a job and no worker; a create without an answer, a list that is empty once, a crash",
    budget: { lostCreates: 1, emptyLists: 1, crashes: 1 },
  },
  growingByTwo: { ...one, min: 2, max: 2, places: 3, serving: 0, waiting: 0, about: "two workers are wanted; a create without an answer", budget: { lostCreates: 1 } },
  shrunkenLists: { ...one, min: 1, places: 2, waiting: 0, about: "lists that leave out a server again and again", budget: { partialLists: 4, emptyLists: 1 } },
  joining: {
    ...one, serving: 0, places: 2, about: "a worker that boots while the operator wants none; a crash",
    budget: { sizeOrders: 2, crashes: 1, brokenBoots: 1 },
  },
  lyingOpenstack: {
    ...one, cloud: "openstack", about: "a cloud that lies as often as it takes less one time, to a worker cut off from the pool whose host seems silent",
    budget: { lies: 2, cuts: 1, silentHosts: 1 },
  },
  lyingCloudsigma: { ...one, about: "the same with as many lies as it takes: the cloud itself refuses to delete what runs", budget: { lies: 3, cuts: 1, silentHosts: 1 } },
  tirelessLiar: { ...one, cloud: "openstack", about: "a cloud that lies at every look, and a host that seems silent: the live ad holds against it", budget: { lies: 6, silentHosts: 2 } },
  hangingStartd: { ...one, cloud: "openstack", about: "a cloud that lies at every look about a worker whose startd hangs: its host's answer holds against it", budget: { lies: 6, hangs: 1 } },
  silence: {
    ...one, about: "a worker that the pool does not hear, whose host seems silent and whose job the schedd leaves out once",
    budget: { cuts: 1, hangs: 1, silentHosts: 1, hiddenJobs: 1 },
  },
  noAnswers: { ...one, about: "questions that get no answer", budget: { unanswered: 4, silentHosts: 1, sizeOrders: 1 } },
  deaths: {
    ...one, min: 1, places: 2, about: "servers that die, vanish or do not come up are replaced",
    budget: { deaths: 1, vanishings: 1, brokenBoots: 1 },
  },
  twoGrow: {
    ...one, controllers: 2, places: 2, serving: 0, about: "a second controller starts while the first makes a server; a crash",
    budget: { crashes: 1 },
  },
  twoShrink: { ...one, controllers: 2, about: "a second controller starts while the first drains and removes", budget: { sizeOrders: 2 } },
  pair: {
    ...one, max: 2, places: 2, serving: 2, about: "two workers and a job: a lie and an order, in any order",
    budget: { lies: 1, sizeOrders: 1 },
  },
} satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof scenarios;
