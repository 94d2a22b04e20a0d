import * as pulumi from "@pulumi/pulumi";
import type { AlarmSettings } from "./config/controller-config";
import type { GridConfig } from "./config/schema";

export interface AlarmPolicyArgs {
  /** `alarms` of it. */
  config: GridConfig;
}

/**
 * When the group's average CPU makes it grow or shrink. A cloud that evaluates alarms gets them as resources; else the
 * rules go to the controller with its configuration, and there is nothing to create.
 */
export class AlarmPolicy extends pulumi.ComponentResource {
  readonly rules: AlarmSettings;
  constructor(name: string, args: AlarmPolicyArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cpuHigh, cpuLow } = args.config.alarms;
    super("elastigrid:index:AlarmPolicy", name, { cpuHigh, cpuLow }, opts);
    this.rules = { cpuHigh, cpuLow };
    this.registerOutputs({ rules: this.rules });
  }
}
