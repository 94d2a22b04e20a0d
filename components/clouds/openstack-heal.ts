import * as pulumi from "@pulumi/pulumi";
import type { Openstack } from "../openstack/api";
import { groupSize, steadyGroup } from "../openstack/steady";
import { isGroupOf, nestedStacks, removeStack, settled, stackNow, stackPath, stacksNamed, typeOfStack, type HeatStack } from "../openstack/stacks";
import { GROUP_RESOURCE } from "../render/heat";

export type Cure = "leave" | "remove" | "update";

/** What a stack needs before the engine can go on with it. One that Heat could not create is in no state of ours: it is made anew. */
export function cureOf(status: string): Cure {
  if (/^(CREATE|DELETE|ROLLBACK|ADOPT)_FAILED$/.test(status) || status === "ROLLBACK_COMPLETE") return "remove";
  return /^(UPDATE|CHECK|RESUME|SUSPEND)_FAILED$/.test(status) ? "update" : "leave";
}

const LIMITS = { pollMs: 1_000, seconds: 600 };

/**
 * Brings the group's stack into a state that can be worked with: `up` goes on where an earlier one, or the controller, was struck, and
 * nobody has to mend a stack by hand. In a preview it only says so.
 */
export async function healStack(api: Openstack, name: string): Promise<void> {
  const [found] = await stacksNamed(api, (n) => n === name);
  const stack = found === undefined ? undefined : pulumi.runtime.isDryRun() ? await stackNow(api, found) : await settled(api, found, LIMITS);
  if (stack === undefined) return;
  const { sick, cure } = await diagnose(api, stack);
  if (cure === "leave") return;
  const why = `Heat left the stack ${sick.stack_name} in ${sick.stack_status}: ${sick.stack_status_reason ?? "no reason given"}`;
  if (pulumi.runtime.isDryRun()) return pulumi.log.warn(`${why}; up ${cure === "remove" ? "removes it and makes it anew" : "updates it again"}`);
  pulumi.log.info(`${why}; ${cure === "remove" ? "removing it" : "updating it again"}`);
  await (cure === "remove" ? removeStack(api, stack, LIMITS) : updateAgain(api, stack));
}

/** The group's own stack inside may be broken while the one around it is whole: a signal of an alarm that met a quota does that, and the group then ignores every other. */
async function diagnose(api: Openstack, stack: HeatStack): Promise<{ readonly sick: HeatStack; readonly cure: Cure }> {
  const cure = cureOf(stack.stack_status);
  if (cure !== "leave" || !stack.stack_status.endsWith("_COMPLETE")) return { sick: stack, cure };
  const inside = await nestedStacks(api, stack);
  const sick = inside.find((s) => cureOf(s.stack_status) !== "leave");
  return sick === undefined ? { sick: stack, cure } : { sick, cure: "update" };
}

async function updateAgain(api: Openstack, stack: HeatStack): Promise<void> {
  await steadyGroup(api, stack, GROUP_RESOURCE, LIMITS);
  await api.patch("orchestration", stackPath(stack), { existing: true });
  const after = await settled(api, stack, LIMITS);
  if (after !== undefined && cureOf(after.stack_status) !== "leave") pulumi.log.warn(`the stack ${stack.stack_name} is ${after.stack_status} again: ${after.stack_status_reason ?? "no reason given"}`);
}

/**
 * Deletes the stacks of former definitions that have no worker left. The controller does that where it may: a stack with alarms holds
 * trusts, which Keystone lets only the deploying user take away. One that will not go is told; the sweep of a destroy takes it.
 */
export async function removeEmptied(api: Openstack, prefix: string, name: string): Promise<void> {
  if (pulumi.runtime.isDryRun()) return;
  const ours = await stacksNamed(api, (n) => isGroupOf(prefix, n));
  // As long as the present one is not whole, the controller may still be adding workers to a former one.
  if (ours.find((s) => s.stack_name === name)?.stack_status.endsWith("_COMPLETE") !== true) return;
  await removeEmpty(api, ours.filter((s) => s.stack_name !== name), "of a former definition of the group");
}

/** Deletes the stacks of worker types that are no longer declared, once the controller has drained them: it leaves them to us, for it cannot tell one that is just being made. */
export async function removeUndeclared(api: Openstack, prefix: string, declared: readonly string[]): Promise<void> {
  if (pulumi.runtime.isDryRun()) return;
  const former = (n: string): boolean => {
    const type = typeOfStack(prefix, n);
    return type !== undefined && !declared.includes(type);
  };
  await removeEmpty(api, await stacksNamed(api, former), "of a worker type that is no longer declared");
}

async function removeEmpty(api: Openstack, stacks: readonly HeatStack[], what: string): Promise<void> {
  for (const stack of stacks) {
    if ((await groupSize(api, stack, GROUP_RESOURCE)) !== 0) continue;
    pulumi.log.info(`the stack ${stack.stack_name}, ${what}, has no worker left: deleting it`);
    await removeStack(api, stack, LIMITS).catch((e: unknown) => pulumi.log.warn(e instanceof Error ? e.message : String(e)));
  }
}

/** `max`, or the group's size where that is larger: Heat would remove its oldest members at once, jobs or no jobs. Reads only. */
export async function roomyMax(api: Openstack, name: string, max: number): Promise<number> {
  const [stack] = await stacksNamed(api, (n) => n === name);
  const size = stack === undefined ? 0 : ((await groupSize(api, stack, GROUP_RESOURCE)) ?? 0);
  if (size > max) pulumi.log.info(`the group has ${size} workers, and workers.max is ${max}: the controller takes ${size - max} away as they become idle; Heat is told the lower maximum by a later up`);
  return Math.max(max, size);
}

/**
 * Runs right before the engine updates the group's stack: waits until Heat and the controller have finished what they are doing with it,
 * sees to it that the update takes no worker that runs, and refuses one that would clamp a group which has grown meanwhile.
 */
export function steadyBeforeUpdate(name: string, api: () => Openstack): pulumi.ResourceHook {
  return new pulumi.ResourceHook(`${name}-steady`, async ({ newInputs = {} }) => {
    const [stack] = await stacksNamed(api(), (n) => n === newInputs["name"]);
    const size = stack === undefined ? 0 : ((await steadyGroup(api(), stack, GROUP_RESOURCE, LIMITS)) ?? 0);
    const most = largest(newInputs);
    if (size > most) throw new Error(`the group has grown to ${size} workers while this ran, and Heat would remove ${size - most} of them for the new maximum of ${most}; run pulumi up again`);
  });
}

/** `max_size` in the template that is about to be sent. */
function largest(inputs: Readonly<Record<string, unknown>>): number {
  const { Bin } = (inputs["templateOpts"] ?? {}) as { readonly Bin?: unknown };
  const found = /^\s*max_size: (\d+)$/m.exec(typeof Bin === "string" ? Bin : "");
  if (found === null) throw new Error("the template of the group has no max_size");
  return Number(found[1]);
}
