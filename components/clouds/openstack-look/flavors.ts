import type { GridConfig, ServerSize } from "../../config/grid-config";
import { resembling } from "../../policy/names";
import { formatSizeMiB } from "../../policy/sizes";
import type { Asking } from "./asking";
import type { Flavor } from "../openstack-facts";

interface NovaFlavor {
  readonly id: string;
  readonly name: string;
  readonly ram: number;
  readonly vcpus: number;
  readonly disk: number;
  readonly "OS-FLV-DISABLED:disabled"?: boolean;
}

/** Of further worker types by name; a type without one was complained of. */
export interface ChosenFlavors {
  readonly master?: Flavor;
  readonly workers?: Flavor;
  readonly types: Readonly<Record<string, Flavor | undefined>>;
}

/** The flavor that is named, else the smallest that fits, for master and workers; for further worker types the smallest that fits. */
export async function findFlavors(asking: Asking, config: GridConfig): Promise<ChosenFlavors | undefined> {
  const listed = await asking.ask("compute", asking.api.list<NovaFlavor>("compute", "/flavors/detail", "flavors"));
  if (listed === undefined) return undefined;
  const flavors = listed
    .filter((f) => f["OS-FLV-DISABLED:disabled"] !== true)
    .map((f): Flavor => ({ id: f.id, name: f.name, vcpus: f.vcpus, memoryMiB: f.ram, diskGiB: f.disk }))
    .sort(bySize);
  const volume = config.openstack.bootVolume;
  const { types = [] } = config.workers;
  return {
    master: chooseFlavor(asking, "master", config.master, flavors, config.openstack.masterFlavor, volume),
    workers: chooseFlavor(asking, "workers", config.workers, flavors, config.openstack.workersFlavor, false),
    types: Object.fromEntries(types.map((t) => [t.name, chooseFlavor(asking, `workers.types.${t.name}`, t, flavors, undefined, false)])),
  };
}

function chooseFlavor(asking: Asking, role: string, size: ServerSize, flavors: readonly Flavor[], named: string | undefined, fromVolume: boolean): Flavor | undefined {
  const wanted: ServerSize = fromVolume ? { ...size, diskMiB: 0 } : size;
  const path = `grid.openstack.${role}Flavor`;
  if (named === undefined) {
    const fits = flavors.find((f) => lacks(f, wanted, fromVolume).length === 0);
    if (fits !== undefined) return fits;
    const text = `no flavor has ${describeSize(wanted, fromVolume)}`;
    return asking.complain(`grid.${role}`, undefined, `${text}; this project's are: ${flavors.length === 0 ? "none" : flavors.map(describeFlavor).join("; ")}`, `lower grid.${role}.${narrowest(flavors, wanted, fromVolume)}, or ask the cloud's administrator for such a flavor`);
  }
  // Ids are unique, and so are names; a name that is also another's id means the id.
  const flavor = flavors.find((f) => f.id === named) ?? flavors.find((f) => f.name === named);
  if (flavor === undefined) {
    const near = resembling(named, flavors.map((f) => f.name));
    return asking.complain(path, named, "is no flavor of this project", `${near.length > 0 ? `near names: ${near.join(", ")}` : `there are: ${flavors.map((f) => f.name).join(", ")}`}; or leave it out`);
  }
  const missing = lacks(flavor, wanted, fromVolume);
  if (missing.length === 0) return flavor;
  const [first] = missing;
  const volumeHint = role === "master" && missing.includes("disk") ? ", or set grid.openstack.bootVolume to true" : "";
  return asking.complain(path, named, `is too small: it has ${describeFlavor(flavor)}, and grid.${role} asks for ${describeSize(wanted, fromVolume)}`, `name a larger one, leave it out, or lower grid.${role}.${first}${volumeHint}`);
}

type Key = "vcpus" | "memory" | "disk";

/** A flavor without disk takes the image's size on the host, which clouds forbid to ordinary users: only for volumes. */
function lacks(flavor: Flavor, size: ServerSize, fromVolume: boolean): Key[] {
  return [
    ...(flavor.vcpus < size.vcpus ? ["vcpus" as const] : []),
    ...(flavor.memoryMiB < size.memoryMiB ? ["memory" as const] : []),
    ...(!fromVolume && flavor.diskGiB * 1024 < size.diskMiB ? ["disk" as const] : []),
  ];
}

/** What stands in the way of the flavor that comes nearest. */
function narrowest(flavors: readonly Flavor[], size: ServerSize, fromVolume: boolean): string {
  const counted = flavors.map((f) => lacks(f, size, fromVolume)).sort((a, b) => a.length - b.length);
  return (counted[0] ?? ["vcpus", "memory", "disk"]).join(" and ");
}

const bySize = (a: Flavor, b: Flavor): number => a.vcpus - b.vcpus || a.memoryMiB - b.memoryMiB || a.diskGiB - b.diskGiB || (a.name < b.name ? -1 : 1);

const cores = (n: number): string => `${n} vcpu${n === 1 ? "" : "s"}`;

const describeFlavor = (f: Flavor): string => `${f.name} (${cores(f.vcpus)}, ${formatSizeMiB(f.memoryMiB)} memory, ${f.diskGiB === 0 ? "no disk" : `${f.diskGiB} GiB disk`})`;

const describeSize = (s: ServerSize, fromVolume: boolean): string => `${cores(s.vcpus)}, ${formatSizeMiB(s.memoryMiB)} memory${fromVolume ? "" : ` and ${formatSizeMiB(s.diskMiB)} disk`}`;
