import { API_ADDRESS, api, KEYSTONE_URL, PORTS, REGION } from "./addresses";
import { authToken, bind, credentials, database, memcached, messageBus, noNotifications } from "./config-common";
import { renderIni } from "./ini";
import { inLab } from "./places";
import type { LabSecrets } from "./secrets";

export interface LabSettings {
  /** nova's driver. */
  readonly virt: "fake" | "hosts";
  /** How often aodh looks at the alarms. */
  readonly evaluationSeconds: number;
  /** heat's `reauthentication_auth_method`: "" as packaged, or "trusts". */
  readonly heatReauthentication: "" | "trusts";
}

/** Configuration files of all but nova and neutron: path under etc/ -> text. */
export const controlFiles = (s: LabSecrets, settings: LabSettings): Record<string, string> => ({
  "my.cnf": mariadb,
  "rabbitmq.conf": rabbitmq,
  enabled_plugins: "[].\n",
  "keystone/keystone.conf": renderIni({
    DEFAULT: { use_stderr: true, public_endpoint: `${api(PORTS.keystone)}/` },
    database: { connection: database(s, "keystone") },
    token: { provider: "fernet", expiration: 86_400 },
    fernet_tokens: { key_repository: inLab("state/keystone/fernet") },
    fernet_receipts: { key_repository: inLab("state/keystone/fernet") },
    credential: { key_repository: inLab("state/keystone/credential") },
    cache: { enabled: true, backend: "dogpile.cache.memcached", memcache_servers: memcached },
    identity: { password_hash_rounds: 4 },
  }),
  "glance/glance-api.conf": renderIni({
    DEFAULT: { use_stderr: true, ...bind(PORTS.glance), workers: 0, enabled_backends: "file1:file", enabled_import_methods: "[glance-direct,web-download]" },
    glance_store: { default_backend: "file1" },
    file1: { filesystem_store_datadir: inLab("state/glance/images") },
    os_glance_tasks_store: { filesystem_store_datadir: inLab("state/glance/tasks") },
    os_glance_staging_store: { filesystem_store_datadir: inLab("state/glance/tasks") },
    database: { connection: database(s, "glance") },
    paste_deploy: { flavor: "keystone", config_file: "/etc/glance/glance-api-paste.ini" },
    oslo_concurrency: { lock_path: inLab("run/lock") },
    keystone_authtoken: authToken(s, "glance", "image"),
  }),
  "placement/placement.conf": renderIni({
    DEFAULT: { use_stderr: true },
    placement_database: { connection: database(s, "placement") },
    api: { auth_strategy: "keystone" },
    keystone_authtoken: authToken(s, "placement", "placement"),
  }),
  "heat/heat.conf": heat(s, settings),
  "gnocchi/gnocchi.conf": renderIni({
    DEFAULT: { coordination_url: `file://${inLab("state/gnocchi/locks")}`, parallel_operations: 1 },
    api: { auth_mode: "keystone", paste_config: inLab("etc/gnocchi/api-paste.ini") },
    indexer: { url: database(s, "gnocchi") },
    storage: { driver: "file", file_basepath: inLab("state/gnocchi") },
    metricd: { workers: 1, metric_processing_delay: 2, metric_reporting_delay: 3600, greedy: true },
    keystone_authtoken: authToken(s, "gnocchi", "metric"),
  }),
  "aodh/aodh.conf": renderIni({
    DEFAULT: { use_stderr: true, transport_url: messageBus },
    api: { paste_config: inLab("etc/aodh/api-paste.ini"), gnocchi_external_project_owner: "service" },
    database: { connection: database(s, "aodh") },
    evaluator: { workers: 1, evaluation_interval: settings.evaluationSeconds },
    listener: { workers: 1 },
    notifier: { workers: 1 },
    service_credentials: { ...credentials(s, "aodh"), interface: "internalURL" },
    keystone_authtoken: authToken(s, "aodh", "alarming"),
  }),
  "aodh/app.wsgi": ["from aodh.api import app", `application = app.build_wsgi_app(argv=["--config-file", "${inLab("etc/aodh/aodh.conf")}"])`, ""].join("\n"),
});

const heat = (s: LabSecrets, settings: LabSettings): string =>
  renderIni({
    DEFAULT: {
      use_stderr: true,
      transport_url: messageBus,
      num_engine_workers: 1,
      convergence_engine: true,
      heat_metadata_server_url: api(PORTS.heatCfn),
      heat_waitcondition_server_url: `${api(PORTS.heatCfn)}/v1/waitcondition`,
      region_name_for_services: REGION,
      stack_user_domain_name: "heat",
      stack_domain_admin: "heat_domain_admin",
      stack_domain_admin_password: s.service,
      deferred_auth_method: "trusts",
      reauthentication_auth_method: settings.heatReauthentication,
      auth_encryption_key: s.heatEncryptionKey,
      environment_dir: "/etc/heat/environment.d",
      template_dir: "/etc/heat/templates",
      rpc_response_timeout: 300,
      max_stacks_per_tenant: 500,
      periodic_interval: 60,
    },
    database: { connection: database(s, "heat") },
    // 0 would mean one worker per core, 1 means a single process.
    heat_api: { ...bind(PORTS.heat), workers: 1 },
    heat_api_cfn: { ...bind(PORTS.heatCfn), workers: 1 },
    clients_keystone: { auth_uri: api(PORTS.keystone) },
    ec2authtoken: { auth_uri: KEYSTONE_URL },
    paste_deploy: { api_paste_config: "/etc/heat/api-paste.ini" },
    oslo_messaging_notifications: noNotifications,
    trustee: { auth_type: "password", auth_url: KEYSTONE_URL, username: "heat", password: s.service, user_domain_name: "Default" },
    keystone_authtoken: authToken(s, "heat", "orchestration"),
  });

// What is committed reaches the kernel at once, so a killed server loses nothing; only a power cut may.
const mariadb = `[mysqld]
user=root
datadir=${inLab("state/mysql")}
socket=${inLab("run/mysqld.sock")}
pid-file=${inLab("run/mariadbd.pid")}
bind-address=127.0.0.1
port=${PORTS.mariadb}
skip-name-resolve
max_connections=400
character-set-server=utf8
performance_schema=OFF
innodb_buffer_pool_size=128M
innodb_log_file_size=48M
innodb_flush_log_at_trx_commit=2
innodb_doublewrite=0
innodb_flush_method=nosync
skip-log-bin
`;

const rabbitmq = `listeners.tcp.1 = 127.0.0.1:${PORTS.rabbitmq}
vm_memory_high_watermark.relative = 0.4
disk_free_limit.absolute = 200MB
log.console = true
log.console.level = warning
log.file = false
`;

/** Address that the API programs under uwsgi listen on. */
export const uwsgiSocket = (port: number): string => `${API_ADDRESS}:${port}`;
