import * as pulumi from "@pulumi/pulumi";
import { byName } from "./by-name";
import { marked, type MarkedArgs } from "./resource-args";

/** What workers of one further type are cloned from. */
export interface WorkerPoolTypeArgs {
  image: pulumi.Input<string>;
  diskBytes: pulumi.Input<number>;
  cpuMHz: pulumi.Input<number>;
  /** @default as many as the MHz need */
  smp?: pulumi.Input<number>;
  memoryBytes: pulumi.Input<number>;
  userData: pulumi.Input<string>;
}

export interface WorkerPoolArgs extends MarkedArgs {
  /** Name of the template server and beginning of the names of its drive and tag. Must not be taken by others. */
  name: pulumi.Input<string>;
  /** Name or uuid of the library drive or own drive that workers boot. A change gives the template a new drive; present workers keep theirs, until the controller renews them. */
  image: pulumi.Input<string>;
  /** Growing resizes the template's drive, shrinking gives it a new one; present workers keep theirs. */
  diskBytes: pulumi.Input<number>;
  /** In total over all cores of one worker; for workers cloned from now on. */
  cpuMHz: pulumi.Input<number>;
  /** @default as many as the MHz need */
  smp?: pulumi.Input<number>;
  /** Of one worker; for workers cloned from now on. */
  memoryBytes: pulumi.Input<number>;
  /** Uuid of the private network; for workers cloned from now on. */
  vlan: pulumi.Input<string>;
  /** cloud-init user data, plain text, for workers cloned from now on. No secrets. */
  userData: pulumi.Input<string>;
  sshPublicKey?: pulumi.Input<string>;
  /** Password of the serial console. Secret. */
  vncPassword: pulumi.Input<string>;
  /** @default the location's */
  storageType?: pulumi.Input<string>;
  /** How long a worker may take to shut down when the pool is deleted, before its plug is pulled. @default 0 */
  shutdownSeconds?: pulumi.Input<number>;
  /** How long the clone of the image may take. @default 1800 */
  cloneLimitSeconds?: pulumi.Input<number>;
  /** Further worker types by name, each with a template of its own; their workers belong to this pool. One that is left out again loses its template, not its workers. @default none */
  types?: pulumi.Input<Record<string, pulumi.Input<WorkerPoolTypeArgs>>>;
}

const provider = byName("worker-pool");

/**
 * What workers are cloned from: a stopped template server with its drive for each worker type, and a tag. How many workers there are is not
 * declared here: the controller makes and removes them, and no update touches them. Deleting the pool removes them all.
 *
 * Membership: every server whose meta has `elastigrid-pool` = this id and `elastigrid-template` = another uuid than its
 * own (see membership.ts). The id stays when the template has to be made anew. `elastigrid-shape` says what a worker is made of: the
 * controller drains those whose shape is no longer their template's, and makes others.
 */
export class WorkerPool extends pulumi.dynamic.Resource {
  declare readonly templateUuid: pulumi.Output<string>;
  /** Uuids of the templates of further types by name. */
  declare readonly templates: pulumi.Output<Record<string, string> | undefined>;
  declare readonly driveUuid: pulumi.Output<string>;
  declare readonly tagUuid: pulumi.Output<string>;
  /** The same as `id`. */
  declare readonly poolId: pulumi.Output<string>;
  constructor(name: string, args: WorkerPoolArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      provider,
      name,
      { templateUuid: undefined, templates: undefined, driveUuid: undefined, tagUuid: undefined, poolId: undefined, ...args, ...marked(name, args), vncPassword: pulumi.secret(args.vncPassword) },
      { deleteBeforeReplace: true, ...opts, additionalSecretOutputs: ["vncPassword", ...(opts?.additionalSecretOutputs ?? [])] },
      "cloudsigma",
      "WorkerPool",
    );
  }
}
