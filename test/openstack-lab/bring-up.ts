import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { API_ADDRESS, EXTERNAL_BRIDGE, EXTERNAL_CIDR, EXTERNAL_PREFIX_LENGTH, FLOATING_FIRST, FLOATING_LAST, KEYSTONE_URL, PORTS, REGION } from "./addresses";
import type { ApplianceImage } from "./appliance-image";
import { computeFiles } from "./config-compute";
import { controlFiles, type LabSettings } from "./config-control";
import type { GuestsConfig } from "./guest-protocol";
import { runInTree } from "./in-tree";
import { Keeper } from "./keeper";
import { inLab, type Places } from "./places";
import { ensureSecrets, type LabSecrets } from "./secrets";
import { agentServices, guestsService, keystoneService, mariadbService, memcachedService, meterService, projectServices, rabbitmqService, type Service } from "./services";
import { restoreSeed, saveSeed } from "./seed";
import type { Steps } from "./steps";

const DATABASES = ["keystone", "glance", "placement", "nova_api", "nova", "nova_cell0", "neutron", "heat", "cinder", "gnocchi", "aodh"] as const;
const READY_SECONDS = 180;
const conf = (path: string): string => inLab("etc", path);

/** Brings the cloud up inside the namespaces: configuration, databases, services, users, resources. Each part is idempotent. */
export class BringUp {
  readonly keepers: Keeper[] = [];
  private fail: (e: Error) => void = () => undefined;
  private readonly failure = new Promise<never>((_, reject) => (this.fail = reject));

  constructor(
    private readonly places: Places,
    private readonly tree: string,
    private readonly settings: LabSettings,
    private readonly appliance: ApplianceImage,
    private readonly steps: Steps,
  ) {
    this.failure.catch(() => undefined); // `run` reports it
  }

  /** Ends when the cloud works, or with the first failure. */
  run(): Promise<void> {
    return Promise.race([this.everything(), this.failure]);
  }

  private async everything(): Promise<void> {
    const { steps } = this;
    await this.folders();
    await steps.run("databases of an earlier set-up", () => restoreSeed(this.places));
    const secrets = await ensureSecrets(this.places.secrets);
    await this.configure(secrets);
    await steps.run("network", () => this.network());
    const rabbit = this.start(rabbitmqService); // slow to answer, and needed last
    this.start(memcachedService);
    await steps.run("mariadb", () => this.mariadb(secrets));
    await this.databases(secrets);
    // Databases of an earlier set-up come without gnocchi's own files, and without these it takes no measure.
    if (!existsSync(join(this.places.state, "gnocchi", "tmp", "gnocchi-config"))) await this.gnocchiStore("--skip-index", "--skip-archive-policies-creation");

    await steps.run("keystone", () => this.start(keystoneService).ready(READY_SECONDS));
    await this.once("identity", async () => {
      await this.python("identity");
      await this.steps.run("keep databases for the next fresh cloud", () => this.keepSeed());
    });
    await steps.run("rabbitmq", () => rabbit.ready(READY_SECONDS));
    const started = projectServices.map((s) => this.start(s));
    await Promise.all(started.map((k) => steps.run(k.status.name, () => k.ready(READY_SECONDS))));
    const guests = this.settings.virt === "hosts" ? [guestsService(this.guestsConfig()), meterService] : [];
    const agents = [...guests, ...agentServices].map((s) => this.start(s));
    await Promise.all(agents.map((k) => k.ready(READY_SECONDS)));
    await steps.run("resources", () => this.python("resources"));
    for (const k of this.keepers) k.confirm();
  }

  private guestsConfig(): GuestsConfig {
    const { recipe, tree } = this.appliance;
    return { home: this.places.home, toolTree: this.tree, recipe, tree };
  }

  private start(service: Service): Keeper {
    const keeper = new Keeper(service, this.places, this.tree, this.fail);
    this.keepers.push(keeper);
    keeper.start();
    return keeper;
  }

