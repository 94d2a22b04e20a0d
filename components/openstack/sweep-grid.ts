import { CloudError, isCloudError } from "../errors";
import type { Openstack } from "./api";
import { removeCredentials } from "./credentials";
import { removeVolumes } from "./volumes";
import { removeStack, stackPrefix, stacksNamed } from "./stacks";

export interface SweepScope {
  readonly gridUid: string;
  readonly scope: "stacks" | "all";
}

interface Limits {
  readonly pollMs: number;
  readonly seconds: number;
}
const LIMITS: Limits = { pollMs: 1_000, seconds: 300 };

interface Marked {
  readonly id: string;
  readonly description?: string | null;
}

/** Removes everything that carries the grid's mark, in the order in which OpenStack lets go of it. Nothing without the mark is touched. */
export async function sweepGrid(api: Openstack, { gridUid, scope }: SweepScope, limits: Limits = LIMITS): Promise<void> {
  // An empty one would be everybody's.
  if (gridUid === "") throw new CloudError("invalid", "a sweep needs the grid's uid");
  for (const stack of await stacksNamed(api, (name) => name.startsWith(stackPrefix(gridUid)))) await removeStack(api, stack, limits);
  await sweepServers(api, gridUid, scope, limits);
  if (scope === "stacks") return;
  await removeVolumes(api, (mark) => mark.startsWith(`elastigrid:${gridUid}/`), limits);
  const { projectId } = await api.session();
  const marked = async <T extends Marked>(kind: string): Promise<readonly T[]> =>
    (await api.list<T>("network", `/${kind}`, kind.replaceAll("-", "_"), { query: { project_id: projectId } })).filter((o) => o.description?.startsWith(`elastigrid:${gridUid}/`) === true);
  const remove = async (kind: string): Promise<void> => {
    for (const o of await marked(kind)) await letGo(() => api.delete("network", `/${kind}/${o.id}`), limits);
  };
  await remove("floatingips");
  await remove("ports");
  for (const router of await marked("routers")) {
    const ports = await api.list<{ fixed_ips: readonly { subnet_id: string }[] }>("network", "/ports", "ports", { query: { device_id: router.id } });
    for (const { subnet_id } of ports.flatMap((p) => p.fixed_ips)) {
      await letGo(() => api.put("network", `/routers/${router.id}/remove_router_interface`, { subnet_id }).catch((e: unknown) => {
        if (!isCloudError(e, "not-found")) throw e; // the gateway's port is no interface
      }), limits);
    }
    await letGo(() => api.delete("network", `/routers/${router.id}`), limits);
  }
  for (const kind of ["subnets", "networks", "security-groups"]) await remove(kind);
  for (const image of (await api.list<Marked>("image", "/images", "images", { query: { owner: projectId } })).filter((i) => i.description?.startsWith(`elastigrid:${gridUid}/`) === true)) await api.delete("image", `/images/${image.id}`);
  const keys = await api.list<{ keypair: { name: string } }>("compute", "/os-keypairs", "keypairs");
  for (const { keypair } of keys.filter((k) => k.keypair.name.includes(gridUid))) await api.delete("compute", `/os-keypairs/${encodeURIComponent(keypair.name)}`);
  await sweepCredentials(api, gridUid);
}

/** The master carries an identity of its own: it is the engine's as long as only stacks are swept. */
async function sweepServers(api: Openstack, gridUid: string, scope: SweepScope["scope"], limits: Limits): Promise<void> {
  const ours = async (): Promise<readonly { id: string; metadata?: Record<string, string> }[]> =>
    (await api.list<{ id: string; metadata?: Record<string, string> }>("compute", "/servers/detail", "servers")).filter((s) => s.metadata?.["elastigrid-grid"] === gridUid && (scope === "all" || s.metadata["elastigrid-id"] === undefined));
  for (const server of await ours()) await api.delete("compute", `/servers/${server.id}`);
  for (const end = Date.now() + limits.seconds * 1_000; (await ours()).length > 0; await pause(limits.pollMs))
    if (Date.now() > end) throw new CloudError("timeout", `${(await ours()).length} servers of the grid are still there ${limits.seconds} s after they were deleted`);
}

async function sweepCredentials(api: Openstack, gridUid: string): Promise<void> {
  try {
    await removeCredentials(api, (name) => name.includes(gridUid));
  } catch (e) {
    // Logged in with an application credential that may not see others: then it could not have made one either.
    if (!isCloudError(e, "auth")) throw e;
  }
}

/** Ports and addresses are let go a moment after their server: a conflict is asked again until the limit. */
async function letGo(work: () => Promise<unknown>, limits: Limits): Promise<void> {
  for (const end = Date.now() + limits.seconds * 1_000; ; await pause(limits.pollMs)) {
    try {
      await work();
      return;
    } catch (e) {
      if (!isCloudError(e, "wrong-state") || Date.now() > end) throw e;
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));
