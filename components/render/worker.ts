import type { GridConfig } from "../config/grid-config";
import { planNetwork } from "../policy/addresses";
import { cpuProbePath, workerCondorConfig } from "./condor";
import { isolationFiles } from "./condor-isolation";
import { lines, type GuestFile, type GuestNetwork } from "./guest-file";
import { condorDropIn } from "./master";
import { workerNftables } from "./nftables";
import { cpuProbe, enrolScript, enrolUnit } from "./scripts";

/** All files that make a plain image a worker. */
export function workerFiles(config: GridConfig, network: GuestNetwork): GuestFile[] {
  return [
    ...(config.image.kind === "appliance" ? [{ path: "/etc/resolv.conf", text: lines(`nameserver ${planNetwork(config.network.cidr).masterAddress}`) }] : []),
    { path: "/etc/sysctl.d/60-elastigrid.conf", text: sysctl },
    { path: "/etc/nftables.conf", mode: "0755", text: workerNftables(config, network) },
    { path: "/etc/condor/config.d/80-elastigrid.config", text: workerCondorConfig(config) },
    { path: "/etc/systemd/system/condor.service.d/10-elastigrid.conf", text: condorDropIn("/etc/condor/tokens.d/worker", "systemd-networkd.service") },
    ...isolationFiles(config),
    { path: cpuProbePath, mode: "0755", text: cpuProbe() },
    { path: "/usr/local/sbin/elastigrid-enrol", mode: "0755", text: enrolScript(config) },
    // The appliance's boot commands write it: see workerIdentityScript.
    ...(config.image.kind === "stock" ? [{ path: "/etc/systemd/system/elastigrid-enrol.service", text: enrolUnit() }] : []),
  ];
}

const sysctl = lines(
  "# A master that vanished without a word is noticed after 25 s.",
  "net.ipv4.tcp_keepalive_time = 10",
  "net.ipv4.tcp_keepalive_intvl = 5",
  "net.ipv4.tcp_keepalive_probes = 3",
  "# And after 100 s (RFC 1122's least) where something was under way. Stock is 15 minutes: a job's starter that was just telling how",
  "# far it is would wait 300 s for the answer, and nobody could reconnect to it before its lease ends.",
  "net.ipv4.tcp_retries2 = 8",
);
