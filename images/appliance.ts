import { createHash } from "node:crypto";

/** A tree of files that a server boots: which packages, which files, which services; data only. */
export interface Recipe {
  readonly name: string;
  readonly suite: string;
  readonly version: string;
  readonly description: string;
  readonly packages: readonly string[];
  readonly files: readonly RecipeFile[];
  /** Links to make: path, target. */
  readonly links: readonly (readonly [string, string])[];
  /** Paths to remove after installation, such as keys that every copy would share. */
  readonly remove: readonly string[];
  /** Units that user data may enable. */
  readonly disabledUnits: readonly string[];
  readonly enabledUnits: readonly string[];
  /** Units that have no use on a server of ours. */
  readonly maskedUnits: readonly string[];
}

export interface RecipeFile {
  readonly path: string;
  readonly text: string;
  readonly mode?: number;
}

const lines = (...text: string[]): string => text.join("\n") + "\n";

/**
 * One image for master and workers: user data decides which it becomes. Nothing in it is secret or unique: machine id
 * and host keys are made at the first boot.
 */
export const appliance: Recipe = {
  name: "elastigrid-appliance",
  suite: "trixie",
  version: "13",
  description: "Debian 13 with HTCondor, cloud-init, sshd, nftables, dnsmasq and Node, for masters and workers of a grid",
  packages: [
    "systemd-sysv", "dbus", "cloud-init", "openssh-server", "sudo", "adduser", "ca-certificates", "curl", "procps", "netbase",
    "iproute2", "iputils-ping", "nftables", "dnsmasq", "kmod", "jq", "less", "condor", "nodejs", "python3-serial",
  ],
  files: [
    {
      // NoCloud for local-cloud and for images tried by hand; CloudSigma's serial context on the real cloud.
      path: "/etc/cloud/cloud.cfg.d/90-elastigrid.cfg",
      text: lines(
        "datasource_list: [ NoCloud, CloudSigma, None ]",
        "network: { config: disabled }",
        "disable_root: false",
        "users: []",
        "ssh_genkeytypes: [ ed25519 ]",
        "ssh_deletekeys: true",
        "no_ssh_fingerprints: true",
        "ssh: { emit_keys_to_console: false }",
        "manage_etc_hosts: true",
        // Only what the user data of a grid may ask for: each module left out is a module not loaded at boot.
        "cloud_init_modules: [ bootcmd, write-files, growpart, resizefs, set_hostname, update_etc_hosts, users-groups, ssh ]",
        "cloud_config_modules: [ set-passwords, apt-configure, timezone, runcmd ]",
        "cloud_final_modules: [ package-update-upgrade-install, write-files-deferred, scripts-per-boot, scripts-user, final-message, power-state-change ]",
      ),
    },
    {
      path: "/etc/systemd/network/90-elastigrid-dhcp.network",
      text: lines(
        "# Every network card asks for an address until user data puts a file with a lower number in place.",
        "[Match]",
        "Name=en* eth*",
        "[Link]",
        "RequiredForOnline=no",
        "[Network]",
        "DHCP=ipv4",
        "LinkLocalAddressing=no",
        "IPv6AcceptRA=no",
        "[DHCPv4]",
        // Clones share nothing but might: the card's own address is what the cloud and the master know.
        "ClientIdentifier=mac",
        "UseDomains=no",
        "UseHostname=no",
        "UseNTP=no",
      ),
    },
    {
      // Network files that user data writes are there when the network starts: no reload, no second address.
      path: "/etc/systemd/system/systemd-networkd.service.d/90-elastigrid.conf",
      text: lines("[Unit]", "After=cloud-init-network.service"),
    },
    // Without a resolver that answers, HTCondor stalls for 10 s per new worker; empty means: ask nobody.
    { path: "/etc/resolv.conf", text: "" },
    { path: "/etc/fstab", text: "" },
    { path: "/etc/hostname", text: "localhost\n" },
    { path: "/etc/machine-id", text: "", mode: 0o444 },
    {
      path: "/etc/ssh/sshd_config.d/90-elastigrid.conf",
      text: lines("PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", "UseDNS no"),
    },
    {
      path: "/etc/systemd/journald.conf.d/90-elastigrid.conf",
      text: lines("[Journal]", "Storage=volatile", "RuntimeMaxUse=16M", "Audit=no"),
    },
  ],
  links: [],
  remove: [
    "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ecdsa_key.pub", "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key.pub",
    "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub", "/etc/condor/passwords.d", "/etc/condor/tokens.d",
    "/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed",
    // Started by D-Bus when somebody asks (systemctl poweroff does), not at every boot.
    "/usr/lib/systemd/system/multi-user.target.wants/systemd-logind.service",
  ],
  disabledUnits: ["condor.service", "dnsmasq.service", "nftables.service"],
  enabledUnits: ["systemd-networkd.service", "ssh.service"],
  maskedUnits: [
    "systemd-networkd-wait-online.service", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer",
    "systemd-tmpfiles-clean.timer", "cloud-init-hotplugd.socket", "getty@tty1.service", "console-getty.service", "getty-static.service",
    "systemd-pstore.service", "remote-fs.target", "systemd-networkd-persistent-storage.service", "e2scrub_reap.service",
    "systemd-journal-catalog-update.service", "systemd-update-done.service", "ldconfig.service", "systemd-hwdb-update.service",
    "dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount", "systemd-firstboot.service", "sshd-keygen.service",
    "modprobe@configfs.service", "modprobe@drm.service", "modprobe@efi_pstore.service", "modprobe@fuse.service", "modprobe@dm_mod.service",
    "modprobe@loop.service", "systemd-modules-load.service", "systemd-binfmt.service",
  ],
};

/** Changes whenever the tree would: names the folder in the cache. */
export const recipeHash = (r: Recipe): string => createHash("sha256").update(JSON.stringify(r)).digest("hex").slice(0, 12);

/** The library drive keeps its uuid across recipes, so that configurations may name it. */
export const imageUuid = (name: string): string => {
  const h = createHash("sha1").update(`elastigrid-image:${name}`).digest("hex");
  const variant = ((parseInt(h.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-5${h.slice(13, 16)}-${variant}${h.slice(18, 20)}-${h.slice(20, 32)}`;
};