  private command(name: string, ...argv: readonly string[]): Promise<void> {
    return runInTree(this.places, this.tree, name, argv);
  }

  private python(program: string): Promise<void> {
    return this.command(program, "/usr/bin/python3", inLab("run/python", `${program}.py`));
  }

  /** Runs a part of the set-up once in the life of the state. */
  private async once(name: string, work: () => Promise<void>): Promise<void> {
    if (existsSync(this.stamp(name))) return;
    await this.steps.run(`${name}: set-up`, work);
    await writeFile(this.stamp(name), "");
  }

  private stamp(name: string): string {
    return join(this.places.state, "done", name);
  }

  private async folders(): Promise<void> {
    const { state, run, etc } = this.places;
    const wanted = [
      join(etc), join(run, "lock"),
      ...["done", "keystone", "glance/images", "glance/tasks", "placement", "nova/instances", "cinder/volumes", "neutron", "gnocchi/locks", "rabbitmq"].map((f) => join(state, f)),
    ];
    for (const folder of wanted) await mkdir(folder, { recursive: true });
  }

  private async configure(secrets: LabSecrets): Promise<void> {
    const { etc, run } = this.places;
    const files: Record<string, string> = {
      ...controlFiles(secrets, this.settings),
      ...computeFiles(secrets, this.settings),
      // The token filter of these two reads /etc/<project>/<project>.conf unless told otherwise.
      "gnocchi/api-paste.ini": await this.pasteWith("etc/gnocchi/api-paste.ini", conf("gnocchi/gnocchi.conf")),
      "aodh/api-paste.ini": await this.pasteWith("usr/lib/python3/dist-packages/aodh/api/api-paste.ini", conf("aodh/aodh.conf")),
    };
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(etc, path)), { recursive: true });
      await writeFile(join(etc, path), text, { mode: 0o600 });
    }
    const about = { startedAt: new Date().toISOString(), authUrl: KEYSTONE_URL, region: REGION, address: API_ADDRESS, ports: PORTS, externalCidr: EXTERNAL_CIDR, floatingFirst: FLOATING_FIRST, floatingLast: FLOATING_LAST, virt: this.settings.virt, image: { name: this.appliance.name, recipe: this.appliance.recipe } };
    await writeFile(join(run, "lab.json"), JSON.stringify(about) + "\n");
  }

  private async pasteWith(packaged: string, config: string): Promise<string> {
    const text = await readFile(join(this.tree, packaged), "utf8");
    const changed = text.replace(/^oslo_config_project.*$/gm, (line) => `${line}\noslo_config_file = ${config}`);
    if (changed === text) throw new Error(`/${packaged} has no oslo_config_project any more: the lab's configuration must be adapted to this release`);
    return changed;
  }

  private async network(): Promise<void> {
    await this.command(
      "network", "sh", "-ec",
      `hostname oslab
       ip link set lo up
       ip link add ${EXTERNAL_BRIDGE} type bridge forward_delay 0 mcast_snooping 0
       ip addr add ${API_ADDRESS}/${EXTERNAL_PREFIX_LENGTH} dev ${EXTERNAL_BRIDGE}
       ip link set ${EXTERNAL_BRIDGE} up`,
    );
  }

  private async mariadb(secrets: LabSecrets): Promise<void> {
    await this.once("mariadb", async () => {
      await rm(join(this.places.state, "mysql"), { recursive: true, force: true });
      await this.command("mariadb-install", "mariadb-install-db", `--defaults-file=${conf("my.cnf")}`, "--auth-root-authentication-method=socket", "--skip-test-db");
    });
    await this.start(mariadbService).ready(READY_SECONDS);
    await this.once("databases", () => this.createDatabases(secrets));
  }

  private async createDatabases(secrets: LabSecrets): Promise<void> {
    const sql = [
      `create user if not exists os@'127.0.0.1' identified by '${secrets.service}';`,
      ...DATABASES.map((d) => `create database if not exists ${d} character set utf8; grant all on ${d}.* to os@'127.0.0.1';`),
    ];
    // By a file: a password must not show in the list of processes.
    const file = join(this.places.run, "databases.sql");
    await writeFile(file, sql.join("\n") + "\n", { mode: 0o600 });
    await this.command("databases", "sh", "-c", `mariadb -S ${inLab("run/mysqld.sock")} < ${inLab("run/databases.sql")}`);
    await rm(file);
  }

  private async databases(secrets: LabSecrets): Promise<void> {
    // Two lanes, one per core.
    const first = this.once("nova", () => this.novaDatabases());
    const second = (async () => {
      await this.once("keystone", () => this.keystoneDatabase(secrets));
      await this.once("neutron", () =>
        this.command("neutron-setup", "neutron-db-manage", "--config-file", conf("neutron/neutron.conf"), "--config-file", conf("neutron/ml2.ini"), "upgrade", "heads"),
      );
      await this.once("glance", () => this.command("glance-setup", "glance-manage", "--config-file", conf("glance/glance-api.conf"), "db_sync"));
      await this.once("placement", () => this.command("placement-setup", "placement-manage", "--config-file", conf("placement/placement.conf"), "db", "sync"));
      await this.once("heat", () => this.command("heat-setup", "heat-manage", "--config-file", conf("heat/heat.conf"), "db_sync"));
      await this.once("cinder", () => this.command("cinder-setup", "cinder-manage", "--config-file", conf("cinder/cinder.conf"), "db", "sync"));
      await this.once("gnocchi", () => this.gnocchiStore());
      await this.once("aodh", () => this.command("aodh-setup", "aodh-dbsync", "--config-file", conf("aodh/aodh.conf")));
    })();
    await Promise.all([first, second]);
  }

  private gnocchiStore(...more: readonly string[]): Promise<void> {
    return this.command("gnocchi-setup", "gnocchi-upgrade", "--config-file", conf("gnocchi/gnocchi.conf"), ...more);
  }

  private async novaDatabases(): Promise<void> {
    const manage = (...args: readonly string[]): Promise<void> => this.command("nova-setup", "nova-manage", "--config-file", conf("nova/nova.conf"), ...args);
    await manage("api_db", "sync");
    await manage("cell_v2", "map_cell0");
    await this.command("nova-setup", "sh", "-c", `m="nova-manage --config-file ${conf("nova/nova.conf")} cell_v2"; $m list_cells | grep -q cell1 || $m create_cell --name=cell1`);
    await manage("db", "sync");
  }

  private async keystoneDatabase(secrets: LabSecrets): Promise<void> {
    const config = ["--config-file", conf("keystone/keystone.conf")];
    const owner = ["--keystone-user", "root", "--keystone-group", "root"];
    await this.command("keystone-setup", "keystone-manage", ...config, "db_sync");
    await this.command("keystone-setup", "keystone-manage", ...config, "fernet_setup", ...owner);
    await this.command("keystone-setup", "keystone-manage", ...config, "credential_setup", ...owner);
    await runInTree(
      this.places, this.tree, "keystone-setup",
      ["keystone-manage", ...config, "bootstrap", "--bootstrap-region-id", REGION,
        "--bootstrap-admin-url", KEYSTONE_URL, "--bootstrap-internal-url", KEYSTONE_URL, "--bootstrap-public-url", KEYSTONE_URL],
      { OS_BOOTSTRAP_PASSWORD: secrets.admin },
    );
  }

  /** The database must be down while its files are copied, and keystone should not see it go. */
  private async keepSeed(): Promise<void> {
    const pair = [keystoneService, mariadbService];
    for (const { name } of pair) {
      const at = this.keepers.findIndex((k) => k.status.name === name);
      await this.keepers[at]?.stop();
      this.keepers.splice(at, 1);
    }
    await writeFile(this.stamp("identity"), "");
    await saveSeed(this.places);
    for (const service of pair.reverse()) await this.start(service).ready(READY_SECONDS);
  }
}
