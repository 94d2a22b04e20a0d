import * as pulumi from "@pulumi/pulumi";
import { byName } from "./by-name";
import { marked, type MarkedArgs } from "./resource-args";

export interface TagArgs extends MarkedArgs {
  /** Live. Must not be taken by a tag that is not of this deployment. */
  name: pulumi.Input<string>;
  /** Live; keys of others are left alone. */
  meta?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

const provider = byName("tag");

/** A label. Objects carry it by their own `tags`; deleting it leaves them alone. Its id is the cloud's uuid. */
export class Tag extends pulumi.dynamic.Resource {
  declare readonly name: pulumi.Output<string>;
  constructor(name: string, args: TagArgs, opts?: pulumi.CustomResourceOptions) {
    super(provider, name, { generation: undefined, ...args, ...marked(name, args) }, opts, "cloudsigma", "Tag");
  }
}
