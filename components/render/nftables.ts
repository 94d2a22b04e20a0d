import type { FirewallRule, GridConfig } from "../config/grid-config";
import { planNetwork, withoutCovered } from "../policy/addresses";
import { condorPort, enrolmentPort } from "../policy/ports";
import { lines } from "./guest-file";

/** Where the master's first-boot script writes which card is which. */
export const nicDefinitions = "/etc/elastigrid/nics.nft";

/**
 * The master's rules: from outside only ssh and what is declared; from the private network HTCondor, enrolment, DHCP and
 * names; workers reach the outside through it.
 */
export function masterNftables(config: GridConfig): string {
  const { cidr } = planNetwork(config.network.cidr);
  return lines(
    "#!/usr/sbin/nft -f",
    "# Written by elastigrid.",
    `include "${nicDefinitions}"`,
    ...fresh,
    "table inet elastigrid {",
    "  chain input {",
    "    type filter hook input priority filter; policy drop;",
    ...always,
    `    iifname $public tcp dport ${config.ssh.port} ip saddr ${set(config.ssh.allowFrom)} accept comment "ssh"`,
    `    iifname $private ip saddr ${cidr} tcp dport { ${enrolmentPort}, ${condorPort} } accept comment "enrolment and HTCondor"`,
    `    iifname $private ip saddr ${cidr} meta l4proto { tcp, udp } th dport 53 accept comment "names"`,
    `    iifname $private udp sport 68 udp dport 67 accept comment "DHCP"`,
    `    iifname $private ip saddr ${cidr} icmp type echo-request accept`,
    ...declared(config.firewall, "master"),
    "  }",
    "  chain forward {",
    "    type filter hook forward priority filter; policy drop;",
    "    ct state established,related accept",
    `    iifname $private oifname $public ip saddr ${cidr} accept comment "workers to the outside"`,
    "  }",
    "  chain postrouting {",
    "    type nat hook postrouting priority srcnat; policy accept;",
    `    oifname $public ip saddr ${cidr} masquerade`,
    "  }",
    "}",
  );
}

/** A worker's rules: only the master gets in, and what is declared. */
export function workerNftables(config: GridConfig): string {
  const { cidr, masterAddress } = planNetwork(config.network.cidr);
  return lines(
    "#!/usr/sbin/nft -f",
    "# Written by elastigrid.",
    ...fresh,
    "table inet elastigrid {",
    "  chain input {",
    "    type filter hook input priority filter; policy drop;",
    ...always,
    `    ip saddr ${masterAddress} tcp dport { 22, ${condorPort} } accept comment "ssh and HTCondor"`,
    `    ip saddr ${cidr} icmp type echo-request accept`,
    ...declared(config.firewall, "workers"),
    "  }",
    "}",
  );
}

/** Replaces the table in one transaction, whether it exists or not; rules of others (a container engine's) stay. */
const fresh = ["table inet elastigrid {}", "delete table inet elastigrid"] as const;

const always = ["    ct state established,related accept", "    ct state invalid drop", '    iif "lo" accept'] as const;

function declared(rules: readonly FirewallRule[], to: FirewallRule["to"]): string[] {
  return rules
    .filter((r) => r.to === to)
    .map((r) => `    ip saddr ${set(r.from)} ${matchOf(r)} accept comment "${r.name}"`);
}

function matchOf(rule: FirewallRule): string {
  if (rule.protocol === "icmp") return "icmp type echo-request";
  const { first, last } = rule.ports ?? { first: 1, last: 65_535 };
  return `${rule.protocol} dport ${first === last ? first : `${first}-${last}`}`;
}

const anyone = "0.0.0.0/0";

/** A set without what another of its members covers: nft refuses overlapping ranges. */
function set(ranges: readonly string[]): string {
  return ranges.includes(anyone) ? anyone : `{ ${withoutCovered(ranges).join(", ")} }`;
}
