import type { CustomResourceOptions, Input, Output, Resource } from "@pulumi/pulumi";
import type { GridConfig } from "../config/schema";
import type { Problem } from "../errors";
import type { JudgedChanges } from "../policy/master-changes";

/** Everything an adapter makes is named after its component and is its child. */
export type ChildOptions = CustomResourceOptions;

export interface NetworkHandle {
  /** Opaque to components: what `server` and `workerGroup` need to attach to it. */
  readonly id: Output<string>;
  readonly resource: Resource;
}

export interface AddressHandle {
  readonly id: Output<string>;
  /** Where the outside reaches the master. */
  readonly address: Output<string>;
  readonly resource: Resource;
}

export interface MasterSpec {
  readonly config: GridConfig;
  /** Marks every object of this grid: random, made once, kept in the state. */
  readonly gridUid: Input<string>;
  readonly network: NetworkHandle;
  readonly address: AddressHandle;
  readonly userData: Input<string>;
  readonly publicKey: Input<string>;
  /** For the serial console. */
  readonly consolePassword: Input<string>;
}

export interface ServerHandle {
  readonly id: Output<string>;
  /** Where `up` reaches it by ssh; known once it answers (or at once where waiting is switched off). */
  readonly address: Output<string>;
  /** Changes when its disk is another one: then nothing of what the set-up brought is there any more. */
  readonly generation: Output<string>;
  readonly resource: Resource;
}

export interface WorkerGroupSpec {
  readonly config: GridConfig;
  readonly gridUid: Input<string>;
  readonly network: NetworkHandle;
  /** Of workers of the first type. */
  readonly userData: Input<string>;
  /** Of those of a further one by its name. */
  readonly typeUserData: (type: string) => Input<string>;
  readonly publicKey: Input<string>;
  readonly consolePassword: Input<string>;
}

export interface WorkerGroupHandle {
  /** What the controller needs to act on this group (no credential); becomes `cloud` in its configuration. */
  readonly controllerTarget: Output<Record<string, unknown>>;
  readonly resource: Resource;
}

/**
 * All that components may ask of a cloud. An adapter translates; it decides nothing about the grid. Callers ask the
 * capability flags, never the name.
 */
export interface Cloud {
  readonly name: "cloudsigma" | "openstack";
  /** The cloud evaluates CPU alarms and resizes the group itself; where false, the controller does. */
  readonly scalesGroups: boolean;
  /** The network gives addresses to its servers; where false, the master runs DHCP and is the gateway. */
  readonly servesDhcp: boolean;
  /** The cloud filters ports; the guest's nftables do so on both. */
  readonly filtersPorts: boolean;
  /**
   * Looks before anything is made: all that can be known to fail, at once. Reads only. `grid` is the name that the component `Grid` will
   * have: with it, a living grid of this stack is known again also by another `grid.name`.
   */
  preflight(config: GridConfig, grid?: string): Promise<readonly Problem[]>;
  /**
   * What of the configuration this grid, if it lives, cannot take, or only with loss: by its marks, in the cloud. Reads only; asked before
   * any object of the grid is declared, in previews too. `names`: those that `master` and `privateNetwork` will be called with.
   */
  changes(grid: { config: GridConfig; gridUid: string; names: { master: string; network: string } }): Promise<JudgedChanges>;
  /** What the controller authenticates with: secret, handed over by ssh, never by user data. */
  controllerCredentials(): Output<Record<string, string>>;
  privateNetwork(name: string, spec: { config: GridConfig; gridUid: Input<string> }, opts: ChildOptions): NetworkHandle;
  floatingIp(name: string, spec: { config: GridConfig; gridUid: Input<string> }, opts: ChildOptions): AddressHandle;
  master(name: string, spec: MasterSpec, opts: ChildOptions): ServerHandle;
  workerGroup(name: string, spec: WorkerGroupSpec, opts: ChildOptions): WorkerGroupHandle;
}
