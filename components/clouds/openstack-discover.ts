import type { GridConfig } from "../config/grid-config";
import type { Problem } from "../errors";
import type { Openstack } from "../openstack/api";
import type { OpenstackFacts } from "./openstack-facts";
import { findAlarms } from "./openstack-look/alarms";
import type { Asking } from "./openstack-look/asking";
import { findBootImage } from "./openstack-look/boot-image";
import { enter } from "./openstack-look/enter";
import { findFlavors, type ChosenFlavors } from "./openstack-look/flavors";
import { checkHeat } from "./openstack-look/heat";
import { findImage, findTypeImages, type ReadHead } from "./openstack-look/images";
import { findIpv6, type Ipv6 } from "./openstack-look/ipv6";
import type { ProjectsOf } from "./openstack-look/login";
import { findExternalNetwork, findFloatingIp } from "./openstack-look/networks";
import { findOurs, type Ours } from "./openstack-look/ours";

export interface LookScope {
  /** `project/stack` of the program: what is marked so is ours. */
  readonly stack: string;
  /** Name of the component `Grid`, where the program tells it. */
  readonly grid?: string;
  /** Where relative paths begin: the folder of Pulumi.yaml. */
  readonly projectRoot?: string;
}

/** Replaced by tests. */
export interface LookParts {
  readonly readHead?: ReadHead;
  readonly projectsOf?: ProjectsOf;
  readonly nowMs?: () => number;
}

export interface Discovered {
  /** There unless something that it needs is wrong. */
  readonly facts?: OpenstackFacts;
  readonly problems: readonly Problem[];
}

/** What the adapter must know of a cloud, or why it cannot: reads only, all at once. */
export async function discoverOpenstack(api: Openstack, config: GridConfig, scope: LookScope = { stack: "" }, parts: LookParts = {}): Promise<Discovered> {
  const { asking, problems } = await enter(api, parts.projectsOf);
  if (asking === undefined) return { problems };
  const facts = await look(asking, config, scope, parts).facts;
  return { ...(facts === undefined ? {} : { facts }), problems };
}

export interface Look {
  readonly facts: Promise<OpenstackFacts | undefined>;
  /** What other checks need as well. */
  readonly flavors: Promise<ChosenFlavors | undefined>;
  readonly ours: Promise<Ours | undefined>;
  readonly ipv6: Promise<Ipv6 | undefined>;
}

/** Begins all reads. */
export function look(asking: Asking, config: GridConfig, scope: LookScope, parts: LookParts): Look {
  const ours = findOurs(asking, config, scope.stack);
  const flavors = findFlavors(asking, config);
  const network = findExternalNetwork(asking, config);
  const ipv6 = findIpv6(asking, config, network, scope.stack);
  const heatTypes = checkHeat(asking);
  const facts = (async (): Promise<OpenstackFacts | undefined> => {
    const { api, session } = asking;
    const [authUrl, way, second, floatingIp, image, typeImages, bootImage, chosen, alarms] = await Promise.all([
      asking.ask("identity", api.endpoint("identity")),
      network,
      ipv6,
      findFloatingIp(asking, config, network, ours),
      findImage(asking, config, scope.projectRoot || process.cwd(), parts.readHead),
      findTypeImages(asking, config),
      findBootImage(asking, config, ours),
      flavors,
      findAlarms(asking, config, heatTypes),
    ]);
    if (authUrl === undefined || way === undefined || second === undefined || image === undefined || typeImages === undefined || chosen?.master === undefined || chosen.workers === undefined || alarms === undefined) return undefined;
    if (config.address !== undefined && floatingIp === undefined) return undefined;
    const types: Record<string, NonNullable<OpenstackFacts["types"]>[string]> = {};
    for (const { name } of config.workers.types ?? []) {
      const flavor = chosen.types[name], own = typeImages[name];
      if (flavor === undefined) return undefined;
      types[name] = { flavor, ...(own === undefined ? {} : { image: own }) };
    }
    const { region } = api.settings;
    return {
      projectId: session.projectId,
      userId: session.userId,
      ...(region === undefined ? {} : { region }),
      authUrl,
      externalNetwork: way.externalNetwork,
      dnsServers: way.dnsServers,
      ...(second.pool === undefined ? {} : { ipv6Pool: second.pool }),
      ...image,
      ...(bootImage === undefined ? {} : { bootImage }),
      flavors: { master: chosen.master, workers: chosen.workers },
      ...(config.workers.types === undefined ? {} : { types }),
      ...(floatingIp === undefined ? {} : { floatingIp }),
      ...alarms,
      notes: [...(second.note === undefined ? [] : [second.note]), ...alarms.notes],
    };
  })();
  return { facts, flavors, ours, ipv6 };
}
