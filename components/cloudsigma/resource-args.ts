import * as pulumi from "@pulumi/pulumi";

/** Which deployment a resource belongs to; written into the cloud object's meta, so that it is known again. */
export interface MarksArgs {
  /** Random and kept in the state, such as a `RandomId`'s hex: tells this deployment from every other in the account. */
  gridUid: pulumi.Input<string>;
  /** For people who look at the cloud. */
  gridName: pulumi.Input<string>;
  /** @default `project/stack` of the running program */
  stack?: pulumi.Input<string>;
}

export interface MarkedArgs {
  marks: MarksArgs;
  /** Tells this resource from the others of the deployment. Changing it makes a new object. @default the Pulumi name */
  logicalName?: string;
}

/** The inputs that every marked resource sends, completed. */
export const marked = (name: string, args: MarkedArgs): { marks: pulumi.Inputs; logicalName: string } => ({
  marks: { ...args.marks, stack: args.marks.stack ?? `${pulumi.getProject()}/${pulumi.getStack()}` },
  logicalName: args.logicalName ?? name,
});
