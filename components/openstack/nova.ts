import { isCloudError } from "../errors";
import type { Openstack } from "./api";

/** A server as nova shows it. */
export interface NovaServer {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly created: string;
  readonly "OS-SRV-USG:launched_at"?: string | null;
  readonly "OS-EXT-STS:task_state"?: string | null;
  readonly addresses?: Readonly<Record<string, ReadonlyArray<{ readonly addr: string; readonly version: number; readonly "OS-EXT-IPS:type"?: string; readonly "OS-EXT-IPS-MAC:mac_addr"?: string }>>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fault?: { readonly message?: string };
}

/** Those of the servers that exist, by id. Which of them are missing is asked one by one: no list is believed about what is not in it. */
export async function serversById(api: Openstack, ids: readonly string[]): Promise<ReadonlyMap<string, NovaServer>> {
  if (ids.length === 0) return new Map();
  const found = new Map<string, NovaServer>();
  const one = async (id: string): Promise<void> => {
    const server = await serverNow(api, id);
    if (server !== undefined) found.set(id, server);
  };
  // A few are asked for directly: the list is that of the whole project.
  if (ids.length > 3) for (const s of await api.list<NovaServer>("compute", "/servers/detail", "servers")) if (ids.includes(s.id)) found.set(s.id, s);
  await Promise.all(ids.filter((id) => !found.has(id)).map(one));
  return found;
}

/** The server, or undefined where nova says that there is none. */
export async function serverNow(api: Openstack, id: string): Promise<NovaServer | undefined> {
  return (await api.find<{ server: NovaServer }>("compute", `/servers/${encodeURIComponent(id)}`))?.server;
}

export const macsOf = (s: NovaServer): readonly string[] =>
  [...new Set(Object.values(s.addresses ?? {}).flat().flatMap((a) => a["OS-EXT-IPS-MAC:mac_addr"] ?? []))].map((m) => m.toLowerCase());

/** The last lines of a server's console; undefined where the cloud has none. */
export async function consoleTail(api: Openstack, id: string, lines: number): Promise<string | undefined> {
  try {
    const { output } = await api.post<{ output?: string }>("compute", `/servers/${encodeURIComponent(id)}/action`, { "os-getConsoleOutput": { length: lines } });
    return output === undefined || output.trim() === "" ? undefined : output.trimEnd();
  } catch (e) {
    // 409 while it is being built, 501 where the hypervisor has none
    if (isCloudError(e, "not-found") || isCloudError(e, "wrong-state") || (isCloudError(e) && e.status === 501)) return undefined;
    throw e;
  }
}
