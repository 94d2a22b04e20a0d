import * as pulumi from "@pulumi/pulumi";
import type { Openstack } from "../openstack/api";
import { nestedStacks, removeStack, settled, stackNow, stackPath, stacksNamed, type HeatStack } from "../openstack/stacks";

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
  await api.patch("orchestration", stackPath(stack), { existing: true });
  const after = await settled(api, stack, LIMITS);
  if (after !== undefined && cureOf(after.stack_status) !== "leave") pulumi.log.warn(`the stack ${stack.stack_name} is ${after.stack_status} again: ${after.stack_status_reason ?? "no reason given"}`);
}
