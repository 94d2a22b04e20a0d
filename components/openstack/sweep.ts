import * as pulumi from "@pulumi/pulumi";
import { byName } from "../cloudsigma/by-name";

export interface SweepArgs {
  gridUid: pulumi.Input<string>;
  /** `stacks`: the grid's Heat stacks only; `all`: everything that carries its mark. */
  scope: "stacks" | "all";
}

const provider = byName("openstack/sweep");

/**
 * Does nothing until it is deleted, and then removes what still carries the grid's mark: what a create made whose answer was lost,
 * servers of a broken Heat stack, stacks of workers that were replaced. What depends on it is deleted before it.
 */
export class Sweep extends pulumi.dynamic.Resource {
  constructor(name: string, args: SweepArgs, opts?: pulumi.CustomResourceOptions) {
    super(provider, name, { ...args }, opts, "openstack", "Sweep");
  }
}
