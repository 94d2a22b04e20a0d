import type { GridConfig } from "../config/grid-config";
import { lines, type GuestFile } from "./guest-file";

/** Users of one grid do not trust one another: what keeps the jobs of a worker apart. Attacked by test/grid/isolation.spec.ts. */

const preparePath = "/usr/local/libexec/elastigrid-isolate";
const starterPath = "/usr/local/libexec/elastigrid-starter";
const slotUsersPath = "/etc/condor/config.d/70-elastigrid-slots.config";

/**
 * Accounts for jobs, one for each slot that can exist at once. A dynamic slot takes a whole cpu at least (the startd rounds requests up), so there
 * are no more than cpus; twice as many, because a slot's number is free again only once its job's end is confirmed.
 */
export function slotAccounts(config: GridConfig): number {
  const own = Number(config.condor.settings["NUM_CPUS"]);
  return 2 * Math.max(config.workers.vcpus, Number.isInteger(own) ? own : 0);
}

/** The worker's settings. USE_PID_NAMESPACES is not among them: with cgroups 23.9.6 then fails to start any job (it looks for the outer pid inside). */
export const isolationConfig = (): string[] => [
  `# Each slot has an account of its own (${slotUsersPath}, made at boot); what an account still runs after its job is ended.`,
  "DEDICATED_EXECUTE_ACCOUNT_REGEXP = slot[0-9]+_[0-9]+",
  "JOB_EXECDIR_PERMISSIONS = user",
  "# Own folders, gone with the job, in place of all that everybody may write to.",
  'MOUNT_UNDER_SCRATCH = "/tmp,/var/tmp,/run/lock"',
  "MOUNT_PRIVATE_DEV_SHM = True",
  "# Memory beyond the slot's ends the job, which is held and told so; its neighbours lose nothing.",
  "CGROUP_MEMORY_LIMIT_POLICY = hard",
  "# HTCondor's own starter, in an IPC namespace that ends with it.",
  `STARTER = ${starterPath}`,
];

export const isolationFiles = (config: GridConfig): GuestFile[] => [
  { path: preparePath, mode: "0755", text: prepareScript(slotAccounts(config)) },
  { path: starterPath, mode: "0755", text: starterScript },
  // A worker that cannot be made safe takes no job: HTCondor does not start, and the console says why.
  { path: "/etc/systemd/system/condor.service.d/20-elastigrid-isolation.conf", text: lines("[Service]", `ExecStartPre=+${preparePath}`, "# For each account: a fork bomb stays in its slot.", "LimitNPROC=4096") },
];

/** Runs before each start of HTCondor; the loop saves user data, which a cloud limits. */
const prepareScript = (accounts: number): string =>
  lines(
    "#!/bin/sh",
    "# Written by elastigrid. Keeps the jobs of this worker apart, before HTCondor starts.",
    "set -eu",
    `slots=$(seq ${accounts})`,
    "# Locked accounts; the shell is for condor_ssh_to_job and interactive jobs.",
    'for i in $slots; do echo "u slot1_$i - \\"job in slot1_$i\\" / /bin/bash"; done | systemd-sysusers -',
    `for i in $slots; do echo "SLOT1_\${i}_USER = slot1_$i"; done > ${slotUsersPath}`,
    "# Only HTCondor sees the processes of others.",
    'mount -o "remount,hidepid=2,gid=$(id -g condor)" /proc',
    "# The logs tell the arguments of jobs.",
    "chmod 0750 /var/log/condor",
  );

/** What is left of shared memory, semaphores and message queues would wait for the next job of the account. */
const starterScript = lines("#!/bin/sh", "# Written by elastigrid.", 'exec unshare --ipc /usr/sbin/condor_starter "$@"');
