import { CloudError } from "../errors";
import type { Openstack } from "./api";

/** A Heat stack as the list shows it. */
export interface HeatStack {
  readonly id: string;
  readonly stack_name: string;
  readonly stack_status: string;
  readonly stack_status_reason?: string | null;
}

interface Limits {
  readonly pollMs: number;
  readonly seconds: number;
}

/** All Heat stacks of a grid begin with this, whatever the grid is called: the controller's credential reaches no others. */
export const stackPrefix = (gridUid: string): string => `elastigrid-${gridUid}-`;

/** Stacks of a further worker type begin with this, which no stack of the first type does: those go on in hexadecimal digits. */
export const typeStackPrefix = (prefix: string, type: string): string => `${prefix}t-${type}-`;

/** Whether a stack is a group of exactly this prefix: another type's may begin like it. */
export const isGroupOf = (prefix: string, name: string): boolean => prefix !== "" && name.startsWith(prefix) && !name.slice(prefix.length).includes("-");

/** The worker type of a further type's stack, by the prefix of all stacks of the grid; undefined for the first type's. */
export const typeOfStack = (prefix: string, name: string): string | undefined => (prefix !== "" && name.startsWith(`${prefix}t-`) ? /^(.+)-[^-]+$/.exec(name.slice(prefix.length + 2))?.[1] : undefined);

/** Stacks of the project, without nested ones. */
export async function stacksNamed(api: Openstack, wanted: (name: string) => boolean): Promise<readonly HeatStack[]> {
  return (await api.list<HeatStack>("orchestration", "/stacks", "stacks")).filter((s) => wanted(s.stack_name));
}

/** The stacks that Heat keeps inside this one: an autoscaling group is one. */
export async function nestedStacks(api: Openstack, stack: HeatStack): Promise<readonly HeatStack[]> {
  const all = await api.list<HeatStack & { readonly parent?: string | null }>("orchestration", "/stacks", "stacks", { query: { show_nested: true } });
  return all.filter((s) => s.parent === stack.id);
}

export const stackPath = (s: { readonly stack_name: string; readonly id: string }): string => `/stacks/${s.stack_name}/${s.id}`;

/** The stack now; undefined where it is gone. */
export const stackNow = async (api: Openstack, s: HeatStack): Promise<HeatStack | undefined> => {
  const found = (await api.find<{ stack: HeatStack }>("orchestration", stackPath(s)))?.stack;
  return found?.stack_status === "DELETE_COMPLETE" ? undefined : found;
};

/** Deletes a stack and waits until it is gone. A delete that Heat fails is asked again: its members' own clean-up may have been struck. */
export async function removeStack(api: Openstack, stack: HeatStack, limits: Limits): Promise<void> {
  await api.delete("orchestration", stackPath(stack));
  let repeats = 0;
  for (const end = Date.now() + limits.seconds * 1_000; ; await pause(limits.pollMs)) {
    const now = await stackNow(api, stack);
    if (now === undefined) return;
    if (now.stack_status === "DELETE_FAILED" && repeats < 5) {
      repeats += 1;
      await pause(limits.pollMs * repeats);
      await api.delete("orchestration", stackPath(stack));
    } else if (now.stack_status === "DELETE_FAILED" || Date.now() > end) {
      throw new CloudError("timeout", `stack ${stack.stack_name} is ${now.stack_status} and not gone after ${limits.seconds} s: ${now.stack_status_reason ?? "no reason given"}`);
    }
  }
}

/** Waits for the end of whatever Heat does with it; undefined where it is gone. */
export async function settled(api: Openstack, stack: HeatStack, limits: Limits): Promise<HeatStack | undefined> {
  for (const end = Date.now() + limits.seconds * 1_000; ; await pause(limits.pollMs)) {
    const now = await stackNow(api, stack);
    if (now === undefined || !now.stack_status.endsWith("_IN_PROGRESS")) return now;
    if (Date.now() > end) throw new CloudError("timeout", `stack ${stack.stack_name} is still ${now.stack_status} after ${limits.seconds} s`);
  }
}

const pause = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));
