import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { appliance, recipeHash } from "../../images/appliance";
import { treeLocation } from "../../images/build";
import { openstackFiles } from "../../images/openstack";
import { cacheFolder } from "../../local-cloud/cache";

/** The image in Glance that guests boot: which tree of this computer it stands for. */
export interface ApplianceImage {
  readonly name: string;
  readonly recipe: string;
  /** Folder of the tree on this computer; there once it was built. */
  readonly tree: string;
}

export const applianceImage = (): ApplianceImage => ({ name: appliance.name, recipe: recipeHash(appliance), tree: treeLocation(cacheFolder()).path });

/**
 * Contents of the image. Not a disk: guests share one tree of this computer, and the image only names it, so that a server
 * boots in seconds. The driver refuses to boot from what is not such a name.
 */
export const manifestText = (image: ApplianceImage): string =>
  JSON.stringify({ format: "elastigrid-appliance", version: 1, name: image.name, recipe: image.recipe }, undefined, 1) + "\n";

/** Makes the folder that is laid over the tree. */
export async function writeLayer(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const { path, text } of openstackFiles) {
    await mkdir(dirname(join(folder, path)), { recursive: true, mode: 0o755 });
    await writeFile(join(folder, path), text, { mode: 0o644 });
  }
}
