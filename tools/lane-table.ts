export const allLanes = ["unit", "simulator", "model", "engine", "grid", "chaos", "openstack"] as const;
export type LaneName = (typeof allLanes)[number];

export interface Lane {
  readonly isReal: string;
  readonly needsEngine: boolean;
  readonly needsHosts: boolean;
  readonly needsLab?: boolean;
  /** `busy` computes: it yields to tests that wait for guests with time limits. `waiting` waits for others most of its time. */
  readonly load: "busy" | "waiting";
  /** Every spec file is an item of its own, so that a free slot can take one. */
  readonly apart?: boolean;
  /** So many spec files at a time within the lane. */
  readonly filesAtOnce?: number;
  /** For one test. */
  readonly timeoutSeconds: number;
  /** For the whole lane, or for each file where these run by themselves: a hang ends loudly. */
  readonly limitSeconds: number;
}

const usual = { timeoutSeconds: 600, limitSeconds: 1_800 } as const;
const needsNothing = { needsEngine: false, needsHosts: false, load: "busy" } as const;
const boots = { needsEngine: true, needsHosts: true, load: "waiting", apart: true } as const;

export const lanes: Record<LaneName, Lane> = {
  // A minute for one test: the computer is shared with lanes that boot guests.
  unit: { isReal: "pure functions, and components under mocks", ...needsNothing, timeoutSeconds: 60, limitSeconds: 1_200 },
  simulator: { isReal: "the controller, in a model of cloud and queue with faults", ...needsNothing, filesAtOnce: 2, ...usual },
  model: { isReal: "the protocol's every order of events within small bounds", ...needsNothing, ...usual },
  engine: { isReal: "the Pulumi engine and plugins, local-cloud without hosts", ...needsNothing, needsEngine: true, ...usual },
  grid: { isReal: "the same, servers that boot, HTCondor, jobs", ...boots, ...usual },
  chaos: { isReal: "faults at every call", ...boots, ...usual },
  openstack: {
    isReal: "OpenStack's own services on this computer, the Pulumi engine and plugins",
    ...needsNothing, needsEngine: true, needsLab: true, filesAtOnce: 3, ...usual, limitSeconds: 3_000,
  },
};
