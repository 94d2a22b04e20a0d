import { formatCidr, parseCidr } from "../policy/addresses";
import { fromYaml } from "./yaml";

/** What the user data of a master say of its grid. */
export interface ReadBack {
  readonly cidr?: string;
  readonly sshPort?: number;
}

interface Written {
  readonly path?: unknown;
  readonly content?: unknown;
}

/**
 * Reads a deployed master's settings out of its own user data, whichever version wrote them; what is not found is left out. Written by
 * `masterFiles`: the two belong together.
 */
export function readBack(userData: string): ReadBack {
  const files = filesIn(userData);
  const find = (path: string, pattern: RegExp): string | undefined => pattern.exec(files.get(path) ?? "")?.[1];
  const port = find("/etc/ssh/sshd_config.d/10-elastigrid.conf", /^Port (\d+)$/m);
  const range = parseCidr(find("/usr/local/sbin/elastigrid-network", /^ip address replace (\S+) dev/m) ?? "");
  return { ...(port === undefined ? {} : { sshPort: Number(port) }), ...(range === undefined ? {} : { cidr: formatCidr(range) }) };
}

function filesIn(userData: string): ReadonlyMap<string, string> {
  let parsed: unknown;
  try {
    parsed = fromYaml(userData);
  } catch {
    return new Map(); // somebody else's text
  }
  const { write_files: written } = (typeof parsed === "object" && parsed !== null ? parsed : {}) as { readonly write_files?: unknown };
  const rows = (Array.isArray(written) ? written : []) as readonly (Written | null)[];
  return new Map(rows.flatMap((f) => (typeof f?.path === "string" && typeof f.content === "string" ? [[f.path, f.content] as const] : [])));
}
