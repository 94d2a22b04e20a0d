import * as pulumi from "@pulumi/pulumi";
import type { AlarmSettings } from "./config/controller-config";
import type { GridConfig } from "./config/schema";

export interface AlarmPolicyArgs {
  /** `alarms` of it. */
  config: GridConfig;
}

/**
 * When the group's average CPU, or a rule on another metric, makes it grow or shrink. A cloud that evaluates alarms gets those on CPU as
 * resources; all else goes to the controller with its configuration, and there is nothing to create.
 */
export class AlarmPolicy extends pulumi.ComponentResource {
  readonly rules: AlarmSettings;
  constructor(name: string, args: AlarmPolicyArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cpuHigh, cpuLow, rules = [] } = args.config.alarms;
    const settings: AlarmSettings = { cpuHigh, cpuLow, ...(rules.length === 0 ? {} : { rules }) };
    super("elastigrid:index:AlarmPolicy", name, { ...settings }, opts);
    this.rules = settings;
    this.registerOutputs({ rules: this.rules });
  }
}
