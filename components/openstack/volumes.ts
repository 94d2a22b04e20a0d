import { CloudError, isCloudError } from "../errors";
import type { Openstack } from "./api";

interface Limits {
  readonly pollMs: number;
  readonly seconds: number;
}

interface Volume {
  readonly id: string;
  readonly status: string;
  readonly description?: string | null;
}

/**
 * The boot volume that nova has given up, by its message: nova makes it without a name, waits some minutes for Cinder to fill it, and can
 * then not delete what Cinder is still filling. This message is the last that knows whose it is.
 */
export const abandonedVolume = (text: string): string | undefined => /\bvolume ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) did not finish being created/i.exec(text)?.[1];

/** Gives a volume that nova could not delete the grid's mark, which it takes in any state. Whether there was one. */
export async function markVolume(api: Openstack, id: string, mark: string): Promise<boolean> {
  try {
    const { volume } = await api.get<{ volume: Volume }>("volume", `/volumes/${id}`);
    // What Cinder could not make, nova has deleted by now.
    if (!FILLING.test(volume.status)) return false;
    await api.put("volume", `/volumes/${id}`, { volume: { name: mark.split("#")[0] ?? "", description: mark } });
    return true;
  } catch (e) {
    if (isCloudError(e, "not-found")) return false;
    throw e;
  }
}

/** Removes the volumes whose mark is meant, as soon as Cinder has filled them. Whether there was any. */
export async function removeVolumes(api: Openstack, meant: (mark: string) => boolean, limits: Limits): Promise<boolean> {
  if (!(await api.has("volume"))) return false;
  const ours = async (): Promise<readonly Volume[]> => (await listed(api)).filter((v) => meant(v.description ?? ""));
  const asked = new Set<string>();
  for (const end = Date.now() + limits.seconds * 1_000; ; await new Promise((r) => setTimeout(r, limits.pollMs))) {
    const left = await ours();
    if (left.length === 0) return asked.size > 0;
    for (const { id } of left.filter((v) => !asked.has(v.id) && DELETABLE.test(v.status))) {
      await api.delete("volume", `/volumes/${id}`);
      asked.add(id);
    }
    if (Date.now() > end) throw new CloudError("timeout", `volume ${left[0]?.id} is still there after ${limits.seconds} s: Cinder says ${left[0]?.status}`);
  }
}

async function listed(api: Openstack): Promise<readonly Volume[]> {
  try {
    return await api.list<Volume>("volume", "/volumes/detail", "volumes");
  } catch (e) {
    // Who may not look at volumes has none.
    if (isCloudError(e, "auth") || isCloudError(e, "not-found")) return [];
    throw e;
  }
}

const FILLING = /^(creating|downloading|available)$/;
const DELETABLE = /^(available|error|error_\w+)$/;
