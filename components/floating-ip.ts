import * as pulumi from "@pulumi/pulumi";
import type { AddressHandle, Cloud } from "./clouds/cloud";
import type { GridConfig } from "./config/schema";

export interface FloatingIpArgs {
  cloud: Cloud;
  /** `address` and `purchases` of it. */
  config: GridConfig;
  gridUid: pulumi.Input<string>;
}

/** The address by which the outside reaches the master; it outlives the server. */
export class FloatingIp extends pulumi.ComponentResource {
  readonly address: pulumi.Output<string>;
  /** What the master is given. */
  readonly handle: AddressHandle;
  constructor(name: string, args: FloatingIpArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cloud, config, gridUid } = args;
    super("elastigrid:index:FloatingIp", name, {}, opts);
    this.handle = cloud.floatingIp(name, { config, gridUid }, { parent: this });
    this.address = this.handle.address;
    this.registerOutputs({ address: this.address });
  }
}
