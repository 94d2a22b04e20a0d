import { networking } from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import type { GridConfig } from "../config/grid-config";
import { planNetwork } from "../policy/addresses";
import { gridNames } from "../policy/names";
import { isIpv6 } from "../policy/ranges6";
import { IPV6_PREFIX } from "./openstack-look/ipv6";
import { ingressRules, type IngressRule } from "../policy/security-groups";
import type { ChildOptions, NetworkHandle } from "./cloud";
import type { OpenstackFacts } from "./openstack-facts";
import { marker } from "./openstack-marks";

/** What master and workers attach to. */
export interface OpenstackNetwork extends NetworkHandle {
  readonly subnetId: pulumi.Output<string>;
  readonly groups: { readonly master: networking.SecGroup; readonly workers: networking.SecGroup };
  /** What must be there before anything talks to the outside, or to the metadata service. */
  readonly ways: readonly pulumi.Resource[];
}

/** Network, subnets, a router to the outside, and the security groups of master and workers. */
export function declareNetwork(name: string, spec: { config: GridConfig; gridUid: pulumi.Input<string>; facts: OpenstackFacts }, opts: ChildOptions): OpenstackNetwork {
  const { config, facts } = spec;
  const names = gridNames(config.name);
  const mark = marker(spec.gridUid);
  const plan = planNetwork(config.network.cidr);
  const network = new networking.Network(`${name}-network`, { name: names.network, adminStateUp: true, description: mark(`${name}-network`) }, opts);
  const subnet = new networking.Subnet(
    `${name}-subnet`,
    {
      name: names.network,
      description: mark(`${name}-subnet`, { cidr: plan.cidr }),
      networkId: network.id,
      cidr: plan.cidr,
      ipVersion: 4,
      // The first address is the master's on every cloud; so the router gets the last one.
      gatewayIp: plan.dhcpLast,
      allocationPools: [{ start: plan.dhcpFirst, end: plan.beforeLast }],
      dnsNameservers: [...facts.dnsServers],
    },
    // A grid of another range needs all addresses anew, and two subnets on one network would mix.
    { ...opts, deleteBeforeReplace: true },
  );
  const router = new networking.Router(`${name}-router`, { name: `${config.name}-router`, description: mark(`${name}-router`), adminStateUp: true, externalNetworkId: facts.externalNetwork.id }, opts);
  const way = new networking.RouterInterface(`${name}-interface`, { routerId: router.id, subnetId: subnet.id }, opts);
  const ways = [way];
  if (facts.ipv6Pool !== undefined) {
    const second = new networking.Subnet(
      `${name}-subnet6`,
      {
        name: `${names.network}-ipv6`,
        description: mark(`${name}-subnet6`, { pool: facts.ipv6Pool }),
        networkId: network.id,
        ipVersion: 6,
        subnetpoolId: facts.ipv6Pool,
        prefixLength: IPV6_PREFIX,
        // Neutron gives every port of the network an address made of its MAC, those that exist too; guests make the same by themselves.
        ipv6AddressMode: "slaac",
        ipv6RaMode: "slaac",
      },
      opts,
    );
    ways.push(new networking.RouterInterface(`${name}-interface6`, { routerId: router.id, subnetId: second.id }, opts));
  }
  const rules = ingressRules(config);
  const group = (role: "master" | "workers"): networking.SecGroup => {
    const made = new networking.SecGroup(`${name}-${role}`, { name: `${config.name}-${role}`, description: mark(`${name}-${role}`), deleteDefaultRules: false }, opts);
    for (const rule of rules[role]) for (const from of rule.from) declareRule(`${name}-${role}`, made, rule, from, mark, opts);
    if (facts.ipv6Pool !== undefined) {
      const logical = `${name}-${role}-router-advertisements`;
      new networking.SecGroupRule(
        logical,
        { securityGroupId: made.id, direction: "ingress", ethertype: "IPv6", protocol: "ipv6-icmp", portRangeMin: ROUTER_ADVERTISEMENT, portRangeMax: 0, remoteIpPrefix: "fe80::/10", description: mark(logical) },
        { ...opts, deletedWith: made },
      );
    }
    return made;
  };
  // By the interface's id: who attaches to the network waits for its way out.
  const id = pulumi.all([subnet.networkId, way.id]).apply(([networkId]) => networkId);
  return { id, resource: network, subnetId: subnet.id, groups: { master: group("master"), workers: group("workers") }, ways };
}

/**
 * Type in ICMPv6. Neutron lets those of its router in by itself, but on some clouds only to ports that come after the router's
 * interface; and it lets no port send any.
 */
const ROUTER_ADVERTISEMENT = 134;

/** Named by what it opens, so that a change of one rule touches no other. */
function declareRule(prefix: string, group: networking.SecGroup, rule: IngressRule, from: string, mark: ReturnType<typeof marker>, opts: ChildOptions): void {
  const ports = rule.ports === undefined ? "" : `-${rule.ports.first}${rule.ports.first === rule.ports.last ? "" : `-${rule.ports.last}`}`;
  const six = isIpv6(from);
  // The engine separates the parts of a name by colons.
  const logical = `${prefix}-${rule.protocol}${ports}-from-${from.replaceAll(":", ".")}`;
  // Of an echo request: type and code.
  const range = rule.ports === undefined ? { portRangeMin: six ? 128 : 8, portRangeMax: 0 } : { portRangeMin: rule.ports.first, portRangeMax: rule.ports.last };
  new networking.SecGroupRule(
    logical,
    { securityGroupId: group.id, direction: "ingress", ethertype: six ? "IPv6" : "IPv4", protocol: six && rule.protocol === "icmp" ? "ipv6-icmp" : rule.protocol, remoteIpPrefix: from, description: mark(logical), ...range },
    // The group takes its rules along: one by one they cost seconds each.
    { ...opts, deletedWith: group },
  );
}
