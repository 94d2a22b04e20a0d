import { listOwn, type Client } from "../cloudsigma/client";
import { digest, isOriginal, MARK } from "../cloudsigma/marks";
import { driveReplacing } from "../cloudsigma/provider/drives";
import { userDataOf } from "../cloudsigma/provider/servers";
import type { Drive, LibDrive, Meta, Server } from "../cloudsigma/wire";
import type { GridConfig } from "../config/grid-config";
import type { LivingMaster, Replacing } from "../policy/master-changes";
import { bytes, formatSizeMiB, mebibyte } from "../policy/sizes";
import { readBack } from "../render/read-back";

/** As the disk's declaration names it. */
export const imageOf = (config: GridConfig): string => config.image.uuid ?? config.image.name ?? "";

/** Whether a mark is that of the master's disk or server that is asked about. */
export type IsMasters = (part: "disk" | "server", gridUid: string, logicalName: string, meta: Meta) => boolean;

export interface Seen {
  readonly drives: readonly Drive[];
  readonly servers: readonly Server[];
  /** Asked only where the image differs: to say what it was. */
  readonly library: () => Promise<readonly LibDrive[]>;
}

export const seeCloudsigma = async (client: Client): Promise<Seen> => {
  const [drives, servers] = await Promise.all([listOwn(client, "drives"), listOwn(client, "servers")]);
  return { drives, servers, library: () => client.list("libdrives") };
};

/** `UID/LOGICAL NAME#DIGEST` */
const partsOf = (id: string | undefined): { readonly gridUid: string; readonly logicalName: string; readonly digest: string } | undefined => {
  const match = /^([^/]+)\/(.+)#([0-9a-f]+)$/.exec(id ?? "");
  return match === null ? undefined : { gridUid: match[1] ?? "", logicalName: match[2] ?? "", digest: match[3] ?? "" };
};

/** The deployed master and what of the configuration would replace its disk; undefined where there is none. Reads only. */
export async function livingCloudsigma(seen: Seen, config: GridConfig, isMasters: IsMasters): Promise<LivingMaster | undefined> {
  const of = <T extends Drive | Server>(part: "disk" | "server", rows: readonly T[]): T[] =>
    rows.filter((o) => {
      const id = partsOf(o.meta[MARK.id]);
      return id !== undefined && isOriginal(o) && isMasters(part, id.gridUid, id.logicalName, o.meta);
    });
  const [server] = of("server", seen.servers);
  const disks = of("disk", seen.drives);
  // Where an earlier run was cut there may be two: the queue is on the one that the server has.
  const disk = disks.find((d) => server?.drives.some((a) => a.drive.uuid === d.uuid) === true) ?? disks[0];
  if (server === undefined && disk === undefined) return undefined;
  const userData = server === undefined ? undefined : userDataOf(server.meta);
  const gridName = (disk ?? server)?.meta[MARK.name];
  const vlan = server?.nics.find((n) => n.vlan !== null)?.vlan?.uuid;
  return {
    ...(disk === undefined ? {} : { holder: { what: "disk", name: disk.name, id: disk.uuid } }),
    ...(gridName === undefined ? {} : { gridName }),
    ...(vlan === undefined ? {} : { vlan }),
    ...(userData === undefined ? {} : readBack(userData)),
    replacing: disk === undefined ? [] : [...(await otherImage(disk, config, seen)), ...smaller(disk, config)],
  };
}

async function otherImage(disk: Drive, config: GridConfig, seen: Seen): Promise<Replacing[]> {
  const image = imageOf(config);
  const made = partsOf(disk.meta[MARK.id])?.digest;
  const from = (name: string): boolean => digest(driveReplacing({ cloneOf: name })) === made;
  if (made === undefined || from(image)) return [];
  const known = [...(await seen.library()), ...seen.drives].flatMap((d) => [d.name, d.uuid]);
  const now = known.find(from);
  const keep = now === undefined ? "name the image that it was made from" : `name ${now} again`;
  const path = config.image.uuid === undefined ? "grid.image.name" : "grid.image.uuid";
  return [{ path, wanted: image, now: now ?? "another image", why: "a disk is a copy of one image", keep }];
}

/** Somebody may have made the disk larger by hand: only a smaller declaration than the former one is a wish for a smaller disk. */
function smaller(disk: Drive, config: GridConfig): Replacing[] {
  const declared = Number(disk.meta[MARK.declaredSize] ?? NaN);
  const wanted = bytes(config.master.diskMiB);
  if (!(wanted < declared && wanted < disk.size)) return [];
  const now = formatSizeMiB(Math.ceil(disk.size / mebibyte));
  const keep = `set it to "${now}" or more`;
  return [{ path: "grid.master.disk", wanted: formatSizeMiB(config.master.diskMiB), now, why: "a disk can only grow", keep }];
}
