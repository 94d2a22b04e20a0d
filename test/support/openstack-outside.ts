import type { LabProject } from "./openstack-lab";

/** An external network with both families, and a default IPv6 subnet pool, that only one project sees: others run beside it. */
export interface Outside {
  readonly name: string;
  /** Of the network's IPv6 subnet. */
  readonly prefix: string;
  /** Id. */
  readonly pool: string;
  /** The pool is no default any more. */
  noDefault(): Promise<void>;
  close(): Promise<void>;
}

const PREFIX = "2001:db8:1:";

/** As the lab's administrator. The project must be empty when it is closed. */
export async function openOutside({ admin, api, name }: LabProject): Promise<Outside> {
  const undo: Array<() => Promise<void>> = [];
  const close = async (): Promise<void> => {
    for (const back of undo.reverse()) await back();
  };
  const make = async <T extends string>(kind: T, path: string, body: object): Promise<string> => {
    const made = await admin.call<Record<T, { id: string }>>("network", "POST", path, { [kind]: body });
    return made[kind].id;
  };
  try {
    const network = await make("network", "/v2.0/networks", { name: `${name}-outside` });
    undo.push(() => admin.delete("network", `/v2.0/networks/${network}`));
    // Before the network is external: a new subnet changes the routers of all who use it.
    await make("subnet", "/v2.0/subnets", { network_id: network, ip_version: 4, cidr: "198.51.100.0/24", enable_dhcp: false });
    await make("subnet", "/v2.0/subnets", { network_id: network, ip_version: 6, cidr: `${PREFIX}:/64`, enable_dhcp: false });
    const rule = await make("rbac_policy", "/v2.0/rbac-policies", { object_type: "network", object_id: network, action: "access_as_external", target_tenant: api.projectId });
    undo.push(() => admin.delete("network", `/v2.0/rbac-policies/${rule}`));
    // There can be one default in a cloud; what a run that was killed has left would be in the way.
    const { subnetpools } = await admin.get<{ subnetpools: { id: string; name: string }[] }>("network", "/v2.0/subnetpools?is_default=true&ip_version=6");
    for (const old of subnetpools.filter((p) => p.name.startsWith("ipv6-"))) await admin.call("network", "PUT", `/v2.0/subnetpools/${old.id}`, { subnetpool: { is_default: false } });
    const pool = await make("subnetpool", "/v2.0/subnetpools", { name: `${name}-prefixes`, prefixes: ["2001:db8:4000::/48"], default_prefixlen: 64, is_default: true, shared: false, project_id: api.projectId });
    undo.push(() => admin.delete("network", `/v2.0/subnetpools/${pool}`));
    return {
      name: `${name}-outside`, prefix: PREFIX, pool, close,
      noDefault: async () => void (await admin.call("network", "PUT", `/v2.0/subnetpools/${pool}`, { subnetpool: { is_default: false } })),
    };
  } catch (e) {
    await close();
    throw e;
  }
}
