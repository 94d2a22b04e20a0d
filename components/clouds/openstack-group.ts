import { orchestration } from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import { RandomId } from "@pulumi/random";
import type { OpenstackTarget } from "../config/controller-config";
import type { GridConfig } from "../config/grid-config";
import type { Openstack } from "../openstack/api";
import { stackPrefix } from "../openstack/stacks";
import { Sweep } from "../openstack/sweep";
import { trustOf } from "../openstack/transport";
import { digest } from "../policy/identity";
import { heatOutputs, workerGroupTemplate, type HeatParameter } from "../render/heat";
import type { ChildOptions, WorkerGroupHandle } from "./cloud";
import type { OpenstackFacts } from "./openstack-facts";
import { healStack, removeEmptied, roomyMax, steadyBeforeUpdate } from "./openstack-heal";
import { hooksWork } from "./openstack-hooks";
import type { OpenstackNetwork } from "./openstack-network";

export interface GroupSpec {
  readonly config: GridConfig;
  readonly gridUid: pulumi.Input<string>;
  readonly network: OpenstackNetwork;
  readonly keyName: pulumi.Input<string>;
  readonly userData: pulumi.Input<string>;
  readonly facts: OpenstackFacts;
  /** Name or id, as Heat resolves it. */
  readonly image: pulumi.Input<string>;
  readonly api: () => Openstack;
}

/**
 * The worker group: a Heat stack (see `workerGroupTemplate`). Limits, alarms and user data change in place, and no member is touched.
 *
 * Heat would replace members whose image changes, and reboot those whose flavor does, jobs or no jobs. So a change of either makes a
 * new stack beside the old one, with a new name: never one that was there before, which might still have workers. Where a controller is
 * in charge the engine only lets go of the old stack: the controller drains its workers, and deletes it when it is empty, or with alarms
 * the next `up` does. Without one the engine deletes it. (A new image under the old name changes nothing here: it is for the next worker.)
 *
 * Heat also clamps a group to a lowered maximum, by removing its oldest members. So where a controller is in charge the maximum that Heat
 * gets is never below the group's size; the controller drains those that are too many, and a later `up` lowers it.
 */
export function declareGroup(name: string, spec: GroupSpec, opts: ChildOptions): WorkerGroupHandle {
  const { config, facts, network } = spec;
  const controlled = config.bootstrap !== "none";
  const prefix = pulumi.output(spec.gridUid).apply(stackPrefix);
  const definition = new RandomId(`${name}-definition`, { byteLength: 3, keepers: { definition: digest({ image: config.image, flavor: facts.flavors.workers.id }) } }, opts);
  // Deleted after the stack, so that what the engine has let go of is gone before the network that it hangs on.
  const sweep = new Sweep(`${name}-stacks`, { gridUid: spec.gridUid, scope: "stacks" }, { ...opts, ...waitFor(opts, network.ways), customTimeouts: { delete: "15m" } });
  const stackName = pulumi.interpolate`${prefix}${definition.hex}`;
  const healed = pulumi.all([prefix, stackName]).apply(async ([p, n]) => {
    await healStack(spec.api(), n);
    await removeEmptied(spec.api(), p, n);
    return n;
  });
  const max = !controlled ? pulumi.output(config.workers.max) : healed.apply((n) => roomyMax(spec.api(), n, config.workers.max));
  const parameters: Record<HeatParameter, pulumi.Input<string>> = {
    image: spec.image,
    flavor: facts.flavors.workers.id,
    network: network.id,
    key_name: spec.keyName,
    security_group: network.groups.workers.id,
    user_data: spec.userData,
    grid_uid: spec.gridUid,
    min: String(config.workers.min),
  };
  const stack = new orchestration.StackV1(
    `${name}-stack`,
    {
      name: healed,
      disableRollback: true,
      timeout: 30,
      templateOpts: { Bin: max.apply((m) => workerGroupTemplate({ config: { ...config, workers: { ...config.workers, max: m } }, alarms: facts.alarms, controlled, vcpus: facts.flavors.workers.vcpus })) },
      // Without one the plugin sends a listing of its working directory.
      environmentOpts: { Bin: "{}" },
      parameters,
    },
    {
      ...opts,
      ...waitFor(opts, [sweep, ...network.ways]),
      // Signed URLs: whoever has one resizes the group.
      additionalSecretOutputs: ["StackOutputs"],
      hooks: { ...opts.hooks, ...(controlled && hooksWork() ? { beforeUpdate: [steadyBeforeUpdate(name, spec.api)] } : {}) },
      // The plugin would hand the new flavor or image to the old stack, and leave its name as it is.
      replaceOnChanges: ["name"],
      retainOnDelete: controlled,
      // The controller's: it raises the minimum while it adds workers, and follows a changed configuration by itself.
      ignoreChanges: controlled ? ["parameters.min"] : [],
      // The plugin waits for the members; its own limits are for slow clouds.
      customTimeouts: { create: "30m", update: "30m", delete: "15m" },
    },
  );
  const output = (key: string): pulumi.Output<string | undefined> => pulumi.unsecret(stack.StackOutputs.apply((all) => all?.find((o) => o.outputKey === key)?.outputValue));
  const controllerTarget = pulumi.all([stack.id, stack.name, prefix, output(heatOutputs.highAlarm), output(heatOutputs.lowAlarm)]).apply(([stackId, current, stackPrefixText, highId, lowId]): Record<string, unknown> => {
    const target: OpenstackTarget = {
      kind: "openstack", authUrl: facts.authUrl, stackName: current, stackId, stackPrefix: stackPrefixText,
      ...(facts.region === undefined ? {} : { region: facts.region }), ...trustOf(spec.api().settings),
      ...(facts.alarms && (highId !== undefined || lowId !== undefined) ? { alarms: { ...(highId ? { highId } : {}), ...(lowId ? { lowId } : {}) } } : {}),
    };
    return { ...target };
  });
  return { controllerTarget, resource: stack };
}

const waitFor = (opts: ChildOptions, more: readonly pulumi.Resource[]): { dependsOn: pulumi.Input<pulumi.Input<pulumi.Resource>[]> } => {
  const before = opts.dependsOn === undefined ? [] : Array.isArray(opts.dependsOn) ? (opts.dependsOn as pulumi.Resource[]) : [opts.dependsOn as pulumi.Resource];
  return { dependsOn: [...before, ...more] };
};
