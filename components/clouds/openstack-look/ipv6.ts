import { isCloudError } from "../../errors";
import type { GridConfig } from "../../config/grid-config";
import type { Asking } from "./asking";
import type { FoundNetwork } from "./networks";
import { parseMark } from "./ours";

interface SubnetPool {
  readonly id: string;
  readonly name: string;
  readonly project_id: string;
  readonly shared: boolean;
  readonly is_default: boolean;
  readonly ip_version: number;
  /** Numbers as texts. */
  readonly min_prefixlen: string | number;
  readonly max_prefixlen: string | number;
  readonly address_scope_id?: string | null;
}

interface Subnet {
  readonly ip_version: number;
  readonly subnetpool_id?: string | null;
  readonly description?: string | null;
}

export interface Ipv6 {
  /** Undefined: IPv4 only. */
  readonly pool?: string;
  /** What the project lacks, where the external network has IPv6. */
  readonly note?: string;
}

/** What guests can make addresses in by themselves. */
export const IPV6_PREFIX = 64;

/**
 * The default subnet pool that gives the private network a prefix of its own, where the external network has IPv6: such a prefix is routed,
 * and needs no NAT. A grid that has one keeps it, whatever pool is the default later. Undefined where something could not be asked.
 */
export async function findIpv6(asking: Asking, config: GridConfig, network: Promise<FoundNetwork | undefined>, stack: string): Promise<Ipv6 | undefined> {
  if (!config.openstack.ipv6) return {};
  const { api, session } = asking;
  const [way, subnets, pools] = await Promise.all([
    network,
    asking.ask("network", api.list<Subnet>("network", "/subnets", "subnets", { query: { project_id: session.projectId, ip_version: 6 } })),
    asking.ask("network", api.list<SubnetPool>("network", "/subnetpools", "subnetpools", { query: { is_default: true, ip_version: 6 } }).catch(noPools)),
  ]);
  if (way === undefined || subnets === undefined || pools === undefined) return undefined;
  const kept = subnets.find((s) => s.ip_version === 6 && parseMark(s.description)?.stack === stack)?.subnetpool_id;
  if (typeof kept === "string") return { pool: kept };
  if (way.ipv6 === "no") return {};
  // An administrator sees everybody's.
  const usable = pools.filter((p) => (p.shared || p.project_id === session.projectId) && Number(p.min_prefixlen) <= IPV6_PREFIX && Number(p.max_prefixlen) >= IPV6_PREFIX);
  const pool = usable.find((p) => (p.address_scope_id ?? null) === way.ipv6Scope);
  if (pool !== undefined) return { pool: pool.id };
  if (way.ipv6 === "perhaps") return {};
  const { name } = way.externalNetwork;
  const lack =
    usable[0] === undefined
      ? `project ${session.projectName} sees no default IPv6 subnet pool that gives a /${IPV6_PREFIX}`
      : `the default IPv6 subnet pool ${usable[0].name} is of another address scope, so that nothing would be routed`;
  const fix = `ask the cloud's administrator for one (\`openstack subnet pool create --default --share --default-prefix-length ${IPV6_PREFIX} --pool-prefix PREFIX NAME\`${way.ipv6Scope === null ? "" : `, with --address-scope ${way.ipv6Scope}`}), or set grid.openstack.ipv6 to false`;
  return { note: `the external network ${name} has IPv6, but the grid gets IPv4 only: ${lack}; ${fix}` };
}

/** A network service that knows no pools has none. */
function noPools(e: unknown): readonly SubnetPool[] {
  if (isCloudError(e, "not-found")) return [];
  throw e;
}
