import type { GridConfig } from "../../config/grid-config";
import type { Service } from "../../openstack/api";
import { containsAddress, hostCount, overlaps, parseAddress, parseCidr } from "../../policy/addresses";
import { resembling } from "../../policy/names";
import type { OpenstackFacts } from "../openstack-facts";
import { inService, type Asking } from "./asking";
import type { Ours } from "./ours";

interface Network {
  readonly id: string;
  readonly name: string;
  readonly status?: string;
  readonly admin_state_up?: boolean;
  readonly subnets?: readonly string[];
  readonly "router:external"?: boolean;
  /** IPv6 addresses of another scope are not routed to it. */
  readonly ipv6_address_scope?: string | null;
}

interface Subnet {
  readonly ip_version: number;
  readonly cidr: string;
  readonly dns_nameservers?: readonly string[];
}

export interface FoundNetwork extends Pick<OpenstackFacts, "externalNetwork" | "dnsServers"> {
  /** Ordinary users see how many subnets it has, but not of which kind. */
  readonly ipv6: "yes" | "no" | "perhaps";
  readonly ipv6Scope: string | null;
}

/** The way out: the network that is named, else the only external one; with what the project may see of its subnets. */
export async function findExternalNetwork(asking: Asking, config: GridConfig): Promise<FoundNetwork | undefined> {
  const { api } = asking;
  const listed = await asking.ask("network", api.list<Network>("network", "/networks", "networks", { query: { "router:external": true } }));
  if (listed === undefined) return undefined;
  const network = await chooseNetwork(asking, listed, config.openstack.externalNetwork);
  if (network === undefined) return undefined;
  const path = config.openstack.externalNetwork === undefined ? inService("network") : "grid.openstack.externalNetwork";
  if (network.admin_state_up === false) return asking.complain(path, network.name, "is an external network that is switched off", "ask the cloud's administrator, or name another in grid.openstack.externalNetwork");
  if (network.subnets?.length === 0) return asking.complain(path, network.name, "is an external network without a subnet, so it gives out no floating IP", "ask the cloud's administrator, or name another in grid.openstack.externalNetwork");
  // Ordinary users often do not see an external network's subnets; then nothing is known of them.
  const subnets = await asking.ask("network", api.list<Subnet>("network", "/subnets", "subnets", { query: { network_id: network.id } }));
  if (subnets === undefined) return undefined;
  const own = parseCidr(config.network.cidr);
  for (const subnet of subnets) {
    const cidr = parseCidr(subnet.cidr);
    if (own !== undefined && cidr !== undefined && overlaps(own, cidr)) asking.complain("grid.network.cidr", config.network.cidr, `overlaps the external network ${network.name} (${subnet.cidr})`, "choose another private range");
  }
  const dnsServers = config.openstack.dnsServers ?? subnets.filter((s) => s.ip_version === 4).flatMap((s) => s.dns_nameservers ?? []);
  const ipv6Scope = network.ipv6_address_scope ?? null;
  return { externalNetwork: { id: network.id, name: network.name }, dnsServers: [...new Set(dnsServers)], ipv6: hasIpv6(network, subnets), ipv6Scope };
}

/** One subnet is IPv4: floating IPs come from it. */
function hasIpv6(network: Network, seen: readonly Subnet[]): FoundNetwork["ipv6"] {
  if (typeof network.ipv6_address_scope === "string" || seen.some((s) => s.ip_version === 6)) return "yes";
  return (network.subnets?.length ?? 0) > Math.max(1, seen.length) ? "perhaps" : "no";
}

