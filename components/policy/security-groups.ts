import type { GridConfig } from "../config/grid-config";
import { planNetwork, withoutCovered } from "./addresses";
import { condorPort, enrolmentPort } from "./ports";

/** Who may reach what: the cloud's security groups and the guests' nftables are both made from these. */
export interface IngressRule {
  /** For people: a comment in nftables, the description in a security group. */
  readonly name: string;
  readonly protocol: "tcp" | "udp" | "icmp";
  /** Left out for icmp (echo requests, of the ranges' family). */
  readonly ports?: { readonly first: number; readonly last: number };
  /** Ranges of either family, none of which covers another: nft refuses overlapping ones, and neutron would hold idle rules. */
  readonly from: readonly string[];
  /** Where a guest has a card for each side, the rule holds on that card; else on any. */
  readonly side?: "inside" | "outside";
}

export interface IngressRules {
  readonly master: readonly IngressRule[];
  readonly workers: readonly IngressRule[];
}

const port = (n: number): { first: number; last: number } => ({ first: n, last: n });

/**
 * The master answers ssh and what is declared to the outside; HTCondor, enrolment, names and ping to its own network. A worker answers
 * the master, ping of its own network, and what is declared. All else is closed.
 * By IPv6 nothing is open but what is declared for IPv6 ranges: the grid itself uses IPv4.
 */
export function ingressRules(config: GridConfig): IngressRules {
  const { cidr, masterAddress } = planNetwork(config.network.cidr);
  const inside = { from: [cidr], side: "inside" } as const, master = [`${masterAddress}/32`];
  const declared = (to: "master" | "workers"): IngressRule[] =>
    config.firewall.filter((r) => r.to === to).map((r) => ({
      name: r.name, protocol: r.protocol, ...(r.protocol === "icmp" ? {} : { ports: r.ports ?? { first: 1, last: 65_535 } }), from: withoutCovered(r.from),
    }));
  return {
    master: [
      { name: "ssh", protocol: "tcp", ports: port(config.ssh.port), from: withoutCovered(config.ssh.allowFrom), side: "outside" },
      { name: "enrolment", protocol: "tcp", ports: port(enrolmentPort), ...inside },
      { name: "HTCondor", protocol: "tcp", ports: port(condorPort), ...inside },
      { name: "names", protocol: "tcp", ports: port(53), ...inside },
      { name: "names", protocol: "udp", ports: port(53), ...inside },
      { name: "ping", protocol: "icmp", ...inside },
      ...declared("master"),
    ],
    workers: [
      { name: "ssh", protocol: "tcp", ports: port(22), from: master },
      { name: "HTCondor", protocol: "tcp", ports: port(condorPort), from: master },
      { name: "ping", protocol: "icmp", ...inside },
      ...declared("workers"),
    ],
  };
}
