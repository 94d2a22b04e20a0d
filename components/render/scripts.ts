import type { GridConfig } from "../config/grid-config";
import { planNetwork } from "../policy/addresses";
import { poolDomain } from "../policy/names";
import { enrolmentPort } from "../policy/ports";
import { cpuPercentAttribute, serverUuidAttribute } from "./condor";
import { upstreamFile } from "./dnsmasq";
import { lines, type GuestNetwork } from "./guest-file";
import { nicDefinitions } from "./nftables";

/** Shell scripts that run in the guests. POSIX sh, idempotent: they run again at every boot or `up`. */

/** Loads the rules, and waits for the card's address: HTCondor and enrolment listen on it, and start after this. */
const oneCardScript = (masterAddress: string): string =>
  lines(
    "#!/bin/sh",
    "# Written by elastigrid. The cloud gives the one card its address.",
    "set -eu",
    "sysctl -q -p /etc/sysctl.d/60-elastigrid.conf",
    "nft -f /etc/nftables.conf",
    "for _ in $(seq 300); do",
    `  [ -z "$(ip -4 -o address show to ${masterAddress})" ] || exit 0`,
    "  sleep 0.1",
    "done",
    `echo "elastigrid: no card has ${masterAddress} after 30 s: $(ip -4 -o address show scope global)" >&2`,
    "exit 1",
  );

/** Tells the two cards apart (the order of the server's definition is the order in the guest) and sets up the private one. */
export function masterNetworkScript(config: GridConfig, network: GuestNetwork): string {
  const { masterAddress, prefix } = planNetwork(config.network.cidr);
  if (network.servesDhcp) return oneCardScript(masterAddress);
  return lines(
    "#!/bin/sh",
    "# Written by elastigrid. First card: public, by DHCP. Second card: the private network.",
    "set -eu",
    'cards=$(for d in /sys/class/net/e*; do [ ! -e "$d/ifindex" ] || echo "$(cat "$d/ifindex") ${d##*/}"; done | sort -n | cut -d" " -f2)',
    "set -- $cards",
    '[ $# -ge 2 ] || { echo "elastigrid: a master needs two network cards, found: ${cards:-none}" >&2; exit 1; }',
    "mkdir -p /etc/elastigrid /etc/systemd/network",
    `printf 'define public = "%s"\\ndefine private = "%s"\\n' "$1" "$2" > ${nicDefinitions}`,
    "network=/etc/systemd/network/10-elastigrid-private.network",
    `printf '[Match]\\nName=%s\\n[Link]\\nRequiredForOnline=no\\n[Network]\\nAddress=${masterAddress}/${prefix}\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\nConfigureWithoutCarrier=yes\\n' "$2" > $network.new`,
    'if cmp -s $network.new $network; then rm $network.new; else mv $network.new $network; networkctl reload || true; fi',
    'ip link set "$2" up',
    `ip address replace ${masterAddress}/${prefix} dev "$2"`,
    "sysctl -q -p /etc/sysctl.d/60-elastigrid.conf",
    "nft -f /etc/nftables.conf",
  );
}

/** Gives dnsmasq the outside's name servers as soon as the public card knows them. */
export function masterResolverScript(): string {
  return lines(
    "#!/bin/sh",
    "# Written by elastigrid.",
    "mkdir -p /run/elastigrid",
    "for _ in $(seq 60); do",
    "  if [ -e /run/systemd/resolve/resolv.conf ]; then",
    "    servers=$(sed -n 's/^nameserver //p' /run/systemd/resolve/resolv.conf)",
    "  else",
    "    servers=$(sed -n 's/^DNS=//p' /run/systemd/netif/leases/* 2>/dev/null | tr ' ' '\\n')",
    "  fi",
    '  if [ -n "$servers" ] || ip route show default | grep -q .; then break; fi',
    "  sleep 1",
    "done",
    `for s in $servers; do echo "nameserver $s"; done > ${upstreamFile}`,
  );
}

/** Fetches the token that lets this worker advertise itself, then starts HTCondor. Loops: the master may still be booting. */
export function enrolScript(config: GridConfig): string {
  const { masterAddress } = planNetwork(config.network.cidr);
  return lines(
    "#!/bin/sh",
    "# Written by elastigrid.",
    "umask 077",
    "# The rules come before the first connection: one that they find half open they cut, and its answer never arrives.",
    "systemctl start nftables.service",
    "sysctl -q -p /etc/sysctl.d/60-elastigrid.conf",
    "mkdir -p /etc/condor/tokens.d",
    "token=/etc/condor/tokens.d/worker",
    "why=/run/elastigrid-enrol.why",
    "tries=0",
    `until [ -s $token ]; do`,
    `  if curl -fsS --noproxy '*' --connect-timeout 3 --max-time 10 http://${masterAddress}:${enrolmentPort}/v1/enrol -o $token.new 2> $why && [ -s $token.new ]; then`,
    "    mv $token.new $token",
    "  else",
    "    rm -f $token.new",
    "    # The card's address comes within a moment; a master that still boots takes longer.",
    "    tries=$((tries + 1))",
    "    # Whoever looks why a worker does not come sees its console first.",
    '    [ $((tries % 25)) -ne 0 ] || { echo "elastigrid: still no token from the master: $(cat $why)" | tee /dev/console || true; }',
    "    if [ $tries -le 20 ]; then sleep 0.1; else sleep 1; fi",
    "  fi",
    "done",
    "exec systemctl start condor.service",
  );
}

