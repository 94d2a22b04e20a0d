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
  /** What it took beside another one when last measured (30 November 2026): the longest begins first. */
  readonly usualMinutes: number;
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
  unit: { isReal: "pure functions, and components under mocks", ...needsNothing, usualMinutes: 2, timeoutSeconds: 60, limitSeconds: 1_200 },
  simulator: { isReal: "the controller, in a model of cloud and queue with faults", ...needsNothing, usualMinutes: 3, filesAtOnce: 2, ...usual },
  model: { isReal: "the protocol's every order of events within small bounds", ...needsNothing, usualMinutes: 1, ...usual },
  engine: { isReal: "the Pulumi engine and plugins, local-cloud without hosts", ...needsNothing, usualMinutes: 10, needsEngine: true, ...usual },
  grid: { isReal: "the same, servers that boot, HTCondor, jobs", ...boots, usualMinutes: 32, ...usual },
  chaos: { isReal: "faults at every call", ...boots, usualMinutes: 13, ...usual },
  openstack: {
    isReal: "OpenStack's own services on this computer, the Pulumi engine and plugins",
    ...needsNothing, usualMinutes: 38, needsEngine: true, needsLab: true, filesAtOnce: 3, ...usual, limitSeconds: 3_000,
  },
};
