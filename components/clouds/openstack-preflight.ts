import type { GridConfig } from "../config/grid-config";
import type { Openstack } from "../openstack/api";
import { ingressRules } from "../policy/security-groups";
import { look, type Discovered, type LookParts, type LookScope } from "./openstack-discover";
import { enter } from "./openstack-look/enter";
import { checkApisAreOutside, checkRoom } from "./openstack-look/networks";
import { checkSameRange } from "./openstack-look/range";
import { checkQuotas } from "./openstack-look/quotas";
import { checkRights } from "./openstack-look/rights";

/**
 * All that can be known to fail, before anything is made, and what the adapter needs to know. Reads only, all at once; a
 * read that fails is a problem of its own and hides only the checks that need it.
 */
export async function preflightOpenstack(api: Openstack, config: GridConfig, scope: LookScope, parts: LookParts = {}): Promise<Discovered> {
  const { asking, problems } = await enter(api, parts.projectsOf);
  if (asking === undefined) return { problems };
  checkRoom(asking, config);
  const { facts: found, flavors, ours, ipv6 } = look(asking, config, scope, parts);
  const [facts, notes] = await Promise.all([
    found,
    checkRights(asking, (parts.nowMs ?? Date.now)()),
    checkApisAreOutside(asking, config),
    checkQuotas(asking, config, { flavors, ours, ipv6, securityGroupRules: countRules(config) }),
    checkSameRange(asking, config, scope.stack),
  ]);
  const ignored = config.network.vlan === undefined ? [] : ["grid.network.vlan means nothing on OpenStack: the network is the grid's own"];
  return { ...(facts === undefined ? {} : { facts: { ...facts, notes: [...ignored, ...notes, ...facts.notes] } }), problems };
}

/** Of both security groups: what Neutron puts into every new one, and the grid's own, one for each range. */
function countRules(config: GridConfig): number {
  const { master, workers } = ingressRules(config);
  return 2 * EGRESS_RULES + [...master, ...workers].reduce((n, rule) => n + rule.from.length, 0);
}

/** IPv4 and IPv6 to everywhere. */
const EGRESS_RULES = 2;
