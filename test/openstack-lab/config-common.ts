import { API_ADDRESS, KEYSTONE_URL, PORTS, REGION } from "./addresses";
import type { IniValue } from "./ini";
import type { LabSecrets } from "./secrets";

type Section = Readonly<Record<string, IniValue>>;

/** Pieces that several services' configurations share. */
export const messageBus = `rabbit://guest:guest@127.0.0.1:${PORTS.rabbitmq}/`;
export const memcached = `127.0.0.1:${PORTS.memcached}`;
export const database = (s: LabSecrets, name: string): string => `mysql+pymysql://os:${s.service}@127.0.0.1/${name}?charset=utf8`;

/** A service user's own credentials. */
export const credentials = (s: LabSecrets, user: string): Section => ({
  auth_type: "password",
  auth_url: KEYSTONE_URL,
  project_domain_name: "Default",
  user_domain_name: "Default",
  project_name: "service",
  username: user,
  password: s.service,
  region_name: REGION,
});

/** How a service checks tokens. Without `service_type` a token with access rules gets 401. */
export const authToken = (s: LabSecrets, user: string, serviceType: string): Section => ({
  service_type: serviceType,
  www_authenticate_uri: KEYSTONE_URL,
  memcached_servers: memcached,
  service_token_roles_required: false,
  ...credentials(s, user),
});

export const privsep = (config: string): Section => ({ helper_command: `env privsep-helper --config-file ${config}` });
export const noNotifications: Section = { driver: "noop" };
export const bind = (port: number): Section => ({ bind_host: API_ADDRESS, bind_port: port });
