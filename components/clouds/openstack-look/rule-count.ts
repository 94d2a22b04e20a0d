import type { GridConfig } from "../../config/grid-config";

/** Rules of both security groups: what Neutron puts into every group, the grid's own, and what is declared. */
export function countRules(config: GridConfig): number {
  const egress = 2 * 2;
  const master = config.ssh.allowFrom.length + 3;
  const workers = 3;
  const declared = config.firewall.reduce((n, rule) => n + rule.from.length, 0);
  return egress + master + workers + declared;
}
