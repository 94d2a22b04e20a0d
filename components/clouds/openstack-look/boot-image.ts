import type { GridConfig } from "../../config/grid-config";
import { GRID_KEY, IDENTITY_KEY, masterReplacing, replacedWith } from "../openstack-marks";
import type { Asking } from "./asking";
import type { Ours } from "./ours";

interface Volume {
  readonly size: number;
  readonly volume_image_metadata?: { readonly image_id?: string };
}

export const volumeGiB = (config: GridConfig): number => Math.ceil(config.master.diskMiB / 1024);

/**
 * The image that the master's boot volume has been made from, while the configuration still asks for the same one by the same name. A
 * volume is made from an id: without this, a new image under the old name would replace the master, and its queue be lost.
 */
export async function findBootImage(asking: Asking, config: GridConfig, ours: Promise<Ours | undefined>): Promise<string | undefined> {
  if (!config.openstack.bootVolume || config.image.uuid !== undefined) return undefined;
  const { api } = asking;
  const master = (await ours)?.servers.find((s) => s.metadata?.[GRID_KEY] !== undefined && replacedWith(s.metadata[IDENTITY_KEY] ?? "", masterReplacing(config)));
  const [attached] = master?.["os-extended-volumes:volumes_attached"] ?? [];
  if (attached === undefined) return undefined;
  const found = await asking.ask("volume", api.find<{ volume: Volume }>("volume", `/volumes/${attached.id}`));
  return found?.volume.size === volumeGiB(config) ? found.volume.volume_image_metadata?.image_id : undefined;
}
