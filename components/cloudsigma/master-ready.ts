import * as pulumi from "@pulumi/pulumi";
import { byName } from "./by-name";

export interface MasterReadyArgs {
  /** Where its ssh answers. */
  address: pulumi.Input<string>;
  /** @default 22 */
  port?: pulumi.Input<number>;
  /** @default 300 */
  timeoutSeconds?: pulumi.Input<number>;
  /** Watched meanwhile: one that no longer runs ends the wait, and its console goes into the error. */
  serverUuid: pulumi.Input<string>;
  /** Waits anew when any of these changes, such as the user data's digest. */
  triggers?: pulumi.Input<pulumi.Input<string>[]>;
}

const provider = byName("master-ready");

/** Waits until the server's ssh greets; on a timeout the error holds the last lines of the serial console. Any change waits anew. */
export class MasterReady extends pulumi.dynamic.Resource {
  declare readonly address: pulumi.Output<string>;
  declare readonly port: pulumi.Output<number>;
  /** What ssh said, such as `SSH-2.0-OpenSSH_10.0`. */
  declare readonly banner: pulumi.Output<string>;
  constructor(name: string, args: MasterReadyArgs, opts?: pulumi.CustomResourceOptions) {
    super(provider, name, { banner: undefined, port: 22, timeoutSeconds: 300, ...args }, opts, "cloudsigma", "MasterReady");
  }
}
