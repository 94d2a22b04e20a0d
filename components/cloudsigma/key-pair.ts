import * as pulumi from "@pulumi/pulumi";
import { byName } from "./by-name";
import { marked, type MarkedArgs } from "./resource-args";

export interface KeyPairArgs extends MarkedArgs {
  /** Live. Must not be taken by a key that is not of this deployment. */
  name: pulumi.Input<string>;
  /** In authorized_keys form. The private half never reaches the cloud. Changing it replaces. */
  publicKey: pulumi.Input<string>;
}

const provider = byName("key-pair");

/** A public ssh key that servers may name. Its id is the cloud's uuid. */
export class KeyPair extends pulumi.dynamic.Resource {
  declare readonly name: pulumi.Output<string>;
  declare readonly publicKey: pulumi.Output<string>;
  declare readonly fingerprint: pulumi.Output<string>;
  constructor(name: string, args: KeyPairArgs, opts?: pulumi.CustomResourceOptions) {
    super(provider, name, { fingerprint: undefined, generation: undefined, ...args, ...marked(name, args) }, opts, "cloudsigma", "KeyPair");
  }
}
