import type { ShippedScenario } from "./shipped";

const one = { cloud: "cloudsigma", min: 0, max: 1, lag: 0, places: 1, serving: 1, waiting: 1 } as const;
const none = { ...one, serving: 0, places: 2 } as const;
const spare = { ...one, min: 1, places: 2, waiting: 0 } as const;

/** A worker and a job (two workers in `pair`), and what may happen to them; each world is explored as a whole. */
export const shippedScenarios = {
  orders: { ...one, about: "the operator changes the size; a crash", budget: { sizeOrders: 1, crashes: 1 } },
  reopened: { ...one, about: "a startd forgets its drain, the call that ends a server fails", budget: { sizeOrders: 1, reopened: 1, failedCalls: 1 } },
  drains: { ...one, about: "the operator drains the worker; a crash", budget: { drainOrders: 1, crashes: 1 } },
  drainsNow: { ...one, about: "the operator drains the worker at once, with its job", budget: { nowOrders: 1 } },
  growing: { ...none, lag: 1, about: "no worker; a create without an answer, a list that leaves out a server; lists lag", budget: { lostCreates: 1, partialLists: 1 } },
  growingAnew: { ...none, lag: 1, about: "no worker; a crash; lists lag", budget: { crashes: 1 } },
  joining: { ...none, about: "a worker that boots while the operator changes the size", budget: { sizeOrders: 1 } },
  slowBoot: { ...none, about: "a worker that comes up late or never", budget: { brokenBoots: 1 } },
  shrunkenLists: { ...spare, about: "lists that leave out a server again and again, and an empty one", budget: { partialLists: 3, emptyLists: 1 } },
  deaths: { ...spare, about: "servers die or vanish; a crash", budget: { deaths: 1, vanishings: 1, crashes: 1 } },
  noAnswers: { ...one, about: "questions that get no answer", budget: { unanswered: 2 } },
  tirelessLiar: { ...one, cloud: "openstack", about: "a cloud that lies at every look about a worker that is heard", budget: { lies: 6 } },
  lyingOpenstack: { ...one, cloud: "openstack", about: "a cloud that lies twice, about a worker cut off", budget: { lies: 2, cuts: 1 } },
  hangingStartd: { ...one, about: "a startd that hangs, and a job that the schedd leaves out once", budget: { hangs: 1, hiddenJobs: 1 } },
  pair: { ...one, max: 2, places: 2, serving: 2, about: "two workers and a job", budget: {} },
  lyingCloudsigma: { ...one, about: "a cloud that lies as often as it takes, about a worker cut off", budget: { lies: 4, cuts: 1 } },
} satisfies Record<string, ShippedScenario>;

export type ShippedName = keyof typeof shippedScenarios;
