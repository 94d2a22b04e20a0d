import * as pulumi from "@pulumi/pulumi";
import type { Cloud, NetworkHandle } from "./clouds/cloud";
import type { GridConfig } from "./config/schema";
import { ofType } from "./config/worker-types";
import { workerUserData } from "./render/cloud-init";

export interface WorkerGroupArgs {
  cloud: Cloud;
  /** Size and image of one worker. How many there are is the controller's business: no update touches them. */
  config: GridConfig;
  gridUid: pulumi.Input<string>;
  network: NetworkHandle;
  /** May log in as root, from the master. */
  publicKey: pulumi.Input<string>;
  /** For the serial console. Secret. */
  consolePassword: pulumi.Input<string>;
}

/** What workers are made from, and all workers: deleting it removes them. */
export class WorkerGroup extends pulumi.ComponentResource {
  /** What the controller needs to act on the group; holds no credential. */
  readonly controllerTarget: pulumi.Output<Record<string, unknown>>;
  constructor(name: string, args: WorkerGroupArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cloud, config, gridUid, network, publicKey, consolePassword } = args;
    const { min, max, ...size } = config.workers;
    super("elastigrid:index:WorkerGroup", name, { min, max, ...size }, opts);
    const group = cloud.workerGroup(name, { config, gridUid, network, userData: workerUserData(config, cloud), typeUserData: (type) => workerUserData(ofType(config, type), cloud), publicKey, consolePassword: pulumi.secret(consolePassword) }, { parent: this });
    this.controllerTarget = group.controllerTarget;
    this.registerOutputs({ controllerTarget: this.controllerTarget });
  }
}
