import type { GridConfig } from "../config/grid-config";
import { masterHostname, poolDomain } from "../policy/names";
import type { GuestFile, GuestNetwork } from "./guest-file";
import { masterFiles } from "./master";
import { workerIdentityScript } from "./scripts";
import { workerFiles } from "./worker";
import { toYaml } from "./yaml";

/** What a stock Debian lacks; the appliance has it all. */
export const stockPackages = ["condor", "curl", "dnsmasq", "nftables", "nodejs", "procps"] as const;

/** First boot of the master. Holds no secret: keys and credentials come by ssh once it answers. */
export function masterUserData(config: GridConfig, network: GuestNetwork): string {
  return userData({
    ...base(config),
    hostname: masterHostname,
    fqdn: `${masterHostname}.${poolDomain(config.name)}`,
    prefer_fqdn_over_hostname: false,
    bootcmd: firstBootAgain,
    users: [{ name: "grid", gecos: "submits jobs", shell: "/bin/bash", lock_passwd: true }],
    write_files: writeFiles(masterFiles(config, network)),
    runcmd: [
      ["systemctl", "daemon-reload"],
      // The appliance starts sshd after its files are written; elsewhere it may hold its old port.
      ...(config.image.kind === "stock" ? [["systemctl", "reload-or-restart", "ssh.service"]] : []),
      // The rules name the cards, which elastigrid-network finds: it loads them itself; the service does at later boots.
      ["systemctl", "enable", "nftables.service"],
      ["systemctl", "enable", "--now", "elastigrid-network.service", "elastigrid-resolver.service", "dnsmasq.service", "condor.service"],
    ],
  });
}

/** First boot of a worker, the same for all: what differs comes from the server's uuid. Holds no secret. */
export function workerUserData(config: GridConfig, network: GuestNetwork): string {
  return userData({
    ...base(config),
    preserve_hostname: true,
    users: [],
    bootcmd: [...firstBootAgain, ["sh", "-c", workerIdentityScript(config)]],
    write_files: writeFiles(workerFiles(config, network)),
    // The appliance needs no commands: its units were never loaded before their files came, and enrolment starts by itself.
    // Elsewhere packages are installed first, which may load and start what they bring.
    ...(config.image.kind === "stock" ? { runcmd: [["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", "elastigrid-enrol.service"]] } : {}),
  });
}

/**
 * A first boot that lost its power half-way would count as done: cloud-init notes each module before it runs. Until it
 * says at the very end that it has finished, every boot is a first one.
 */
const firstBootAgain = [["sh", "-c", "test -e /var/lib/cloud/instance/boot-finished || rm -f /var/lib/cloud/instance/sem/config_*"]];

const userData = (config: object): string => `#cloud-config\n${toYaml(config)}`;

const base = (config: GridConfig): object => ({
  // cloud-init would put the server's name before ours.
  manage_etc_hosts: false,
  disable_root: false,
  ...(config.image.kind === "stock" ? { package_update: true, packages: [...stockPackages] } : {}),
});

/** Ownership and mode as cloud-init wants them; root is its default owner. */
const writeFiles = (files: readonly GuestFile[]): object[] => files.map((f) => ({ path: f.path, permissions: f.mode ?? "0644", content: f.text }));
