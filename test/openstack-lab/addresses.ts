/** Addresses inside the lab's network namespace. They exist nowhere else. */
export const EXTERNAL_BRIDGE = "br-ex";
/** Of the host on the external network: what the APIs are published as, for guests, services and `lab exec` alike. */
export const API_ADDRESS = "172.24.4.1";
export const EXTERNAL_CIDR = "172.24.4.0/24";
export const EXTERNAL_PREFIX_LENGTH = 24;
export const FLOATING_FIRST = "172.24.4.10";
export const FLOATING_LAST = "172.24.4.250";

export const PORTS = {
  keystone: 5000, glance: 9292, placement: 8778, nova: 8774, novaMetadata: 8775, neutron: 9696,
  heat: 8004, heatCfn: 8000, cinder: 8776, gnocchi: 8041, aodh: 8042, mariadb: 3306, rabbitmq: 5672, memcached: 11211,
} as const;

export const api = (port: number): string => `http://${API_ADDRESS}:${port}`;
export const KEYSTONE_URL = `${api(PORTS.keystone)}/v3`;
export const REGION = "RegionOne";
