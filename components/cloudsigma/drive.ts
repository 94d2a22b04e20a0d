import * as pulumi from "@pulumi/pulumi";
import { byName } from "./by-name";
import { marked, type MarkedArgs } from "./resource-args";

export interface DriveArgs extends MarkedArgs {
  /** Shown in the cloud; live. Must not be taken by a drive that is not of this deployment. */
  name: pulumi.Input<string>;
  /**
   * Growing stops the servers it is attached to (they start again); shrinking replaces. Rounded up to 16 KiB by the
   * cloud. @default the size of `cloneOf`; required without it
   */
  sizeBytes?: pulumi.Input<number>;
  /** Name or uuid of a library drive or of an own drive whose contents it starts with. Changing it replaces. @default an empty drive */
  cloneOf?: pulumi.Input<string>;
  /** Stops the servers it is attached to. @default "disk" */
  media?: pulumi.Input<"disk" | "cdrom">;
  /** Such as "dssd" or "nvme". Changing it replaces. @default the location's */
  storageType?: pulumi.Input<string>;
  /** Several servers at once; live. @default false */
  allowMultimount?: pulumi.Input<boolean>;
  /** Live; keys of others are left alone. */
  meta?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Uuids of tags; live; the whole list. @default not managed */
  tags?: pulumi.Input<pulumi.Input<string>[]>;
  /** Its data must outlive every update: what would replace it is refused, in the preview too. Deleting it is not. @default false */
  keepData?: pulumi.Input<boolean>;
  /** Uuid of the drive that may be replaced although `keepData` is set; permits nothing once that drive is gone. */
  replace?: pulumi.Input<string>;
  /** How long a clone may take. @default 1800 */
  cloneLimitSeconds?: pulumi.Input<number>;
}

const provider = byName("drive");

/** A disk. Its id is the cloud's uuid. Deleting it destroys the data. */
export class Drive extends pulumi.dynamic.Resource {
  declare readonly name: pulumi.Output<string>;
  declare readonly sizeBytes: pulumi.Output<number>;
  declare readonly storageType: pulumi.Output<string | undefined>;
  declare readonly status: pulumi.Output<string>;
  constructor(name: string, args: DriveArgs, opts?: pulumi.CustomResourceOptions) {
    super(provider, name, { sizeBytes: undefined, storageType: undefined, status: undefined, generation: undefined, ...args, ...marked(name, args) }, opts, "cloudsigma", "Drive");
  }
}
