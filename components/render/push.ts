import type { GuestFile } from "./guest-file";

/**
 * A shell script for standard input of a root shell on the master: brings its files up to date and makes running
 * services read them. Nothing restarts that did not change, and no job notices.
 */
export function pushFilesScript(files: readonly GuestFile[], firstBootSeconds = 300): string {
  return [
    "set -eu",
    "umask 022",
    "# sshd answers before the first boot is through.",
    "waited=0",
    "until [ -e /run/cloud-init/result.json ]; do",
    `  [ $waited -lt ${firstBootSeconds} ] || { echo "the first boot is not through after ${firstBootSeconds} s:"; cloud-init status --long; exit 1; } >&2`,
    "  sleep 1; waited=$((waited + 1))",
    "done",
    "grep -Eq '\"errors\": \\[\\]' /run/cloud-init/result.json || { echo 'cloud-init reports errors:'; cat /run/cloud-init/result.json; tail -n 20 /var/log/cloud-init-output.log; } >&2",
    "mkdir -p /opt/elastigrid",
    'changed=""',
    "put() { # path, mode; contents in base64 on standard input",
    '  mkdir -p "$(dirname "$1")"',
    '  base64 -d > "$1.elastigrid-new"',
    '  if cmp -s "$1.elastigrid-new" "$1"; then rm "$1.elastigrid-new"; return; fi',
    '  chmod "$2" "$1.elastigrid-new"',
    '  mv "$1.elastigrid-new" "$1"',
    '  changed="$changed $1"',
    "}",
    ...files.map((f) => `put ${f.path} ${f.mode ?? "0644"} <<'END'\n${wrapped(f.text)}\nEND`),
    'case "$changed" in "") echo "files: as they were"; exit 0;; esac',
    'echo "files changed:$changed"',
    "systemctl daemon-reload",
    'case "$changed" in *sshd_config*) systemctl reload-or-restart ssh.service;; esac',
    'case "$changed" in *dnsmasq*) systemctl restart dnsmasq.service;; esac',
    'case "$changed" in *nftables*|*sysctl*|*elastigrid-network*) systemctl restart elastigrid-network.service;; esac',
    'case "$changed" in *condor/config*) ! systemctl -q is-active condor.service || condor_reconfig;; esac',
    "",
  ].join("\n");
}

const wrapped = (text: string): string => (Buffer.from(text, "utf8").toString("base64").match(/.{1,76}/g) ?? []).join("\n");
