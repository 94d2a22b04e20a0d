import * as pulumi from "@pulumi/pulumi";
import { byName } from "../cloudsigma/by-name";

export interface MasterReadyArgs {
  /** Where its ssh answers. */
  address: pulumi.Input<string>;
  port: pulumi.Input<number>;
  timeoutSeconds: pulumi.Input<number>;
  /** Watched meanwhile: one that fails ends the wait, and its console goes into the error. */
  serverId: pulumi.Input<string>;
  /** Id of the server that may be replaced, with all that is on its disk: what would replace another one that exists is refused. */
  replace?: pulumi.Input<string>;
}

const provider = byName("openstack/master-ready");

/** Waits until the server's ssh greets; on a timeout the error holds nova's console log. Any change waits anew. */
export class MasterReady extends pulumi.dynamic.Resource {
  declare readonly address: pulumi.Output<string>;
  declare readonly banner: pulumi.Output<string>;
  constructor(name: string, args: MasterReadyArgs, opts?: pulumi.CustomResourceOptions) {
    super(provider, name, { banner: undefined, ...args }, opts, "openstack", "MasterReady");
  }
}
