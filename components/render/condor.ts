import { DEFAULT_TYPE, workerTypeAttribute } from "../config/controller-config";
import type { GridConfig } from "../config/grid-config";
import { planNetwork } from "../policy/addresses";
import { poolDomain } from "../policy/names";
import { condorPort } from "../policy/ports";
import { slotMemoryMiB } from "../policy/sizes";
import { isolationConfig } from "./condor-isolation";
import { masterKindsConfig, workerKindsConfig } from "./condor-kinds";
import { lines } from "./guest-file";

/** A script that prints the guest's CPU use; the startd runs it and publishes what it says. */
export const cpuProbePath = "/usr/local/libexec/elastigrid-cpu";

/** What the schedd starts for each job that runs, before HTCondor's own shadow. */
export const shadowPath = "/usr/local/libexec/elastigrid-shadow";

/** The attribute by which the controller knows a machine ad's server. */
export const serverUuidAttribute = "ElastigridServerUuid";
export const cpuPercentAttribute = "ElastigridCpuPercent";

/** Above the ten minutes for which a queue may be away, with STARTER_UPDATE_SECONDS taken off and room to spare. */
const JOB_LEASE_SECONDS = 1_200;
/** At 10,000 running jobs 170 small messages a second to their shadows. */
const STARTER_UPDATE_SECONDS = 60;

/** What master and workers agree on. */
function common(config: GridConfig): string[] {
  const plan = planNetwork(config.network.cidr);
  const domain = poolDomain(config.name);
  return [
    "# Written by elastigrid; settings of your own: condor.settings in the grid's configuration.",
    "use security:recommended_v9_0",
    "SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS",
    `TRUST_DOMAIN = ${domain}`,
    `UID_DOMAIN = ${domain}`,
    `DEFAULT_DOMAIN_NAME = ${domain}`,
    "# One domain lets jobs say should_transfer_files = NO (nearly three times as many trivial jobs a second); there is no",
    "# shared file system, so files are transferred unless a job says so.",
    `FILESYSTEM_DOMAIN = ${domain}`,
    "SUBMIT_DEFAULT_SHOULD_TRANSFER_FILES = YES",
    `CONDOR_HOST = ${plan.masterAddress}`,
    `COLLECTOR_HOST = ${plan.masterAddress}:${condorPort}`,
    "ENABLE_IPV6 = False",
    "# condor_master would write the kernel's settings, for other containers of the same kernel too.",
    "ENABLE_KERNEL_TUNING = False",
    "# A vanished peer is noticed by the kernel: 10 s of silence, then 3 probes in 15 s (with the sysctl settings of",
    "# /etc/sysctl.d/60-elastigrid.conf). Stock is 360 s, and then as long as the kernel's own interval.",
    "TCP_KEEPALIVE_INTERVAL = 10",
    "CLASSAD_LIFETIME = 60",
    "MASTER_UPDATE_INTERVAL = 20",
  ];
}

/** Central manager and access point. */
export function masterCondorConfig(config: GridConfig): string {
  return lines(
    ...common(config),
    "DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD",
    `NETWORK_INTERFACE = ${planNetwork(config.network.cidr).masterAddress}`,
    "# A worker's token may show a worker, and nothing else; the controller runs as root here.",
    "ALLOW_ADVERTISE_STARTD = worker@$(UID_DOMAIN) root@$(UID_DOMAIN) condor@$(UID_DOMAIN)",
    "ALLOW_ADVERTISE_MASTER = worker@$(UID_DOMAIN) root@$(UID_DOMAIN) condor@*",
    "ALLOW_ADVERTISE_SCHEDD = condor@*",
    "ALLOW_ADMINISTRATOR = condor@* root@$(UID_DOMAIN)",
    "QUEUE_SUPER_USERS = root, condor",
    "# A first match in 3 s instead of 15 to 20.",
    "NEGOTIATOR_INTERVAL = 2",
    "NEGOTIATOR_MIN_INTERVAL = 1",
    "NEGOTIATOR_CYCLE_DELAY = 1",
    "SCHEDD_INTERVAL = 5",
    "SCHEDD_MIN_INTERVAL = 1",
    "# Each negotiation notes in the queue's log why it refused each kind of job: 17 MB a minute with 10,000 kinds, 4 GiB in four hours on the",
    "# disk that holds the queue. It is written anew this often (10,000 jobs: 4 MB in 0.2 s), and the one before is kept; stock is once a day.",
    "QUEUE_CLEAN_INTERVAL = 600",
    "JOB_START_DELAY = 0",
    "JOB_START_COUNT = 50",
    "# A shadow that goes on with the next job asks for it 5 ms after the last one, while the starter needs 10 ms and more to end; it",
    "# is refused and waits a whole second. A new shadow comes later, and this one a little later still.",
    "SHADOW_WORKLIFE = 0",
    `SHADOW = ${shadowPath}`,
    "# Fill one worker before the next, so that the others may go.",
    "NEGOTIATOR_DEPTH_FIRST = True",
    "# The queue survives a crash of the daemons; only a crash of the whole server may lose the last second.",
    "CONDOR_FSYNC = False",
    "ENABLE_USERLOG_FSYNC = False",
    "# Below CLASSAD_LIFETIME, or the daemons vanish from condor_status.",
    "COLLECTOR_UPDATE_INTERVAL = 20",
    "NEGOTIATOR_UPDATE_INTERVAL = 20",
    "# A job goes on for this long without its master: a queue that was stopped for ten minutes lost all that ran at 300. Jobs of a",
    "# machine that is gone do not wait for it: the controller tells the queue. Stock is 2400.",
    `JOB_DEFAULT_LEASE_DURATION = ${JOB_LEASE_SECONDS}`,
    "# A worker that was cut off is looked for this often until then; stock doubles the pause up to 300 s, past the lease's end.",
    "RECONNECT_BACKOFF_CEILING = 10",
    ...masterKindsConfig(),
    ...own(config),
  );
}

