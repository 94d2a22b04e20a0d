import { CloudError, isCloudError } from "../errors";
import type { Openstack } from "./api";
import { removeCredentials } from "./credentials";
import { removeStack, stacksNamed } from "./stacks";
import { removeVolumes } from "./volumes";

/** Kinds of things that a lost create may have made. Neutron's are named as in its paths. */
export type LostKind =
  | "networks" | "subnets" | "routers" | "security-groups" | "security-group-rules" | "ports" | "floatingips"
  | "router interface" | "keypair" | "server" | "stack" | "application credential" | "image";

type Inputs = Readonly<Record<string, unknown>>;
const text = (inputs: Inputs, key: string): string => (typeof inputs[key] === "string" ? (inputs[key] as string) : "");

interface Limits {
  readonly pollMs: number;
  readonly seconds: number;
}
const LIMITS: Limits = { pollMs: 1_000, seconds: 300 };

/**
 * Removes what a create whose answer was lost may have made: known by the mark in its description or metadata, or by a name that
 * holds the grid's uid. Whether there was anything. Nothing without a mark is ever touched.
 */
export async function removeLost(api: Openstack, kind: LostKind | undefined, inputs: Inputs, limits: Limits = LIMITS): Promise<boolean> {
  switch (kind) {
    case undefined:
      return false;
    case "router interface":
      return removeInterface(api, text(inputs, "routerId"), text(inputs, "subnetId"));
    case "keypair":
      return text(inputs, "name") !== "" && api.delete("compute", `/os-keypairs/${encodeURIComponent(text(inputs, "name"))}`);
    case "server":
      return removeServers(api, inputs, limits);
    case "stack": {
      const found = await stacksNamed(api, (name) => name === text(inputs, "name"));
      for (const stack of found) await removeStack(api, stack, limits);
      return found.length > 0;
    }
    case "application credential":
      return removeCredentials(api, (name) => name === text(inputs, "name"));
    case "image": {
      const { projectId } = await api.session();
      const found = await api.list<{ id: string; description?: string; owner: string }>("image", "/images", "images", { query: { name: text(inputs, "name"), owner: projectId } });
      const mark = (inputs["properties"] as Record<string, unknown> | undefined)?.["description"];
      return removeAll(found.filter((i) => i.description !== undefined && i.description === mark).map((i) => () => api.delete("image", `/images/${i.id}`)));
    }
    default:
      return removeMarked(api, kind, text(inputs, "description"));
  }
}

/** By what a thing of this kind is known again; undefined where it is known by others' ids only. */
export function markIn(kind: LostKind, inputs: Inputs): string | undefined {
  switch (kind) {
    case "router interface":
      return undefined;
    case "server":
      return String((inputs["metadata"] as Record<string, unknown> | undefined)?.["elastigrid-id"] ?? "");
    case "image":
      return String((inputs["properties"] as Record<string, unknown> | undefined)?.["description"] ?? "");
    case "keypair": case "stack": case "application credential":
      return text(inputs, "name");
    default:
      return text(inputs, "description");
  }
}

/** The marks of all things of a kind that the project has. */
export async function listMarks(api: Openstack, kind: LostKind): Promise<ReadonlySet<string>> {
  const { projectId, userId } = await api.session();
  switch (kind) {
    case "router interface":
      return new Set();
    case "server":
      return new Set((await api.list<{ metadata?: Record<string, string> }>("compute", "/servers/detail", "servers")).map((s) => s.metadata?.["elastigrid-id"] ?? ""));
    case "image":
      return new Set((await api.list<{ description?: string }>("image", "/images", "images", { query: { owner: projectId } })).map((i) => i.description ?? ""));
    case "keypair":
      return new Set((await api.list<{ keypair: { name: string } }>("compute", "/os-keypairs", "keypairs")).map((k) => k.keypair.name));
    case "stack":
      return new Set((await stacksNamed(api, () => true)).map((s) => s.stack_name));
    case "application credential":
      return new Set((await api.list<{ name: string }>("identity", `/users/${userId}/application_credentials`, "application_credentials")).map((c) => c.name));
    default:
      return new Set((await api.list<{ description?: string | null }>("network", `/${kind}`, kind.replaceAll("-", "_"), { query: { project_id: projectId } })).map((o) => o.description ?? ""));
  }
}

async function removeAll(deletes: ReadonlyArray<() => Promise<boolean>>): Promise<boolean> {
  for (const remove of deletes) await remove();
  return deletes.length > 0;
}

async function removeMarked(api: Openstack, kind: string, description: string): Promise<boolean> {
  if (!description.startsWith("elastigrid:")) return false;
  const { projectId } = await api.session();
  const found = await api.list<{ id: string; description?: string }>("network", `/${kind}`, kind.replaceAll("-", "_"), { query: { description, project_id: projectId } });
  return removeAll(found.filter((o) => o.description === description).map((o) => () => api.delete("network", `/${kind}/${o.id}`)));
}

async function removeInterface(api: Openstack, routerId: string, subnetId: string): Promise<boolean> {
  if (routerId === "" || subnetId === "") return false;
  const ports = await api.list<{ fixed_ips: readonly { subnet_id: string }[] }>("network", "/ports", "ports", { query: { device_id: routerId } });
  if (!ports.some((p) => p.fixed_ips.some((f) => f.subnet_id === subnetId))) return false;
  try {
    await api.put("network", `/routers/${routerId}/remove_router_interface`, { subnet_id: subnetId });
  } catch (e) {
    if (!isCloudError(e, "not-found")) throw e;
  }
  return true;
}

async function removeServers(api: Openstack, inputs: Inputs, limits: Limits): Promise<boolean> {
  const mark = (inputs["metadata"] as Record<string, unknown> | undefined)?.["elastigrid-id"];
  if (typeof mark !== "string" || mark === "") return false;
  const ours = async (): Promise<readonly { id: string }[]> =>
    (await api.list<{ id: string; metadata?: Record<string, string> }>("compute", "/servers/detail", "servers")).filter((s) => s.metadata?.["elastigrid-id"] === mark);
  const found = await ours();
  for (const server of found) await api.delete("compute", `/servers/${server.id}`);
  // Its port is free only when it is gone.
  for (const end = Date.now() + limits.seconds * 1_000; (await ours()).length > 0; await new Promise((r) => setTimeout(r, limits.pollMs)))
    if (Date.now() > end) throw new CloudError("timeout", `server ${found[0]?.id} is still there ${limits.seconds} s after it was deleted`);
  const volumes = inputs["blockDevices"] !== undefined && (await removeVolumes(api, (m) => m === mark, limits));
  return volumes || found.length > 0;
}