/**
 * HTCondor's shadow, 50 ms later: when it comes to a slot whose last starter is still ending (8 to 13 ms on an idle worker of two
 * cores, 20 to 60 on a loaded one) it is refused and waits a whole second, and every third to seventh job did. The schedd also asks
 * it what it can do (-classad).
 */
export function shadowScript(): string {
  return lines(
    "#!/bin/sh",
    "# Written by elastigrid; HTCondor's schedd runs it for each job that starts: the slot's last job needs a moment to end.",
    '[ "${1:-}" = -classad ] || sleep 0.05',
    'exec /usr/sbin/condor_shadow "$@"',
  );
}

/** Prints CPU use since the last call as per cent of all vcpus. */
export function cpuProbe(): string {
  return lines(
    "#!/bin/sh",
    "# Written by elastigrid; HTCondor's startd runs it. $1: vcpus.",
    "set -eu",
    "state=${TMPDIR:-/tmp}/elastigrid-cpu.$(id -u)",
    "if grep -q '^usage_usec ' /sys/fs/cgroup/cpu.stat 2>/dev/null; then",
    "  used=$(awk '$1 == \"usage_usec\" { print $2 }' /sys/fs/cgroup/cpu.stat)",
    "else",
    "  # user nice system irq softirq steal, in hundredths of a second",
    "  used=$(awk '$1 == \"cpu\" { printf \"%.0f\", ($2 + $3 + $4 + $7 + $8 + $9) * 10000 }' /proc/stat)",
    "fi",
    "read -r up _ < /proc/uptime",
    "now=$((${up%.*} * 1000000 + 1${up#*.} * 10000 - 1000000))",
    "[ ! -s \"$state\" ] || read -r then before < \"$state\"",
    "echo \"$now $used\" > \"$state\"",
    "[ -n \"${before:-}\" ] && [ \"$now\" -gt \"$then\" ] && [ \"$used\" -ge \"$before\" ] || exit 0",
    "awk -v d=$((used - before)) -v t=$((now - then)) -v n=\"$1\" 'BEGIN {",
    "  p = 100 * d / t / n",
    `  printf "${cpuPercentAttribute} = %.1f\\n", (p > 100 ? 100 : p)`,
    "}'",
  );
}

/** Volatile: whoever starts the unit at each boot writes it anew. */
const enrolUnitPath = "/run/systemd/system/elastigrid-enrol.service";

/** Starts as soon as cloud-init has written the files: long before its commands, which come last. */
export const enrolUnit = (): string =>
  lines(
    "[Unit]",
    "Description=elastigrid: token for this worker, then HTCondor",
    "After=cloud-init-network.service systemd-networkd.service",
    "StartLimitIntervalSec=0",
    "[Service]",
    "ExecStart=/usr/local/sbin/elastigrid-enrol",
    "Restart=on-failure",
    "RestartSec=2",
    "[Install]",
    "WantedBy=multi-user.target",
  );

/**
 * Names a worker after its server. cloud-init gives the server's uuid as INSTANCE_ID to boot commands; the template that
 * workers are cloned from cannot know it.
 */
export function workerIdentityScript(config: GridConfig): string {
  const domain = poolDomain(config.name);
  const { masterAddress } = planNetwork(config.network.cidr);
  return lines(
    "set -eu",
    'name="w-$(printf %.8s "$INSTANCE_ID")"',
    'echo "$name" > /etc/hostname',
    'hostname "$name" || true',
    "mkdir -p /etc/condor/config.d",
    `printf '${serverUuidAttribute} = "%s"\\n' "$INSTANCE_ID" > /etc/condor/config.d/90-elastigrid-server.config`,
    `printf '127.0.0.1 localhost\\n127.0.1.1 %s.${domain} %s\\n${masterAddress} master.${domain} master\\n' "$name" "$name" > /etc/hosts`,
    // The unit itself waits for the files and the network. Later boots find nothing to reload, and start it here as well.
    ...(config.image.kind === "appliance" ? [`printf '${enrolUnit().replaceAll("\n", "\\n")}' > ${enrolUnitPath}`, "systemctl start --no-block elastigrid-enrol.service"] : []),
  );
}
