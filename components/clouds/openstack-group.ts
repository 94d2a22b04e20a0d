import { orchestration } from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import { RandomId } from "@pulumi/random";
import { DEFAULT_TYPE, type OpenstackTarget } from "../config/controller-config";
import type { GridConfig } from "../config/grid-config";
import { ofType, typeNames } from "../config/worker-types";
import type { Openstack } from "../openstack/api";
import { stackPrefix, typeStackPrefix } from "../openstack/stacks";
import { Sweep } from "../openstack/sweep";
import { trustOf } from "../openstack/transport";
import { digest } from "../policy/identity";
import { heatOutputs, workerGroupTemplate, type HeatParameter } from "../render/heat";
import type { ChildOptions, WorkerGroupHandle } from "./cloud";
import type { Flavor, OpenstackFacts } from "./openstack-facts";
import { healStack, removeEmptied, removeUndeclared, roomyMax, steadyBeforeUpdate } from "./openstack-heal";
import { hooksWork } from "./openstack-hooks";
import type { OpenstackNetwork } from "./openstack-network";

export interface GroupSpec {
  readonly config: GridConfig;
  readonly gridUid: pulumi.Input<string>;
  readonly network: OpenstackNetwork;
  readonly keyName: pulumi.Input<string>;
  readonly userData: pulumi.Input<string>;
  readonly typeUserData: (type: string) => pulumi.Input<string>;
  readonly facts: OpenstackFacts;
  /** Name or id, as Heat resolves it. */
  readonly image: pulumi.Input<string>;
  readonly api: () => Openstack;
}

/** The group of one worker type. */
interface OneGroup {
  readonly type: string;
  /** Begins the names of its resources. */
  readonly name: string;
  /** What the names of its stacks begin with. */
  readonly prefix: pulumi.Output<string>;
  readonly config: GridConfig;
  readonly flavor: Flavor;
  readonly image: pulumi.Input<string>;
  readonly userData: pulumi.Input<string>;
  readonly min: number;
  readonly max: number;
  /** Aodh watches it. */
  readonly alarms: boolean;
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
 *
 * Each further worker type is a stack of its own, without alarms of Aodh's: these watch the first type, of which the minimum is made. The
 * stack of a type that is no longer declared is let go as one of a former definition is.
 */
export function declareGroup(name: string, spec: GroupSpec, opts: ChildOptions): WorkerGroupHandle {
  const { config, facts, network } = spec;
  const gridPrefix = pulumi.output(spec.gridUid).apply(stackPrefix);
  // Deleted after the stacks, so that what the engine has let go of is gone before the network that it hangs on.
  const sweep = new Sweep(`${name}-stacks`, { gridUid: spec.gridUid, scope: "stacks" }, { ...opts, ...waitFor(opts, network.ways), customTimeouts: { delete: "15m" } });
  const declared = typeNames(config);
  const swept = gridPrefix.apply(async (p) => {
    await removeUndeclared(spec.api(), p, declared);
    return p;
  });
  const { min, max } = config.workers;
  const first = declareOne(spec, { type: DEFAULT_TYPE, name, prefix: swept, config, flavor: facts.flavors.workers, image: spec.image, userData: spec.userData, min, max, alarms: facts.alarms }, sweep, opts);
  const others = (config.workers.types ?? []).map((t) => {
    const flavor = facts.types?.[t.name]?.flavor;
    if (flavor === undefined) throw new Error(`the cloud has not been asked for a flavor of worker type ${t.name}: call \`preflight\`, and go on only if it finds no problem`);
    return declareOne(spec, {
      type: t.name, name: `${name}-${t.name}`, prefix: swept.apply((p) => typeStackPrefix(p, t.name)), config: ofType(config, t.name), flavor, image: facts.types?.[t.name]?.image?.name ?? spec.image,
      userData: spec.typeUserData(t.name), min: 0, max: t.max ?? max, alarms: false,
    }, sweep, opts);
  });
  const output = (key: string): pulumi.Output<string | undefined> => pulumi.unsecret(first.StackOutputs.apply((all) => all?.find((o) => o.outputKey === key)?.outputValue));
  const types = pulumi.all(others.map((o) => pulumi.all([o.name, o.id]))).apply((all) => Object.fromEntries(all.map(([stackName, stackId], n) => [declared[n + 1] ?? "", { stackName, stackId }])));
  const controllerTarget = pulumi.all([first.id, first.name, gridPrefix, output(heatOutputs.highAlarm), output(heatOutputs.lowAlarm), types]).apply(([stackId, current, stackPrefixText, highId, lowId, typeStacks]): Record<string, unknown> => {
    const target: OpenstackTarget = {
      kind: "openstack", authUrl: facts.authUrl, stackName: current, stackId, stackPrefix: stackPrefixText,
      ...(others.length === 0 ? {} : { types: typeStacks }),
      ...(facts.region === undefined ? {} : { region: facts.region }), ...trustOf(spec.api().settings),
      ...(facts.alarms && (highId !== undefined || lowId !== undefined) ? { alarms: { ...(highId ? { highId } : {}), ...(lowId ? { lowId } : {}) } } : {}),
    };
    return { ...target };
  });
  return { controllerTarget, resource: first };
}

function declareOne(spec: GroupSpec, group: OneGroup, sweep: Sweep, opts: ChildOptions): orchestration.StackV1 {
  const { network } = spec;
  const { name, config, flavor, prefix } = group;
  const controlled = config.bootstrap !== "none";
  const definition = new RandomId(`${name}-definition`, { byteLength: 3, keepers: { definition: digest({ image: config.image, flavor: flavor.id }) } }, opts);
  const stackName = pulumi.interpolate`${prefix}${definition.hex}`;
  const healed = pulumi.all([prefix, stackName]).apply(async ([p, n]) => {
    await healStack(spec.api(), n);
    await removeEmptied(spec.api(), p, n);
    return n;
  });
  const max = !controlled ? pulumi.output(group.max) : healed.apply((n) => roomyMax(spec.api(), n, group.max));
  const parameters: Record<HeatParameter, pulumi.Input<string>> = {
    image: group.image,
    flavor: flavor.id,
    network: network.id,
    key_name: spec.keyName,
    security_group: network.groups.workers.id,
    user_data: group.userData,
    grid_uid: spec.gridUid,
    min: String(group.min),
  };
  return new orchestration.StackV1(
    `${name}-stack`,
    {
      name: healed,
      disableRollback: true,
      timeout: 30,
      templateOpts: { Bin: max.apply((m) => workerGroupTemplate({ config: { ...config, workers: { ...config.workers, max: m } }, alarms: group.alarms, controlled, vcpus: flavor.vcpus })) },
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
}

const waitFor = (opts: ChildOptions, more: readonly pulumi.Resource[]): { dependsOn: pulumi.Input<pulumi.Input<pulumi.Resource>[]> } => {
  const before = opts.dependsOn === undefined ? [] : Array.isArray(opts.dependsOn) ? (opts.dependsOn as pulumi.Resource[]) : [opts.dependsOn as pulumi.Resource];
  return { dependsOn: [...before, ...more] };
};
