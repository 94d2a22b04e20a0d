import type { GridConfig } from "../../config/grid-config";
import { formatSizeMiB } from "../../policy/sizes";
import type { Flavor } from "../openstack-facts";
import type { Asking } from "./asking";
import { volumeGiB } from "./boot-image";
import type { Ipv6 } from "./ipv6";
import type { Ours } from "./ours";

type ComputeLimits = Readonly<Partial<Record<"maxTotalInstances" | "maxTotalCores" | "maxTotalRAMSize" | "maxTotalKeypairs" | "totalInstancesUsed" | "totalCoresUsed" | "totalRAMUsed", number>>>;
type VolumeLimits = Readonly<Partial<Record<"maxTotalVolumes" | "totalVolumesUsed" | "maxTotalVolumeGigabytes" | "totalGigabytesUsed", number>>>;
type NetworkQuota = Readonly<Record<string, { readonly limit: number; readonly used: number; readonly reserved?: number } | undefined>>;

interface Room {
  /** What people call it, in the plural. */
  readonly what: string;
  /** Option of `openstack quota set`. */
  readonly option: string;
  readonly limit: number | undefined;
  readonly used: number | undefined;
  readonly ours: number;
  readonly needed: number;
  readonly shown?: (n: number) => string;
  /** The key that asks for so many. */
  readonly path: string;
  readonly value?: string;
  /** What one worker costs, where fewer workers help. */
  readonly perWorker?: number;
}

/** What the grid is going to need, as far as other looks have found it out. */
export interface Needs {
  readonly flavors: Promise<{ readonly master?: Flavor; readonly workers?: Flavor } | undefined>;
  readonly ours: Promise<Ours | undefined>;
  readonly ipv6: Promise<Ipv6 | undefined>;
  readonly securityGroupRules: number;
}

/** What is full already or too small for `workers.max`; only what is not there yet counts. */
export async function checkQuotas(asking: Asking, config: GridConfig, { flavors, ours, ipv6, securityGroupRules }: Needs): Promise<void> {
  const { api, session } = asking;
  const volumes = config.openstack.bootVolume ? await asking.ask("identity", api.has("volume")) : undefined;
  if (volumes === false) asking.complain("grid.openstack.bootVolume", "true", "is not possible: the catalog has no volume service (Cinder)", "set it to false, and choose a flavor with a disk; or ask the cloud's administrator");
  const [compute, network, volume, keypairs, chosen, own, second] = await Promise.all([
    asking.ask("compute", api.get<{ limits: { absolute: ComputeLimits } }>("compute", "/limits")),
    asking.ask("network", api.find<{ quota: NetworkQuota }>("network", `/quotas/${session.projectId}/details`).then((found) => found ?? { quota: {} })),
    volumes === true ? asking.ask("volume", api.get<{ limits: { absolute: VolumeLimits } }>("volume", "/limits")) : undefined,
    asking.ask("compute", api.list<{ keypair: { name: string } }>("compute", "/os-keypairs", "keypairs")),
    flavors,
    ours,
    ipv6,
  ]);
  // Without knowing what is ours a second `up` would be refused for what the first one made.
  if (own === undefined) return;
  const rooms: Room[] = [];
  if (compute !== undefined) rooms.push(...computeRooms(config, compute.limits.absolute, chosen, own));
  if (compute !== undefined && keypairs !== undefined) {
    const names = keypairs.map((k) => k.keypair.name);
    rooms.push({ what: "key pairs", option: "key-pairs", limit: compute.limits.absolute.maxTotalKeypairs, used: names.length, ours: names.filter((n) => [...own.uids].some((uid) => n.includes(uid))).length > 0 ? 1 : 0, needed: 1, path: "openstack quota" });
  }
  if (network !== undefined) rooms.push(...networkRooms(config, network.quota, own, securityGroupRules, second?.pool !== undefined));
  if (volume !== undefined) {
    const { maxTotalVolumes, totalVolumesUsed, maxTotalVolumeGigabytes, totalGigabytesUsed } = volume.limits.absolute;
    // A master that boots from its flavor's disk, or has none yet, is about to get one.
    const there = own.servers.some((s) => (s["os-extended-volumes:volumes_attached"] ?? []).length > 0) ? 1 : 0;
    const gib = volumeGiB(config);
    rooms.push({ what: "volumes", option: "volumes", limit: maxTotalVolumes, used: totalVolumesUsed, ours: there, needed: 1, path: "grid.openstack.bootVolume", value: "true" });
    rooms.push({ what: "GiB of volumes", option: "gigabytes", limit: maxTotalVolumeGigabytes, used: totalGigabytesUsed, ours: there * gib, needed: gib, path: "grid.master.disk", value: formatSizeMiB(config.master.diskMiB) });
  }
  for (const room of rooms) complainOf(asking, config, room);
}

