import { API_ADDRESS, api, EXTERNAL_BRIDGE, PORTS, REGION } from "./addresses";
import { authToken, bind, credentials, database, messageBus, noNotifications, privsep } from "./config-common";
import type { LabSettings } from "./config-control";
import { renderIni } from "./ini";
import { inLab } from "./places";
import type { LabSecrets } from "./secrets";

const HOST = "oslab";

/** Configuration files of nova, neutron and cinder: path under etc/ -> text. */
export const computeFiles = (s: LabSecrets, settings: LabSettings): Record<string, string> => ({
  "nova/nova.conf": nova(s, settings.virt === "hosts"),
  "cinder/cinder.conf": cinder(s),
  "neutron/neutron.conf": neutron(s),
  "neutron/ml2.ini": renderIni({
    ml2: { type_drivers: "flat,vxlan,local", tenant_network_types: "vxlan", mechanism_drivers: "linuxbridge,l2population", extension_drivers: "port_security" },
    ml2_type_flat: { flat_networks: "external" },
    ml2_type_vxlan: { vni_ranges: "1000:2000" },
    securitygroup: { enable_ipset: true, enable_security_group: true },
  }),
  "neutron/linuxbridge.ini": renderIni({
    linux_bridge: { bridge_mappings: `external:${EXTERNAL_BRIDGE}` },
    vxlan: { enable_vxlan: true, l2_population: true, local_ip: API_ADDRESS },
    securitygroup: { firewall_driver: "iptables", enable_security_group: true, enable_ipset: true },
    agent: { prevent_arp_spoofing: true, polling_interval: 2 },
  }),
  "neutron/l3.ini": renderIni({ DEFAULT: { agent_mode: "legacy", interface_driver: "linuxbridge" } }),
  "neutron/dhcp.ini": renderIni({
    DEFAULT: { interface_driver: "linuxbridge", enable_isolated_metadata: true, force_metadata: true, dhcp_lease_duration: 86_400, dnsmasq_config_file: inLab("etc/neutron/dnsmasq.conf") },
  }),
  // It reads its list of ports again and again, in a folder that is root's alone.
  "neutron/dnsmasq.conf": "user=root\ngroup=root\n",
  "neutron/metadata.ini": renderIni({
    DEFAULT: { nova_metadata_host: "127.0.0.1", nova_metadata_port: PORTS.novaMetadata, metadata_proxy_shared_secret: s.service, metadata_workers: 0 },
  }),
});

function nova(s: LabSecrets, guests: boolean): string {
  const helper = privsep(inLab("etc/nova/nova.conf"));
  return renderIni({
    DEFAULT: {
      use_stderr: true,
      transport_url: messageBus,
      host: HOST,
      my_ip: "127.0.0.1",
      state_path: inLab("state/nova"),
      instances_path: inLab("state/nova/instances"),
      enabled_apis: "osapi_compute,metadata",
      osapi_compute_listen: API_ADDRESS,
      osapi_compute_workers: 1,
      metadata_listen: "127.0.0.1",
      metadata_workers: 1,
      compute_driver: guests ? "hosts.HostsDriver" : "fake.FakeDriver",
      vif_plugging_is_fatal: false,
      vif_plugging_timeout: guests ? 30 : 0,
      allow_resize_to_same_host: true,
      reserved_host_memory_mb: 0,
      cpu_allocation_ratio: 16.0,
      ram_allocation_ratio: 4.0,
      disk_allocation_ratio: 16.0,
      resume_guests_state_on_host_boot: true,
      sync_power_state_interval: -1,
      running_deleted_instance_poll_interval: 0,
      rpc_response_timeout: 180,
    },
    api: { auth_strategy: "keystone" },
    api_database: { connection: database(s, "nova_api") },
    database: { connection: database(s, "nova") },
    scheduler: { workers: 1, discover_hosts_in_cells_interval: 20 },
    conductor: { workers: 1 },
    quota: { instances: 200, cores: -1, ram: -1 },
    oslo_concurrency: { lock_path: inLab("run/lock") },
    glance: { api_servers: api(PORTS.glance) },
    cinder: { ...credentials(s, "nova"), catalog_info: "volumev3::publicURL", os_region_name: REGION },
    placement: credentials(s, "placement"),
    neutron: { ...credentials(s, "neutron"), service_metadata_proxy: true, metadata_proxy_shared_secret: s.service },
    vnc: { enabled: false },
    spice: { enabled: false },
    serial_console: { enabled: false },
    nova_sys_admin: helper,
    vif_plug_linux_bridge_privileged: helper,
    privsep_osbrick: helper,
    oslo_messaging_notifications: noNotifications,
    keystone_authtoken: authToken(s, "nova", "compute"),
  });
}

const cinder = (s: LabSecrets): string =>
  renderIni({
    DEFAULT: {
      use_stderr: true,
      transport_url: messageBus,
      host: HOST,
      my_ip: "127.0.0.1",
      state_path: inLab("state/cinder"),
      api_paste_config: "/usr/share/cinder-common/api-paste.ini",
      auth_strategy: "keystone",
      enabled_backends: "files",
      glance_api_servers: api(PORTS.glance),
      rpc_response_timeout: 180,
    },
    files: { volume_driver: "files_driver.FilesDriver", volume_backend_name: "files" },
    database: { connection: database(s, "cinder") },
    nova: credentials(s, "cinder"),
    oslo_concurrency: { lock_path: inLab("run/lock") },
    oslo_messaging_notifications: noNotifications,
    keystone_authtoken: authToken(s, "cinder", "volumev3"),
  });

const neutron = (s: LabSecrets): string =>
  renderIni({
    DEFAULT: {
      use_stderr: true,
      host: HOST,
      ...bind(PORTS.neutron),
      core_plugin: "ml2",
      service_plugins: "router",
      api_workers: 0,
      rpc_workers: 1,
      rpc_state_report_workers: 0,
      transport_url: messageBus,
      state_path: inLab("state/neutron"),
      auth_strategy: "keystone",
      allow_overlapping_ips: true,
      dhcp_agents_per_network: 1,
      notify_nova_on_port_status_changes: true,
      notify_nova_on_port_data_changes: true,
      interface_driver: "linuxbridge",
      api_paste_config: "/etc/neutron/api-paste.ini",
      global_physnet_mtu: 1500,
      agent_down_time: 60,
      rpc_response_timeout: 180,
    },
    // Everything runs as root inside the lab's namespaces: no sudo, no rootwrap.
    agent: { root_helper: "env", report_interval: 15 },
    database: { connection: database(s, "neutron") },
    // Zed wants to be told twice about this driver.
    experimental: { linuxbridge: true },
    privsep: privsep(inLab("etc/neutron/neutron.conf")),
    oslo_concurrency: { lock_path: inLab("run/lock") },
    oslo_messaging_notifications: noNotifications,
    quotas: {
      quota_port: 1000, quota_security_group: 200, quota_security_group_rule: 1000, quota_floatingip: 100,
      quota_router: 100, quota_network: 200, quota_subnet: 200,
    },
    nova: credentials(s, "nova"),
    keystone_authtoken: authToken(s, "neutron", "network"),
  });
