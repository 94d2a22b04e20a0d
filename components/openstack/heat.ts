import { CloudError, isCloudError } from "../errors";
import type { Openstack } from "./api";
import { stackPath, type HeatStack } from "./stacks";

/** Name and id, which together make a stack's path. */
export interface StackRef {
  readonly stack_name: string;
  readonly id: string;
}

export interface GroupStack extends HeatStack {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly creation_time: string;
  readonly updated_time?: string | null;
}

/** A member as Heat sees it; nova may know better. */
export interface GroupMember {
  /** Its name in the group's own stack. */
  readonly resource: string;
  /** Missing until nova has been asked for the server. */
  readonly serverId?: string;
  /** Such as `CREATE_COMPLETE` or `CHECK_FAILED`. */
  readonly status: string;
  readonly reason: string;
}

export interface HeatGroup {
  readonly stack: GroupStack;
  /** The stack inside that has the members; missing before Heat has made it. */
  readonly nested?: StackRef & { readonly stack_status: string; readonly stack_status_reason?: string | null };
  /** Status of the group in its stack: scaling signals are ignored while it is a failure. */
  readonly groupStatus: string;
  readonly members: readonly GroupMember[];
}

interface ResourceRow {
  readonly resource_name: string;
  readonly resource_type: string;
  readonly resource_status: string;
  readonly resource_status_reason?: string | null;
  readonly physical_resource_id?: string | null;
  readonly parent_resource?: string | null;
  readonly links?: ReadonlyArray<{ readonly rel: string; readonly href: string }>;
}

export const isBusy = (status: string | undefined): boolean => status?.endsWith("_IN_PROGRESS") === true;
export const isFailed = (status: string | undefined): boolean => status?.endsWith("_FAILED") === true;

/** The group of a stack with its members, or undefined where the stack is gone. Reads only. */
export async function readGroup(api: Openstack, ref: StackRef, group: string): Promise<HeatGroup | undefined> {
  const path = stackPath(ref);
  const [found, rows] = await Promise.all([
    api.find<{ stack: GroupStack }>("orchestration", path, { query: { resolve_outputs: false } }),
    api.find<{ resources: readonly ResourceRow[] }>("orchestration", `${path}/resources`, { query: { nested_depth: 1 } }),
  ]);
  if (found === undefined || rows === undefined) return undefined;
  if (typeof found?.stack?.stack_status !== "string" || !Array.isArray(rows?.resources) || rows.resources.some((r: unknown) => !isResource(r)))
    throw new CloudError("transient", `Heat's answer about ${ref.stack_name} cannot be read: it is no stack with its resources`);
  if (found.stack.stack_status === "DELETE_COMPLETE") return undefined;
  const own = rows.resources.find((r) => r.resource_name === group && (r.parent_resource ?? null) === null);
  const inner = nestedRef(own);
  const nested = inner === undefined ? undefined : await api.find<{ stack: HeatStack }>("orchestration", stackPath(inner), { query: { resolve_outputs: false } });
  return {
    stack: found.stack,
    ...(nested === undefined ? {} : { nested: nested.stack }),
    groupStatus: own?.resource_status ?? "",
    members: onceEach(rows.resources.filter((r) => r.parent_resource === group)).map((r) => ({
      resource: r.resource_name, status: r.resource_status, reason: r.resource_status_reason ?? "",
      ...(r.physical_resource_id ? { serverId: r.physical_resource_id } : {}),
    })),
  };
}

const isResource = (r: unknown): r is ResourceRow => {
  const row = r as Partial<ResourceRow> | null;
  return typeof row === "object" && typeof row?.resource_name === "string" && typeof row.resource_status === "string" && ["string", "undefined"].includes(typeof (row.physical_resource_id ?? undefined));
};

/** A list may overlap with itself. */
const onceEach = (rows: readonly ResourceRow[]): readonly ResourceRow[] => [...new Map(rows.map((r) => [`${r.resource_name}/${r.physical_resource_id ?? ""}`, r])).values()];

/** The group's own stack stands in its link; its name is nowhere else. */
function nestedRef(row: ResourceRow | undefined): StackRef | undefined {
  const href = row?.links?.find((l) => l.rel === "nested")?.href;
  const [, name, id] = /\/stacks\/([^/?]+)\/([^/?]+)$/.exec(href ?? "") ?? [];
  return name === undefined || id === undefined ? undefined : { stack_name: decodeURIComponent(name), id };
}

/**
 * `unhealthy`: the next update of the stack takes exactly this member away, or replaces it where the group would fall below its minimum.
 * Taking the mark back makes it an ordinary member again. It must be said to the group's own stack: the outer one does not know it.
 */
export async function markMember(api: Openstack, nested: StackRef, resource: string, unhealthy: boolean, reason: string): Promise<void> {
  await api.patch("orchestration", `${stackPath(nested)}/resources/${encodeURIComponent(resource)}`, { mark_unhealthy: unhealthy, resource_status_reason: reason });
}

export type UpdateAnswer = "accepted" | "busy" | "gone";

/** Updates a stack with its own template. Heat refuses while it is busy with it. */
export async function updateGroup(api: Openstack, ref: StackRef, parameters: Readonly<Record<string, string>>): Promise<UpdateAnswer> {
  try {
    await api.patch("orchestration", stackPath(ref), { existing: true, parameters });
    return "accepted";
  } catch (e) {
    if (isCloudError(e, "wrong-state")) return "busy";
    if (isCloudError(e, "not-found")) return "gone";
    throw e;
  }
}
