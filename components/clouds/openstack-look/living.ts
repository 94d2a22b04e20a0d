import type { GridConfig } from "../../config/grid-config";
import { planNetwork } from "../../policy/addresses";
import type { LivingMaster, Replacing } from "../../policy/master-changes";
import { gridNames } from "../../policy/names";
import { condorPort, enrolmentPort } from "../../policy/ports";
import { formatSizeMiB } from "../../policy/sizes";
import { IDENTITY_KEY } from "../openstack-marks";
import type { Flavor } from "../openstack-facts";
import type { Asking } from "./asking";
import { volumeGiB } from "./boot-image";
import { parseMark, type DescriptionMark } from "./ours";

interface Subnet {
  readonly name: string;
  readonly cidr: string;
  readonly ip_version: number;
  readonly description?: string | null;
}

interface Group {
  readonly name: string;
  readonly description?: string | null;
  readonly security_group_rules?: readonly Rule[];
}

interface Rule {
  readonly direction?: string;
  readonly protocol?: string | null;
  readonly port_range_min?: number | null;
  readonly port_range_max?: number | null;
}

interface Master {
  readonly id: string;
  readonly name: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Empty text where it boots from a volume. */
  readonly image?: { readonly id?: string } | "";
  /** Embedded since nova's microversion 2.47. */
  readonly flavor?: { readonly disk?: number };
  readonly "os-extended-volumes:volumes_attached"?: ReadonlyArray<{ readonly id: string }>;
}

interface Volume {
  readonly size: number;
  readonly volume_image_metadata?: { readonly image_id?: string; readonly image_name?: string };
}

/** Whether a mark is of an object of the grid that is asked about; by the name that the object has where that is how it is found. */
export type IsGrids = (mark: DescriptionMark, name: string) => boolean;

/** What the program would boot the master from. */
export interface Wanted {
  readonly flavor?: Flavor;
  /** Id of the image of a boot volume, where it is known. */
  readonly bootImage?: string;
}

/**
 * The deployed master and what of the configuration would replace its server, and the disk with it; undefined where nothing of the grid is
 * there. A flavor is changed in place, but nova shrinks no disk; image and boot volume are chosen when a server is made.
 */
export async function livingOpenstack(
  asking: Asking,
  config: GridConfig,
  wanted: Promise<Wanted | undefined>,
  isGrids: IsGrids,
): Promise<LivingMaster | undefined> {
  const { api, session } = asking;
  const own = { query: { project_id: session.projectId } };
  const [subnets, groups, servers] = await Promise.all([
    asking.ask("network", api.list<Subnet>("network", "/subnets", "subnets", own)),
    asking.ask("network", api.list<Group>("network", "/security-groups", "security_groups", own)),
    asking.ask("compute", api.list<Master>("compute", "/servers/detail", "servers")),
  ]);
  const marked = (mark: DescriptionMark | undefined, name: string): boolean => mark !== undefined && isGrids(mark, name);
  const subnet = subnets?.find((s) => s.ip_version === 4 && marked(parseMark(s.description), s.name));
  // Only the master's server has a mark with a name: the members of the group have none.
  const master = servers?.find((s) => marked(parseMark(s.metadata?.[IDENTITY_KEY]), s.name));
  const group = groups?.find((g) => {
    const mark = parseMark(g.description);
    return mark?.logicalName.endsWith("-master") === true && marked(mark, g.name);
  });
  if (subnet === undefined && master === undefined) return undefined;
  const gridName = nameOf(master?.name, subnet?.name, config.name);
  const port = sshPortOf(group, config);
  return {
    ...(master === undefined ? {} : { holder: { what: "server", name: master.name, id: master.id } }),
    ...(gridName === undefined ? {} : { gridName }),
    ...(subnet === undefined ? {} : { cidr: subnet.cidr }),
    ...(port === undefined ? {} : { sshPort: port }),
    replacing: master === undefined ? [] : await replacingOf(asking, config, master, await wanted, subnet?.cidr === planNetwork(config.network.cidr).cidr),
  };
}

/** Somebody may have renamed one of them by hand: only what both say is the grid's name. */
function nameOf(master: string | undefined, subnet: string | undefined, wanted: string): string | undefined {
  const names = gridNames(wanted);
  if (master === undefined || subnet === undefined || master === names.master || subnet === names.network) return undefined;
  const [first, second] = [master.replace(/-master$/, ""), subnet.replace(/-network$/, "")];
  return first === second ? first : undefined;
}

