import { CloudError, isCloudError } from "../errors";
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

/** What of a server is not as the API says; undefined where it can be worked with. */
function serverProblem(s: unknown): string | undefined {
  const server = s as Partial<NovaServer> | null | undefined;
  if (typeof server !== "object" || server === null) return "no object";
  for (const key of ["id", "name", "status"] as const) if (typeof server[key] !== "string" || server[key] === "") return `${key} is no text`;
  const { addresses } = server;
  if (addresses !== undefined && (typeof addresses !== "object" || addresses === null || Object.values(addresses).some((rows) => !Array.isArray(rows) || rows.some((r: unknown) => typeof r !== "object" || r === null)))) return "addresses is no map of lists";
  return undefined;
}

/**
 * Those of the servers that exist, by id. Which of them are missing is asked one by one: no list is believed about what is not in it.
 * An answer that cannot be read goes into `unreadable`, with the reason; without it, it is an error.
 */
export async function serversById(api: Openstack, ids: readonly string[], unreadable?: Map<string, string>): Promise<ReadonlyMap<string, NovaServer>> {
  if (ids.length === 0) return new Map();
  const found = new Map<string, NovaServer>();
  const one = async (id: string): Promise<void> => {
    try {
      const server = await serverNow(api, id);
      if (server !== undefined) found.set(id, server);
    } catch (e) {
      if (unreadable === undefined || !isCloudError(e) || e.status !== 0 || e.ambiguous) throw e;
      unreadable.set(id, e.message);
    }
  };
  // A few are asked for directly: the list is that of the whole project.
  if (ids.length > 3) for (const s of await api.list<NovaServer>("compute", "/servers/detail", "servers")) if (serverProblem(s) === undefined && ids.includes(s.id)) found.set(s.id, s);
  await Promise.all(ids.filter((id) => !found.has(id)).map(one));
  return found;
}

/** The server, or undefined where nova says that there is none. */
export async function serverNow(api: Openstack, id: string): Promise<NovaServer | undefined> {
  const found = await api.find<{ server?: NovaServer } | null>("compute", `/servers/${encodeURIComponent(id)}`);
  if (found === undefined) return undefined;
  const problem = serverProblem(found?.server) ?? (found?.server?.id === id ? undefined : `it is about ${found?.server?.id}`);
  if (problem !== undefined) throw new CloudError("transient", `nova's answer about server ${id} cannot be read (${problem})`);
  return found?.server;
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