function computeRooms(config: GridConfig, limits: ComputeLimits, chosen: { readonly master?: Flavor; readonly workers?: Flavor } | undefined, own: Ours): Room[] {
  const { max } = config.workers;
  const same = { path: "grid.workers.max", value: String(max) };
  const rooms: Room[] = [{ ...same, what: "servers", option: "instances", limit: limits.maxTotalInstances, used: limits.totalInstancesUsed, ours: own.servers.length, needed: 1 + max, perWorker: 1 }];
  const { master, workers } = chosen ?? {};
  if (master === undefined || workers === undefined) return rooms;
  const sum = (of: "vcpus" | "ram"): number => own.servers.reduce((n, s) => n + (s.flavor?.[of] ?? 0), 0);
  const cores = (f: Flavor): number => f.vcpus;
  const memory = (f: Flavor): number => f.memoryMiB;
  rooms.push({ ...same, what: "vcpus", option: "cores", limit: limits.maxTotalCores, used: limits.totalCoresUsed, ours: sum("vcpus"), needed: cores(master) + max * cores(workers), perWorker: cores(workers) });
  rooms.push({ ...same, what: "memory", option: "ram", limit: limits.maxTotalRAMSize, used: limits.totalRAMUsed, ours: sum("ram"), needed: memory(master) + max * memory(workers), perWorker: memory(workers), shown: formatSizeMiB });
  return rooms;
}

function networkRooms(config: GridConfig, quota: NetworkQuota, own: Ours, securityGroupRules: number, ipv6: boolean): Room[] {
  const subnets = ipv6 ? 2 : 1;
  const room = (key: string, what: string, option: string, ours: number, needed: number, more: Partial<Room> = {}): Room => {
    const found = quota[key];
    return { what, option, limit: found?.limit, used: found === undefined ? undefined : found.used + (found.reserved ?? 0), ours, needed, path: "openstack quota", ...more };
  };
  const { max } = config.workers;
  return [
    room("network", "networks", "networks", own.networks, 1),
    room("subnet", "subnets", "subnets", own.subnets, subnets),
    room("router", "routers", "routers", own.routers, 1),
    // The router has one in each subnet; the DHCP server's, the master's.
    room("port", "ports", "ports", own.ports.size, subnets + 2 + max, { path: "grid.workers.max", value: String(max), perWorker: 1 }),
    ...(config.address === undefined ? [room("floatingip", "floating IPs", "floating-ips", own.floatingIps, 1, { path: "grid.address" })] : []),
    room("security_group", "security groups", "secgroups", own.securityGroups, 2),
    // Rules are counted with their groups: both are made together.
    ...(own.securityGroups >= 2 ? [] : [room("security_group_rule", "security group rules", "secgroup-rules", 0, securityGroupRules + (ipv6 ? 2 : 0))]),
  ];
}

function complainOf(asking: Asking, config: GridConfig, { what, option, limit, used, ours, needed, shown = String, path, value, perWorker }: Room): void {
  if (limit === undefined || limit < 0 || used === undefined) return;
  const others = Math.max(0, used - ours);
  if (others + needed <= limit) return;
  const { projectName } = asking.session;
  const spare = perWorker === undefined || perWorker === 0 ? 0 : config.workers.max - Math.ceil((others + needed - limit) / perWorker);
  const lower = spare >= Math.max(1, config.workers.min) ? `lower grid.workers.max to ${spare}, ` : "";
  const reuse = option === "floating-ips" ? "name one that the project has in grid.address, " : "";
  const ourPart = ours > 0 ? `, ${shown(Math.min(ours, used))} of it by this grid` : "";
  asking.complain(
    path,
    value,
    `quota of ${what} exceeded: the grid needs ${shown(needed)}, project ${projectName} may have ${shown(limit)} and uses ${shown(used)}${ourPart}`,
    `${lower}${reuse}${lower === "" && reuse === "" ? "remove what is not needed, " : ""}or ask the cloud's administrator for at least ${shown(others + needed)} (\`openstack quota set --${option} ${others + needed} ${projectName}\`)`,
  );
}