async function chooseNetwork(asking: Asking, external: readonly Network[], wanted: string | undefined): Promise<Network | undefined> {
  const path = "grid.openstack.externalNetwork";
  const listed = external.map((n) => `${n.name} (${n.id})`).join(", ");
  if (wanted === undefined) {
    if (external.length > 1) return asking.complain(path, undefined, `is needed, because the project sees ${external.length} external networks: ${listed}`, "set it to one of them");
    return external[0] ?? asking.complain(inService("network"), undefined, "has no external network that this project sees, so there is no way out and no floating IP", "ask the cloud's administrator for one (`openstack network create --external`, or an RBAC rule access_as_external for this project)");
  }
  const found = external.filter((n) => n.id === wanted);
  if (found.length === 0) found.push(...external.filter((n) => n.name === wanted));
  if (found.length > 1) return asking.complain(path, wanted, `is the name of ${found.length} external networks`, `set it to an id: ${found.map((n) => n.id).join(", ")}`);
  if (found[0] !== undefined) return found[0];
  const same = await asking.ask("network", asking.api.list<Network>("network", "/networks", "networks", { query: { name: wanted } }));
  if (same === undefined) return undefined;
  const near = resembling(wanted, external.map((n) => n.name));
  const fix = external.length === 0 ? "ask the cloud's administrator for an external network" : near.length > 0 ? `near names: ${near.join(", ")}` : `external are: ${listed}`;
  return asking.complain(path, wanted, same.length > 0 ? "is a network, but not an external one (router:external)" : "is no external network that this project sees", fix);
}

interface FloatingIp {
  readonly id: string;
  readonly floating_ip_address: string;
  readonly floating_network_id: string;
  readonly port_id: string | null;
}

/** The floating IP that `grid.address` names: of this project, on the external network, and not somebody else's. */
export async function findFloatingIp(asking: Asking, config: GridConfig, network: Promise<FoundNetwork | undefined>, ours: Promise<Ours | undefined>): Promise<OpenstackFacts["floatingIp"]> {
  const wanted = config.address;
  if (wanted === undefined) return undefined;
  const { api, session } = asking;
  const [listed, external, own] = await Promise.all([asking.ask("network", api.list<FloatingIp>("network", "/floatingips", "floatingips", { query: { project_id: session.projectId } })), network, ours]);
  if (listed === undefined) return undefined;
  const found = listed.find((ip) => ip.floating_ip_address === wanted);
  const free = listed.filter((ip) => ip.port_id === null).map((ip) => ip.floating_ip_address);
  const choose = free.length > 0 ? `free are: ${free.join(", ")}; or leave it out, so that one is allocated` : "leave it out, so that one is allocated";
  if (found === undefined) return asking.complain("grid.address", wanted, `is no floating IP of project ${session.projectName}`, choose);
  if (external !== undefined && found.floating_network_id !== external.externalNetwork.id) return asking.complain("grid.address", wanted, `belongs to another external network than ${external.externalNetwork.name}`, choose);
  if (found.port_id !== null && own !== undefined && !own.ports.has(found.port_id)) return asking.complain("grid.address", wanted, "is in use by another server", choose);
  return { id: found.id, address: found.floating_ip_address };
}

/** Beside master and workers, the router and Neutron's DHCP server have an address each. */
export function checkRoom(asking: Asking, config: GridConfig): void {
  const network = parseCidr(config.network.cidr);
  const { max } = config.workers;
  const needed = max + 3;
  if (network === undefined || hostCount(network) >= needed) return;
  asking.complain("grid.network.cidr", config.network.cidr, `has ${hostCount(network)} host addresses, but on OpenStack workers.max (${max}), the master, the router and the DHCP server need ${needed}`, "take a shorter prefix, or lower workers.max");
}

/** The master talks to the cloud's APIs: they must not lie in its own network. */
export async function checkApisAreOutside(asking: Asking, config: GridConfig): Promise<void> {
  const network = parseCidr(config.network.cidr);
  if (network === undefined) return;
  const services: readonly Service[] = ["identity", "orchestration", "compute"];
  const urls = await Promise.all(services.map(async (s) => ((await asking.ask("identity", asking.api.has(s))) === true ? asking.ask("identity", asking.api.endpoint(s)) : undefined)));
  const inside = urls.find((url) => {
    const address = url === undefined || !URL.canParse(url) ? undefined : parseAddress(new URL(url).hostname);
    return address !== undefined && containsAddress(network, address);
  });
  if (inside !== undefined) asking.complain("grid.network.cidr", config.network.cidr, `contains the cloud's own API (${new URL(inside).origin}), which the master could not reach`, "choose another private range");
}
