import type { GridConfig } from "../../config/grid-config";
import { gridNames } from "../../policy/names";
import type { Asking } from "./asking";

/** What `description` of an object of ours says; `stack` is `project/stack` of the program. */
export interface DescriptionMark {
  readonly gridUid: string;
  readonly logicalName: string;
  readonly stack?: string;
}

/** `elastigrid:UID/LOGICAL NAME#DIGEST`, and ` of PROJECT/STACK` where it says so. */
export function parseMark(description: string | null | undefined): DescriptionMark | undefined {
  const match = /elastigrid:([0-9a-z-]+)\/([^#\s]+)#[0-9a-f]{8}(?: of (\S+))?/.exec(description ?? "");
  if (match === null) return undefined;
  const [, gridUid = "", logicalName = "", stack] = match;
  return { gridUid, logicalName, ...(stack === undefined ? {} : { stack }) };
}

interface Named {
  readonly id: string;
  readonly name: string;
  readonly description?: string | null;
}

interface Port extends Named {
  readonly network_id: string;
}

interface Server {
  readonly id: string;
  readonly name: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly "os-extended-volumes:volumes_attached"?: ReadonlyArray<{ readonly id: string }>;
  /** Embedded since nova's microversion 2.47, before that an id. */
  readonly flavor?: { readonly vcpus?: number; readonly ram?: number };
}

/** The objects of this stack that are there already: they count as used, but are not needed again. */
export interface Ours {
  readonly uids: ReadonlySet<string>;
  readonly networks: number;
  readonly subnets: number;
  readonly routers: number;
  readonly securityGroups: number;
  readonly floatingIps: number;
  /** Ids: those on the grid's network, whoever made them. */
  readonly ports: ReadonlySet<string>;
  readonly servers: readonly Server[];
}

const neutron = ["networks", "subnets", "routers", "security-groups", "floatingips", "ports"] as const;
type Kind = (typeof neutron)[number];

/** Looks for what this stack has made before, and complains about its names on what is not of this stack. */
export async function findOurs(asking: Asking, config: GridConfig, stack: string): Promise<Ours | undefined> {
  const { api, session } = asking;
  const fields = (kind: Kind): readonly string[] => ["id", "name", "description", ...(kind === "ports" ? ["network_id"] : [])].filter((f) => !(kind === "floatingips" && f === "name"));
  const [lists, servers] = await Promise.all([
    Promise.all(neutron.map((kind) => asking.ask("network", api.list<Port>("network", `/${kind}`, kind.replace("-", "_"), { query: { project_id: session.projectId, fields: fields(kind) } })))),
    asking.ask("compute", api.list<Server>("compute", "/servers/detail", "servers")),
  ]);
  if (servers === undefined || lists.some((l) => l === undefined)) return undefined;
  const of = (kind: Kind): readonly Port[] => lists[neutron.indexOf(kind)] ?? [];

  const names = new Set<string>([...Object.values(gridNames(config.name)), `${config.name}-router`, `${config.name}-workers`]);
  const uids = new Set<string>();
  const taken: string[] = [];
  for (const kind of ["networks", "routers", "security-groups"] as const) {
    for (const object of of(kind).filter((o) => names.has(o.name))) {
      const mark = parseMark(object.description);
      // A mark that names no stack cannot tell two stacks of one name apart.
      if (mark !== undefined && (mark.stack === undefined || mark.stack === stack)) uids.add(mark.gridUid);
      else taken.push(`${kind.slice(0, -1).replace("-", " ")} ${object.name} (${object.id}${mark?.stack === undefined ? "" : `, of stack ${mark.stack}`})`);
    }
  }
  // After a change of the name all that is there still has the old one.
  for (const kind of neutron) for (const { description } of of(kind)) {
    const mark = parseMark(description);
    if (mark?.stack === stack) uids.add(mark.gridUid);
  }
  const isOurs = (o: Named): boolean => uids.has(parseMark(o.description)?.gridUid ?? "");
  const isOurServer = (s: Server): boolean => uids.has(s.metadata?.["elastigrid-grid"] ?? "");
  for (const server of servers.filter((s) => names.has(s.name) && !isOurServer(s))) taken.push(`server ${server.name} (${server.id})`);
  if (taken.length > 0) asking.complain("grid.name", config.name, `gives names that are taken by something not of this stack: ${taken.join(", ")}`, "choose another name, or remove them");

  const count = (kind: Kind): number => of(kind).filter(isOurs).length;
  const networks = new Set(of("networks").filter(isOurs).map((n) => n.id));
  return {
    uids,
    networks: networks.size,
    subnets: count("subnets"),
    routers: count("routers"),
    securityGroups: count("security-groups"),
    floatingIps: count("floatingips"),
    ports: new Set(of("ports").filter((p) => networks.has(p.network_id) || isOurs(p)).map((p) => p.id)),
    servers: servers.filter(isOurServer),
  };
}
