import { identity, orchestration } from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import type { OpenstackTarget } from "../config/controller-config";
import type { GridConfig } from "../config/grid-config";
import type { Openstack } from "../openstack/api";
import { accessRules } from "../openstack/access-rules";
import { Sweep } from "../openstack/sweep";
import { digest } from "../policy/identity";
import { heatOutputs, workerGroupTemplate, type HeatParameter } from "../render/heat";
import type { ChildOptions, WorkerGroupHandle } from "./cloud";
import type { OpenstackFacts } from "./openstack-facts";
import { healStack } from "./openstack-heal";
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

/** All Heat stacks of a grid begin with this; the controller's credential reaches no others. */
export const stackPrefix = (config: GridConfig, gridUid: string): string => `${config.name}-workers-${gridUid}-`;

/**
 * The worker group: a Heat stack (see `workerGroupTemplate`). Limits, alarms and user data change in place, and no member is touched.
 *
 * Heat would replace members whose image changes, and reboot those whose flavor does, jobs or no jobs. So the stack's name holds a
 * digest of both, and a change of either makes a new stack beside the old one. Where a controller is in charge the engine only lets go
 * of the old stack: the controller drains its workers and deletes it when it is empty. Without one the engine deletes it.
 */
export function declareGroup(name: string, spec: GroupSpec, opts: ChildOptions): WorkerGroupHandle {
  const { config, facts, network } = spec;
  const controlled = config.bootstrap !== "none";
  const prefix = pulumi.output(spec.gridUid).apply((uid) => stackPrefix(config, uid));
  const kind = digest({ image: config.image, flavor: facts.flavors.workers.id }, 6);
  // Deleted after the stack, so that what the engine has let go of is gone before the network that it hangs on.
  const sweep = new Sweep(`${name}-stacks`, { gridUid: spec.gridUid, scope: "stacks", stackPrefix: prefix }, { ...opts, ...waitFor(opts, network.ways), customTimeouts: { delete: "15m" } });
  const stackName = prefix.apply(async (p) => {
    await healStack(spec.api(), `${p}${kind}`);
    return `${p}${kind}`;
  });
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
      name: stackName,
      disableRollback: true,
      timeout: 30,
      templateOpts: { Bin: workerGroupTemplate({ config, alarms: facts.alarms, controlled, vcpus: facts.flavors.workers.vcpus }) },
      // Without one the plugin sends a listing of its working directory.
      environmentOpts: { Bin: "{}" },
      parameters,
    },
    {
      ...opts,
      ...waitFor(opts, [sweep, ...network.ways]),
      // Signed URLs: whoever has one resizes the group.
      additionalSecretOutputs: ["StackOutputs"],
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
      ...(facts.region === undefined ? {} : { region: facts.region }),
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

const DAY_MS = 86_400_000;

export interface CredentialTerm {
  /** Changes when the credential is due to be renewed. */
  readonly number: number;
  /** RFC 3339, seconds. */
  readonly expiresAt: string;
}

/**
 * Which credential is in force. Terms follow one another in steps of `expiresInDays - warnDaysBefore`, the same for every run in between:
 * the preview stays empty, and the first `up` of a new term makes a new credential, brings it to the master and deletes the old one. After
 * any `up` at least `warnDaysBefore` days are left.
 */
export function credentialTerm(nowMs: number, credential: { readonly expiresInDays: number; readonly warnDaysBefore: number }): CredentialTerm {
  const stepMs = Math.max(1, credential.expiresInDays - credential.warnDaysBefore) * DAY_MS;
  const number = Math.floor(nowMs / stepMs);
  return { number, expiresAt: new Date(number * stepMs + credential.expiresInDays * DAY_MS).toISOString().replace(/\.\d+Z$/, "Z") };
}

export interface CredentialSpec {
  readonly config: GridConfig;
  readonly gridUid: pulumi.Input<string>;
  readonly facts: OpenstackFacts;
  /** Of the user who deploys. */
  readonly roles: readonly string[];
  readonly nowMs: number;
}

/**
 * The deploying user's roles, less what the controller need not have. They are named, because without names Keystone takes those of the
 * token at hand, and was seen to look for a role in it that the user never had (400, about one create in three under load).
 */
export function controllerRoles(roles: readonly string[]): string[] {
  const few = roles.filter((r) => r !== "admin" && !(r === "reader" && roles.includes("member")));
  return [...(few.length > 0 ? few : roles)].sort();
}

/**
 * What the controller logs in with: of this project, for the calls that it makes (see `accessRules`), for a limited time. Nothing of it
 * can be changed in place: its name holds a digest, so that the new one can stand beside the old one until the master has it.
 */
export function declareCredential(name: string, spec: CredentialSpec, opts: ChildOptions): identity.ApplicationCredential {
  const { config, facts } = spec;
  const term = credentialTerm(spec.nowMs, config.openstack.credential);
  const roles = controllerRoles(spec.roles);
  const rules = pulumi.output(spec.gridUid).apply((uid) => accessRules({ projectId: facts.projectId, stackPrefix: stackPrefix(config, uid), alarms: facts.alarms }).map((r) => ({ ...r })));
  const limited = config.openstack.credential.accessRules;
  return new identity.ApplicationCredential(
    `${name}-credential`,
    {
      name: pulumi.all([spec.gridUid, rules]).apply(([uid, all]) => `${config.name}-controller-${uid}-${digest({ roles, expiresAt: term.expiresAt, rules: limited ? all : [] })}`),
      description: `controller of the elastigrid grid ${config.name}`,
      roles,
      ...(limited ? { accessRules: rules } : {}),
      unrestricted: false,
      expiresAt: term.expiresAt,
    },
    opts,
  );
}
