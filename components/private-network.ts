import * as pulumi from "@pulumi/pulumi";
import type { Cloud, NetworkHandle } from "./clouds/cloud";
import type { GridConfig } from "./config/schema";

export interface PrivateNetworkArgs {
  cloud: Cloud;
  /** `network` and `purchases` of it. */
  config: GridConfig;
  gridUid: pulumi.Input<string>;
}

/** The network between master and workers. Where the cloud gives no addresses on it, the master does. */
export class PrivateNetwork extends pulumi.ComponentResource {
  readonly networkId: pulumi.Output<string>;
  /** What other components attach to. */
  readonly handle: NetworkHandle;
  constructor(name: string, args: PrivateNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cloud, config, gridUid } = args;
    super("elastigrid:index:PrivateNetwork", name, { cidr: config.network.cidr }, opts);
    this.handle = cloud.privateNetwork(name, { config, gridUid }, { parent: this });
    this.networkId = this.handle.id;
    this.registerOutputs({ networkId: this.networkId });
  }
}