/** One worker of the configuration's type (see `ofType`): one partitionable slot over the whole server. Which server it is, the first boot adds. */
export function workerCondorConfig(config: GridConfig): string {
  const { workers, network } = config;
  const { labels = {} } = workers;
  return lines(
    ...common(config),
    "DAEMON_LIST = MASTER, STARTD",
    `NETWORK_INTERFACE = ${wildcard(network.cidr)}`,
    "# Without it a drain kills the job at once: this is the promise that none is killed.",
    "MAXJOBRETIREMENTTIME = 31536000",
    "# Drained 1 s after the last job instead of up to 5: only then is that promise back in force, should the drain be cancelled.",
    "POLLING_INTERVAL = 1",
    "# So long a user's jobs follow one another on a slot before the negotiator is asked who is next. The startd reads it, not the schedd.",
    "# A renewal costs 2.2 s, so this one 0.7 % at most; stock is 1200. With another user's short jobs on all slots, a second user's first",
    "# job started after 14 s at 20, and not within 42 s at 1200 (which did 11 % more jobs of 1 s).",
    "CLAIM_WORKLIFE = 300",
    `NUM_CPUS = ${workers.vcpus}`,
    `MEMORY = ${slotMemoryMiB(workers.memoryMiB)}`,
    "NUM_SLOTS = 1",
    "NUM_SLOTS_TYPE_1 = 1",
    "SLOT_TYPE_1 = 100%",
    "SLOT_TYPE_1_PARTITIONABLE = True",
    "START = True",
    "# Submitters have no account here.",
    "STARTER_ALLOW_RUNAS_OWNER = False",
    ...isolationConfig(),
    ...workerKindsConfig(config),
    "# A job that loses its master goes on for the lease less the time since its starter last told how far it is. Stock is 300: with a",
    "# lease no longer than that, a schedd that only started again ended the job in the same second.",
    `STARTER_UPDATE_INTERVAL = ${STARTER_UPDATE_SECONDS}`,
    "# Ready in 1 s instead of 6.",
    "RunBenchmarks = False",
    "VM_GAHP_SERVER =",
    "UPDATE_INTERVAL = 10",
    `STARTD_ATTRS = $(STARTD_ATTRS) ${[serverUuidAttribute, workerTypeAttribute, ...Object.keys(labels)].join(" ")}`,
    `${workerTypeAttribute} = "${workers.type ?? DEFAULT_TYPE}"`,
    // A dollar sign would begin a macro.
    ...Object.entries(labels).map(([label, value]) => `${label} = ${value.replaceAll("$", "$(DOLLAR)")}`),
    "STARTD_CRON_JOBLIST = CPU",
    `STARTD_CRON_CPU_EXECUTABLE = ${cpuProbePath}`,
    `STARTD_CRON_CPU_ARGS = ${workers.vcpus}`,
    "STARTD_CRON_CPU_MODE = Periodic",
    "STARTD_CRON_CPU_PERIOD = 10s",
    ...own(config),
  );
}

/** The user's settings come last, and win where they may. */
const own = (config: GridConfig): string[] => Object.entries(config.condor.settings).map(([key, value]) => `${key} = ${value}`);

/** HTCondor knows whole octets only; a worker has one card, so a wider pattern finds the same address. */
function wildcard(cidr: string): string {
  const [a, b, c] = cidr.split(".");
  return Number(cidr.split("/")[1]) >= 24 ? `${a}.${b}.${c}.*` : `${a}.${b}.*`;
}
