import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { appliance, recipeHash } from "../../images/appliance";
import { treeLocation } from "../../images/build";
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

const lines = (...text: string[]): string => text.join("\n") + "\n";

/** What an image of the appliance for OpenStack has and one for other clouds has not; laid over the tree. */
const LAYER: Readonly<Record<string, string>> = {
  // Nothing but the metadata service: when it is slow, cloud-init must wait for it instead of taking the guest for another one.
  "etc/cloud/cloud.cfg.d/95-openstack.cfg": lines(
    "datasource_list: [ OpenStack ]",
    'datasource: { OpenStack: { metadata_urls: [ "http://169.254.169.254" ], max_wait: 300, timeout: 10, retries: 5, apply_network_config: false } }',
  ),
  // User data comes over the network here, so the network must not wait for it.
  "etc/systemd/system/systemd-networkd.service.d/90-elastigrid.conf": lines("[Unit]"),
  "etc/systemd/system/cloud-init-network.service.d/90-openstack.conf": lines("[Unit]", "Wants=systemd-networkd-wait-online.service"),
  "etc/systemd/system/systemd-networkd-wait-online.service": lines(
    "[Unit]", "DefaultDependencies=no", "Conflicts=shutdown.target", "BindsTo=systemd-networkd.service", "After=systemd-networkd.service",
    "Before=network-online.target shutdown.target",
    "[Service]", "Type=oneshot", "ExecStart=/usr/lib/systemd/systemd-networkd-wait-online --any --timeout=60", "RemainAfterExit=yes",
  ),
  // The networks of this cloud are tunnels: their packets are smaller than usual, as DHCP says.
  "etc/systemd/network/80-openstack.network": lines(
    "[Match]", "Name=en* eth*", "[Network]", "DHCP=ipv4", "LinkLocalAddressing=no", "IPv6AcceptRA=no",
    "[DHCPv4]", "ClientIdentifier=mac", "UseDomains=no", "UseHostname=no", "UseNTP=no", "UseMTU=yes",
  ),
};

/** Makes the folder that is laid over the tree. */
export async function writeLayer(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const [path, text] of Object.entries(LAYER)) {
    await mkdir(dirname(join(folder, path)), { recursive: true, mode: 0o755 });
    await writeFile(join(folder, path), text, { mode: 0o644 });
  }
}
