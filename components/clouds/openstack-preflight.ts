import type { GridConfig } from "../config/grid-config";
import type { Openstack } from "../openstack/api";
import { judgeChanges, type JudgedChanges } from "../policy/master-changes";
import { gridNames } from "../policy/names";
import { ingressRules } from "../policy/security-groups";
import type { OpenstackFacts } from "./openstack-facts";
import { look, type Discovered, type LookParts, type LookScope } from "./openstack-discover";
import { enter } from "./openstack-look/enter";
import { checkApisAreOutside, checkRoom } from "./openstack-look/networks";
import { livingOpenstack, type IsGrids } from "./openstack-look/living";
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
  const wanted = Promise.all([found, flavors]).then(([f, chosen]) => ({ ...(chosen?.master === undefined ? {} : { flavor: chosen.master }), ...bootImageOf(f) }));
  const [facts, notes, , , living] = await Promise.all([
    found,
    checkRights(asking, (parts.nowMs ?? Date.now)()),
    checkApisAreOutside(asking, config),
    checkQuotas(asking, config, { flavors, ours, ipv6, securityGroupRules: countRules(config) }),
    // By stack and name, so that all problems come at once; the grid itself looks again by its uid.
    livingOpenstack(asking, config, wanted, (mark, name) =>
      mark.stack === scope.stack &&
      (scope.grid === undefined ? namesOf(config).includes(name) : logicalNames(`${scope.grid}-master`, `${scope.grid}-network`).includes(mark.logicalName))),
  ]);
  if (living !== undefined) asking.problems.push(...judgeChanges(living, config).problems);
  const ignored = config.network.vlan === undefined ? [] : ["grid.network.vlan means nothing on OpenStack: the network is the grid's own"];
  return { ...(facts === undefined ? {} : { facts: { ...facts, notes: [...ignored, ...notes, ...facts.notes] } }), problems };
}

/** Of what a living grid is known by: server, subnet, the master's security group. */
export const logicalNames = (master: string, network: string): readonly string[] => [`${master}-server`, `${network}-subnet`, `${network}-master`];

/** Of server and security group, and of the subnet. */
const namesOf = (config: GridConfig): readonly string[] => [gridNames(config.name).master, gridNames(config.name).network];

const bootImageOf = (facts: OpenstackFacts | undefined): { readonly bootImage?: string } => {
  const id = facts?.bootImage ?? facts?.image?.id;
  return id === undefined ? {} : { bootImage: id };
};

/** What a living grid of this uid cannot take. Throws where the cloud cannot be asked. */
export async function openstackChanges(api: Openstack, config: GridConfig, facts: OpenstackFacts, isGrids: IsGrids): Promise<JudgedChanges> {
  const { asking, problems } = await enter(api);
  const living = asking === undefined ? undefined : await livingOpenstack(asking, config, Promise.resolve({ flavor: facts.flavors.master, ...bootImageOf(facts) }), isGrids);
  const judged = living === undefined ? { problems: [], notes: [] } : judgeChanges(living, config);
  return { problems: [...problems, ...judged.problems], notes: judged.notes };
}

/** Of both security groups: what Neutron puts into every new one, and the grid's own, one for each range. */
function countRules(config: GridConfig): number {
  const { master, workers } = ingressRules(config);
  return 2 * EGRESS_RULES + [...master, ...workers].reduce((n, rule) => n + rule.from.length, 0);
}

/** IPv4 and IPv6 to everywhere. */
const EGRESS_RULES = 2;
