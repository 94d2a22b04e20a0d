import type { GridConfig } from "../config/grid-config";
import { planNetwork } from "../policy/addresses";
import { isIpv6 } from "../policy/ranges6";
import { enrolmentPort } from "../policy/ports";
import { ingressRules, type IngressRule } from "../policy/security-groups";
import { lines, type GuestNetwork } from "./guest-file";

/** Where the master's first-boot script writes which card is which. */
export const nicDefinitions = "/etc/elastigrid/nics.nft";

/**
 * The master's rules: from outside only ssh and what is declared; from the private network HTCondor, enrolment, names, and DHCP where the
 * master gives the addresses. There workers also reach the outside through it; else it has one card, and the cloud's router.
 */
export function masterNftables(config: GridConfig, network: GuestNetwork): string {
  const { cidr } = planNetwork(config.network.cidr);
  const rules = ingressRules(config).master;
  if (network.servesDhcp) return lines("#!/usr/sbin/nft -f", "# Written by elastigrid.", ...fresh, ...table([...ipv6Itself, ...rules.flatMap((r) => accept(r))]));
  return lines(
    "#!/usr/sbin/nft -f",
    "# Written by elastigrid.",
    `include "${nicDefinitions}"`,
    ...fresh,
    ...table(
      [...rules.flatMap((r) => accept(r, onCard(r))), `    iifname $private udp sport 68 udp dport 67 accept comment "DHCP"`, refuse(`iifname $private ip saddr ${cidr}`)],
      [
        "  chain forward {",
        "    type filter hook forward priority filter; policy drop;",
        "    ct state established,related accept",
        `    iifname $private oifname $public ip saddr ${cidr} accept comment "workers to the outside"`,
        "  }",
        "  chain postrouting {",
        "    type nat hook postrouting priority srcnat; policy accept;",
        `    oifname $public ip saddr ${cidr} masquerade`,
        "  }",
      ],
    ),
  );
}

/** A worker's rules: only the master gets in, and what is declared; jobs do not get at what this server alone may ask for. */
export const workerNftables = (config: GridConfig, network: GuestNetwork): string =>
  lines(
    "#!/usr/sbin/nft -f",
    "# Written by elastigrid.",
    ...fresh,
    ...table([...(network.servesDhcp ? ipv6Itself : []), ...ingressRules(config).workers.flatMap((r) => accept(r))], rootAlone(planNetwork(config.network.cidr).masterAddress)),
  );

/** A token is given by the server's address, which its jobs share; with it they could show a false worker and be given the jobs of others. */
const rootAlone = (masterAddress: string): string[] => [
  "  chain output {",
  "    type filter hook output priority filter; policy accept;",
  `    meta skuid != 0 ip daddr ${masterAddress} tcp dport ${enrolmentPort} reject with tcp reset comment "enrolment"`,
  '    meta skuid != 0 ip daddr 169.254.169.254 reject comment "the cloud\'s metadata"',
  '    meta skuid != 0 ip6 daddr fe80::a9fe:a9fe reject comment "the cloud\'s metadata"',
  "  }",
];

/** Silence would leave a worker that was cut off waiting for the end of a connection that the master has given up long ago. */
const refuse = (whom: string): string => `    ${whom} meta l4proto tcp reject with tcp reset comment "no such connection"`;

const table = (input: readonly string[], more: readonly string[] = []): string[] => [
  "table inet elastigrid {",
  "  chain input {",
  "    type filter hook input priority filter; policy drop;",
  ...always,
  ...input,
  "  }",
  ...more,
  "}",
];

/** Replaces the table in one transaction, whether it exists or not; rules of others (a container engine's) stay. */
const fresh = ["table inet elastigrid {}", "delete table inet elastigrid"] as const;

const always = ["    ct state established,related accept", "    ct state invalid drop", '    iif "lo" accept'] as const;

/**
 * Without these a host has no IPv6 address for long, and no neighbours. They come from its own link: a router would have lowered the hop limit.
 * Neutron lets neighbours in unasked, and where there is IPv6 the adapter has a rule for routers. Elsewhere guests have no IPv6.
 */
const ipv6Itself = [
  '    ip6 hoplimit 255 icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept comment "IPv6: routers and neighbours"',
  '    ip6 saddr fe80::/10 icmpv6 type mld-listener-query accept comment "IPv6: who listens"',
] as const;

/** A row for each family that the rule names. */
const accept = (rule: IngressRule, card = ""): string[] =>
  [false, true].flatMap((six) => {
    const from = rule.from.filter((range) => isIpv6(range) === six);
    return from.length === 0 ? [] : [`    ${card}${six ? "ip6" : "ip"} saddr ${set(from)} ${matchOf(rule, six)} accept comment "${rule.name}"`];
  });

const onCard = ({ side }: IngressRule): string => (side === undefined ? "" : side === "inside" ? "iifname $private " : "iifname $public ");

function matchOf(rule: IngressRule, six: boolean): string {
  if (rule.protocol === "icmp" || rule.ports === undefined) return `${six ? "icmpv6" : "icmp"} type echo-request`;
  const { first, last } = rule.ports;
  return `${rule.protocol} dport ${first === last ? first : `${first}-${last}`}`;
}

const set = (ranges: readonly string[]): string => (ranges.length === 1 ? ranges[0] ?? "" : `{ ${ranges.join(", ")} }`);
