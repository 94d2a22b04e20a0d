import * as pulumi from "@pulumi/pulumi";
import { byName } from "./by-name";
import { marked, type MarkedArgs } from "./resource-args";

export interface WorkerPoolArgs extends MarkedArgs {
  /** Name of the template server and beginning of the names of its drive and tag. Must not be taken by others. */
  name: pulumi.Input<string>;
  /** Name or uuid of the library drive or own drive that workers boot. A change gives the template a new drive; present workers keep theirs. */
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
}

const provider = byName("worker-pool");

/**
 * What workers are cloned from: a stopped template server with its drive and a tag. How many workers there are is not
 * declared here: the controller makes and removes them, and no update touches them. Deleting the pool removes them all.
 *
 * Membership: every server whose meta has `elastigrid-pool` = this id and `elastigrid-template` = another uuid than its
 * own (see membership.ts). The id stays when the template has to be made anew.
 */
export class WorkerPool extends pulumi.dynamic.Resource {
  declare readonly templateUuid: pulumi.Output<string>;
  declare readonly driveUuid: pulumi.Output<string>;
  declare readonly tagUuid: pulumi.Output<string>;
  /** The same as `id`. */
  declare readonly poolId: pulumi.Output<string>;
  constructor(name: string, args: WorkerPoolArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      provider,
      name,
      { templateUuid: undefined, driveUuid: undefined, tagUuid: undefined, poolId: undefined, ...args, ...marked(name, args), vncPassword: pulumi.secret(args.vncPassword) },
      { deleteBeforeReplace: true, ...opts, additionalSecretOutputs: ["vncPassword", ...(opts?.additionalSecretOutputs ?? [])] },
      "cloudsigma",
      "WorkerPool",
    );
  }
}