/** Of the ports that its group opens the one that nothing else explains; undefined where ssh is among them, or nothing can be said. */
function sshPortOf(group: Group | undefined, config: GridConfig): number | undefined {
  const rules = (group?.security_group_rules ?? []).filter((r) => r.direction === "ingress" && r.protocol === "tcp");
  const open = rules.filter((r) => r.port_range_min === r.port_range_max).flatMap((r) => r.port_range_min ?? []);
  if (open.includes(config.ssh.port)) return undefined;
  const explained = new Set([53, enrolmentPort, condorPort, ...config.firewall.flatMap((r) => r.ports?.first ?? [])]);
  const left = [...new Set(open.filter((p) => !explained.has(p)))];
  return left.length === 1 ? left[0] : undefined;
}

async function replacingOf(asking: Asking, config: GridConfig, master: Master, wanted: Wanted | undefined, sameRange: boolean): Promise<Replacing[]> {
  const { bootVolume } = config.openstack;
  const [attached] = master["os-extended-volumes:volumes_attached"] ?? [];
  const fromVolume = master.image === "" || (master.image === undefined && attached !== undefined);
  if (fromVolume !== bootVolume) {
    const why = "a server keeps the kind of its boot disk";
    return [{ path: "grid.openstack.bootVolume", wanted: String(bootVolume), now: String(fromVolume), why, keep: `set it to ${String(fromVolume)}` }];
  }
  const asked = fromVolume && attached !== undefined ? asking.api.find<{ volume: Volume }>("volume", `/volumes/${attached.id}`) : undefined;
  const volume = asked === undefined ? undefined : (await asking.ask("volume", asked))?.volume;
  const disk = otherDisk(config, master, volume, wanted);
  // Which image a volume shall have is only known while all else of it is as it was.
  const bootImage = sameRange && disk.length === 0 ? wanted?.bootImage : undefined;
  return [...(await otherImage(asking, config, master, volume, bootImage)), ...disk];
}

/** By name a new image of the same name is no change; by id it is, and a volume is made from an id. */
async function otherImage(
  asking: Asking,
  config: GridConfig,
  master: Master,
  volume: Volume | undefined,
  bootImage: string | undefined,
): Promise<Replacing[]> {
  const { name, uuid } = config.image;
  const now = volume?.volume_image_metadata?.image_id ?? (typeof master.image === "object" ? master.image.id : undefined);
  if (now === undefined || now === (uuid ?? bootImage)) return [];
  const glance = (): Promise<{ name?: string | null } | undefined> => asking.ask("image", asking.api.find<{ name?: string | null }>("image", `/images/${now}`));
  const called = volume?.volume_image_metadata?.image_name ?? (await glance())?.name ?? undefined;
  // An image that is deleted has no name any more: what it was called the engine's state knows, and the engine compares.
  if (uuid === undefined && (called === undefined || called === name) && (volume === undefined || bootImage === undefined)) return [];
  const keep = uuid === undefined && called !== undefined && called !== name ? `name ${called} again` : `set grid.image.uuid to ${now}`;
  const path = uuid === undefined ? "grid.image.name" : "grid.image.uuid";
  const shown = called === undefined ? now : `${called} (${now})`;
  return [{ path, wanted: uuid ?? name ?? "", now: shown, why: "a server boots from one image", keep }];
}

function otherDisk(config: GridConfig, master: Master, volume: Volume | undefined, wanted: Wanted | undefined): Replacing[] {
  const path = "grid.master.disk";
  const said = formatSizeMiB(config.master.diskMiB);
  if (volume !== undefined) {
    if (volume.size === volumeGiB(config)) return [];
    const now = `${volume.size} GiB`;
    return [{ path, wanted: said, now, why: "a boot volume keeps its size while its server lives", keep: `set it to "${now}"` }];
  }
  const has = master.flavor?.disk ?? 0;
  const will = wanted?.flavor?.diskGiB ?? has;
  if (will >= has) return [];
  const why = `flavor ${wanted?.flavor?.name} has a disk of ${will} GiB, and a disk can only grow`;
  return [{ path, wanted: said, now: `${has} GiB`, why, keep: `set it to "${has} GiB" or more` }];
}
