import * as pulumi from "@pulumi/pulumi";
import { byName } from "./by-name";
import { marked, type MarkedArgs } from "./resource-args";

/** Whether a resource that exists only through a subscription may be bought. */
export interface PurchaseArgs {
  /** Spends money. */
  allowed: pulumi.Input<boolean>;
  /** As the cloud takes it, such as "1 month". Only for the purchase: a change does nothing. @default "1 month" */
  period?: pulumi.Input<string>;
}

export interface VlanArgs extends MarkedArgs {
  /** Kept in the meta; live. */
  name: pulumi.Input<string>;
  /** Use the VLAN with this uuid, which you have subscribed yourself: its renewal stays as it is. Changing it replaces. @default one that was given back earlier, else a new purchase */
  wanted?: pulumi.Input<string>;
  /** @default not allowed */
  purchase?: pulumi.Input<PurchaseArgs>;
}

const provider = byName("vlan");

/**
 * A private network. It exists as long as its subscription: deleting gives it back (marked free for the next taker, no
 * renewal), it cannot be ended earlier than paid. Its id is the cloud's uuid.
 */
export class Vlan extends pulumi.dynamic.Resource {
  declare readonly uuid: pulumi.Output<string>;
  declare readonly paidUntil: pulumi.Output<string>;
  constructor(name: string, args: VlanArgs, opts?: pulumi.CustomResourceOptions) {
    super(provider, name, { uuid: undefined, paidUntil: undefined, source: undefined, subscriptionId: undefined, generation: undefined, ...args, ...marked(name, args) }, opts, "cloudsigma", "Vlan");
  }
}
