import type { RecipeFile } from "./appliance";

const lines = (...text: string[]): string => text.join("\n") + "\n";

/**
 * What an appliance for OpenStack has besides the recipe. Not part of it: elsewhere cloud-init would look for a metadata service that
 * is not there, and the network would start before user data has written its files.
 */
export const openstackFiles: readonly RecipeFile[] = [
  {
    // Nothing but the metadata service: when it is slow, cloud-init must wait for it instead of taking the guest for another one.
    path: "/etc/cloud/cloud.cfg.d/95-openstack.cfg",
    text: lines(
      "datasource_list: [ OpenStack ]",
      'datasource: { OpenStack: { metadata_urls: [ "http://169.254.169.254" ], max_wait: 300, timeout: 10, retries: 5, apply_network_config: false } }',
    ),
  },
  // User data comes over the network here, so the network must not wait for it.
  { path: "/etc/systemd/system/systemd-networkd.service.d/90-elastigrid.conf", text: lines("[Unit]") },
  { path: "/etc/systemd/system/cloud-init-network.service.d/90-openstack.conf", text: lines("[Unit]", "Wants=systemd-networkd-wait-online.service") },
  {
    path: "/etc/systemd/system/systemd-networkd-wait-online.service",
    text: lines(
      "[Unit]", "DefaultDependencies=no", "Conflicts=shutdown.target", "BindsTo=systemd-networkd.service", "After=systemd-networkd.service",
      "Before=network-online.target shutdown.target",
      "[Service]", "Type=oneshot", "ExecStart=/usr/lib/systemd/systemd-networkd-wait-online --any --ipv4 --timeout=60", "RemainAfterExit=yes",
    ),
  },
  {
    // IPv4 by DHCP; IPv6 where a router of the cloud announces a prefix, with the address that the cloud expects, which is made of the card's own: it
    // lets no other through. Nobody else can have it, so nobody is asked: IPv4 has not to wait for that.
    // The networks of this cloud are tunnels: their packets are smaller than usual, as DHCP says.
    path: "/etc/systemd/network/80-openstack.network",
    text: lines(
      "[Match]", "Name=en* eth*",
      "[Network]", "DHCP=ipv4", "LinkLocalAddressing=ipv6", "IPv6LinkLocalAddressGenerationMode=eui64", "IPv6DuplicateAddressDetection=0", "IPv6PrivacyExtensions=no", "IPv6AcceptRA=yes",
      "[IPv6AcceptRA]", "Token=eui64", "DHCPv6Client=no", "UseDNS=no", "UseDomains=no",
      "[DHCPv4]", "ClientIdentifier=mac", "UseDomains=no", "UseHostname=no", "UseNTP=no", "UseMTU=yes",
    ),
  },
];
