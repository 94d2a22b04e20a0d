import { isFailed, markMember, readGroup, type GroupMember } from "./heat";
import { serversById, type NovaServer } from "./nova";
import type { Openstack } from "./api";
import { settled, type HeatStack } from "./stacks";

const KEPT = "elastigrid: it runs, and nobody has drained it";

/**
 * Brings a group into a state in which an update touches no worker that runs, and says how many members it has; undefined where the
 * stack is gone. Heat would begin a second update over a first one, and with any update it takes away all members that it holds for
 * failed: so it waits, and marks healthy whoever runs. A worker that the controller has drained gets its mark again from there.
 */
export async function steadyGroup(api: Openstack, stack: HeatStack, group: string, limits: { readonly pollMs: number; readonly seconds: number }): Promise<number | undefined> {
  if ((await settled(api, stack, limits)) === undefined) return undefined;
  const found = await readGroup(api, stack, group);
  if (found === undefined) return undefined;
  const members = found.members.filter((m) => !m.status.startsWith("DELETE_"));
  const doubtful = members.filter((m): m is GroupMember & { serverId: string } => isFailed(m.status) && m.serverId !== undefined);
  const servers = await serversById(api, doubtful.map((m) => m.serverId));
  const dead = doubtful.filter((m) => !runs(servers.get(m.serverId)));
  if (found.nested !== undefined)
    for (const m of doubtful.filter((d) => !dead.includes(d))) {
      // Heat takes only this kind of failure back.
      if (m.status !== "CHECK_FAILED") await markMember(api, found.nested, m.resource, true, KEPT);
      await markMember(api, found.nested, m.resource, false, KEPT);
    }
  return members.length - dead.length - members.filter((m) => isFailed(m.status) && m.serverId === undefined).length;
}

/** Members that there are, whatever is the matter with them; undefined where the stack is gone. Reads only. */
export async function groupSize(api: Openstack, stack: HeatStack, group: string): Promise<number | undefined> {
  return (await readGroup(api, stack, group))?.members.filter((m) => !m.status.startsWith("DELETE_")).length;
}

const runs = (s: NovaServer | undefined): boolean => s !== undefined && !["ERROR", "DELETED", "SOFT_DELETED"].includes(s.status) && s["OS-EXT-STS:task_state"] !== "deleting";
