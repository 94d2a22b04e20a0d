import { join } from "node:path";
import { API_ADDRESS, PORTS } from "./addresses";
import { uwsgiSocket } from "./config-control";
import type { GuestsConfig } from "./guest-protocol";
import { inLab } from "./places";

/** One service of the lab: a plain process, in the lab's tree unless it is `outside`. */
export interface Service {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Answers when the service works: an HTTP server, or only a listener. Without: it works when the whole cloud does. */
  readonly ready?: { readonly http: string } | { readonly host: string; readonly port: number };
  readonly outside?: boolean;
  /** Others write to it until they end. */
  readonly stopLast?: boolean;
}

const at = (port: number, path = "/"): { http: string } => ({ http: `http://${API_ADDRESS}:${port}${path}` });
const conf = (path: string): string => inLab("etc", path);
const python = (program: string): string[] => ["/usr/bin/python3", inLab("run/python", program)];

const uwsgi = (name: string, port: number, wsgi: string, more: { env?: Record<string, string>; args?: string; path?: string; workers?: readonly string[] } = {}): Service => ({
  name,
  argv: [
    "uwsgi_python3", "--http-socket", uwsgiSocket(port), "--wsgi-file", wsgi, ...(more.workers ?? ["--processes", "1", "--threads", "8"]), "--enable-threads", "--need-app",
    "--die-on-term", "--buffer-size", "65535", "--thunder-lock", "--listen", "100", "--disable-logging", "--add-header", "Connection: close",
    "--rem-header", "Content-Length", "--chdir", "/", ...(more.args === undefined ? [] : ["--pyargv", more.args]),
  ],
  env: more.env,
  ready: at(port, more.path),
});

const simple = (name: string, ...argv: readonly string[]): Service => ({ name, argv });
const listening = (port: number): { host: string; port: number } => ({ host: "127.0.0.1", port });

const novaConf = conf("nova/nova.conf");
const neutronConf = ["--config-file", conf("neutron/neutron.conf")];
const heatConf = ["--config-file", conf("heat/heat.conf")];
const gnocchiConf = ["--config-file", conf("gnocchi/gnocchi.conf")];
const cinderConf = ["--config-file", conf("cinder/cinder.conf")];
const aodhConf = ["--config-file", conf("aodh/aodh.conf")];

export const memcachedService: Service = {
  name: "memcached",
  argv: ["memcached", "-u", "root", "-m", "64", "-l", "127.0.0.1", "-p", String(PORTS.memcached), "-c", "2048"],
  ready: listening(PORTS.memcached),
};

export const mariadbService: Service = { name: "mariadb", argv: ["mariadbd", `--defaults-file=${conf("my.cnf")}`], ready: listening(PORTS.mariadb), stopLast: true };

export const rabbitmqService: Service = {
  name: "rabbitmq",
  argv: ["/usr/lib/rabbitmq/bin/rabbitmq-server"],
  ready: listening(PORTS.rabbitmq),
  env: {
    HOME: inLab("state/rabbitmq"),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_NODENAME: "oslab@localhost",
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_DIST_PORT: "25672",
    RABBITMQ_CONFIG_FILE: conf("rabbitmq.conf"),
    RABBITMQ_MNESIA_BASE: inLab("state/rabbitmq/mnesia"),
    RABBITMQ_LOG_BASE: inLab("logs"),
    RABBITMQ_PID_FILE: inLab("run/rabbitmq.pid"),
    RABBITMQ_ENABLED_PLUGINS_FILE: conf("enabled_plugins"),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none +A 16 -kernel inet_dist_use_interface {127,0,0,1}",
  },
};

/** One thread each: with several, Keystone was seen to judge a request by the token of another that ran beside it. */
const KEYSTONE_WORKERS = ["--master", "--processes", "3", "--threads", "1"];
export const keystoneService = uwsgi("keystone", PORTS.keystone, "/usr/bin/keystone-wsgi-public", { env: { OS_KEYSTONE_CONFIG_DIR: conf("keystone") }, path: "/v3", workers: KEYSTONE_WORKERS });

/** Everything after keystone; each needs the databases of its own project only. */
export const projectServices: readonly Service[] = [
  uwsgi("placement", PORTS.placement, "/usr/bin/placement-api", { env: { OS_PLACEMENT_CONFIG_DIR: conf("placement") } }),
  { name: "glance", argv: ["glance-api", "--config-file", conf("glance/glance-api.conf")], ready: at(PORTS.glance) },
  { name: "neutron", argv: ["neutron-server", ...neutronConf, "--config-file", conf("neutron/ml2.ini")], ready: at(PORTS.neutron) },
  uwsgi("gnocchi", PORTS.gnocchi, "/usr/lib/python3/dist-packages/gnocchi/rest/wsgi.py", { args: gnocchiConf.join(" ") }),
  uwsgi("aodh", PORTS.aodh, conf("aodh/app.wsgi")),
  { name: "heat-api", argv: ["heat-api", ...heatConf], ready: at(PORTS.heat) },
  { name: "heat-api-cfn", argv: [...python("heat-api-cfn.py"), ...heatConf], ready: at(PORTS.heatCfn) },
  uwsgi("cinder-api", PORTS.cinder, "/usr/bin/cinder-wsgi", { args: cinderConf.join(" ") }),
  simple("cinder-services", ...python("cinder-services.py"), ...cinderConf),
  simple("heat-engine", ...python("heat-engine.py"), ...heatConf),
  simple("gnocchi-metricd", "gnocchi-metricd", ...gnocchiConf),
  simple("aodh-evaluator", "aodh-evaluator", ...aodhConf),
  simple("aodh-notifier", "aodh-notifier", ...aodhConf),
  { name: "nova-api", argv: ["nova-api", "--config-file", novaConf], ready: at(PORTS.nova) },
  simple("nova-conductor", "nova-conductor", "--config-file", novaConf),
  simple("nova-scheduler", "nova-scheduler", "--config-file", novaConf),
];

/** Agents that ask the services above when they start. */
export const agentServices: readonly Service[] = [
  simple("nova-compute", ...python("nova-compute.py"), "--config-file", novaConf),
  simple("neutron-linuxbridge", ...python("neutron-linuxbridge.py"), ...neutronConf, "--config-file", conf("neutron/linuxbridge.ini")),
  simple("neutron-l3", "neutron-l3-agent", ...neutronConf, "--config-file", conf("neutron/l3.ini")),
  simple("neutron-dhcp", "neutron-dhcp-agent", ...neutronConf, "--config-file", conf("neutron/dhcp.ini")),
  simple("neutron-metadata", "neutron-metadata-agent", ...neutronConf, "--config-file", conf("neutron/metadata.ini")),
];

/** Holds the guests; a terminal device system of its own gives each a console. */
export const guestsService = (config: GuestsConfig): Service => ({
  name: "guests",
  outside: true,
  argv: [
    "unshare", "--mount", "sh", "-ec", 'mount -t devpts -o newinstance,ptmxmode=0600,mode=0600 devpts /dev/pts; exec "$@"', "guests",
    process.execPath, "--max-old-space-size=128", join(__dirname, "guests-main.js"), JSON.stringify(config),
  ],
});

/** Measures the guests' CPU time, as ceilometer would. */
export const meterService: Service = simple("meter", ...python("meter.py"));
