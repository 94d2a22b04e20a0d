import * as pulumi from "@pulumi/pulumi";
import { byName } from "./by-name";
import { marked, type MarkedArgs } from "./resource-args";
import type { PurchaseArgs } from "./vlan";

export interface StaticIpArgs extends MarkedArgs {
  /** Kept in the meta; live. */
  name: pulumi.Input<string>;
  /** Use this address, which you have subscribed yourself: its renewal stays as it is. Changing it replaces. @default one that was given back earlier, else a new purchase */
  wanted?: pulumi.Input<string>;
  /** @default not allowed */
  purchase?: pulumi.Input<PurchaseArgs>;
}

const provider = byName("static-ip");

/**
 * A public address that stays. It exists as long as its subscription: deleting gives it back (marked free for the next
 * taker, no renewal), it cannot be ended earlier than paid. Its id is the address.
 */
export class StaticIp extends pulumi.dynamic.Resource {
  declare readonly address: pulumi.Output<string>;
  /** Prefix length. */
  declare readonly netmask: pulumi.Output<number>;
  declare readonly gateway: pulumi.Output<string>;
  declare readonly paidUntil: pulumi.Output<string>;
  constructor(name: string, args: StaticIpArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      provider,
      name,
      { address: undefined, netmask: undefined, gateway: undefined, paidUntil: undefined, source: undefined, subscriptionId: undefined, generation: undefined, ...args, ...marked(name, args) },
      opts,
      "cloudsigma",
      "StaticIp",
    );
  }
}
