import type { GridConfig } from "../config/grid-config";
import { planNetwork, type NetworkPlan } from "../policy/addresses";
import { poolDomain } from "../policy/names";
import { lines, type GuestNetwork } from "./guest-file";

/** The enrolment server looks up a caller's MAC here. */
export const leasesFile = "/var/lib/misc/dnsmasq.leases";
/** Name servers of the outside, as the public card's DHCP gave them; absent where it gave none. */
export const upstreamFile = "/run/elastigrid/upstream.conf";

/** Names for the private network, and DHCP where the cloud gives none. Names of the pool and private addresses are answered at once, never asked upstream. */
export function dnsmasqConfig(config: GridConfig, network: GuestNetwork): string {
  const plan = planNetwork(config.network.cidr);
  const domain = poolDomain(config.name);
  return lines(
    "# Written by elastigrid.",
    `listen-address=127.0.0.1,${plan.masterAddress}`,
    "bind-dynamic",
    ...(network.servesDhcp ? [] : dhcp(plan)),
    `domain=${domain}`,
    `local=/${domain}/`,
    "bogus-priv",
    "domain-needed",
    `resolv-file=${upstreamFile}`,
  );
}

const dhcp = (plan: NetworkPlan): string[] => [
  `dhcp-range=${plan.dhcpFirst},${plan.dhcpLast},${plan.netmask},${plan.leaseSeconds}s`,
  "# All of the range: limits of the group may change without a word to the master.",
  "dhcp-lease-max=65536",
  `dhcp-leasefile=${leasesFile}`,
  "dhcp-authoritative",
  "dhcp-rapid-commit",
  "# Nobody else lends addresses here: looking whether one is taken would cost each worker a second or more.",
  "no-ping",
  `dhcp-option=option:router,${plan.masterAddress}`,
  `dhcp-option=option:dns-server,${plan.masterAddress}`,
];
