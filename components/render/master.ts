import type { GridConfig } from "../config/grid-config";
import { planNetwork } from "../policy/addresses";
import { masterHostname, poolDomain } from "../policy/names";
import { masterCondorConfig, shadowPath } from "./condor";
import { dnsmasqConfig } from "./dnsmasq";
import { lines, type GuestFile, type GuestNetwork } from "./guest-file";
import { masterNftables } from "./nftables";
import { masterNetworkScript, masterResolverScript, shadowScript } from "./scripts";

/** All files that make a plain image a master; the same list at first boot and on a later `up`. */
export function masterFiles(config: GridConfig, network: GuestNetwork): GuestFile[] {
  const plan = planNetwork(config.network.cidr);
  const domain = poolDomain(config.name);
  return [
    { path: "/etc/hosts", text: lines("127.0.0.1 localhost", `${plan.masterAddress} ${masterHostname}.${domain} ${masterHostname}`) },
    // dnsmasq knows the pool's names, and asks outside where the public card's DHCP said whom. A stock image has a resolver of its own.
    ...(config.image.kind === "appliance" ? [{ path: "/etc/resolv.conf", text: lines("nameserver 127.0.0.1") }] : []),
    { path: "/etc/ssh/sshd_config.d/10-elastigrid.conf", text: lines(`Port ${config.ssh.port}`, "AuthorizedKeysFile .ssh/authorized_keys /etc/elastigrid/authorized_keys") },
    { path: "/etc/elastigrid/authorized_keys", text: lines("# Written by elastigrid: ssh.authorizedKeys of the grid's configuration.", ...config.ssh.authorizedKeys) },
    { path: "/etc/sysctl.d/60-elastigrid.conf", text: network.servesDhcp ? keepalive : lines("# Workers reach the outside through the master.", "net.ipv4.ip_forward = 1") + keepalive },
    { path: "/etc/nftables.conf", mode: "0755", text: masterNftables(config, network) },
    { path: "/etc/dnsmasq.d/elastigrid.conf", text: dnsmasqConfig(config, network) },
    { path: shadowPath, mode: "0755", text: shadowScript() },
    { path: "/etc/condor/config.d/80-elastigrid.config", text: masterCondorConfig(config) },
    { path: "/etc/systemd/system/condor.service.d/10-elastigrid.conf", text: condorDropIn("/etc/condor/passwords.d/POOL", "elastigrid-network.service") },
    { path: "/usr/local/sbin/elastigrid-network", mode: "0755", text: masterNetworkScript(config, network) },
    { path: "/usr/local/sbin/elastigrid-resolver", mode: "0755", text: masterResolverScript() },
    { path: "/etc/systemd/system/elastigrid-network.service", text: networkUnit },
    { path: "/etc/systemd/system/elastigrid-resolver.service", text: resolverUnit },
    { path: "/etc/systemd/system/elastigrid-controller.service", text: controllerUnit },
    { path: "/usr/local/bin/elastigrid", mode: "0755", text: lines("#!/bin/sh", 'exec /usr/bin/node /opt/elastigrid/elastigrid.cjs "$@"') },
  ];
}

/** Starts HTCondor only where its key is: before that it would run without one and refuse everybody. */
export const condorDropIn = (keyFile: string, after: string): string =>
  lines("[Unit]", `ConditionPathExists=${keyFile}`, `After=${after}`, "[Service]", "RestartSec=2");

/** Per network namespace, so a guest of local-cloud changes no setting of its computer. */
const keepalive = lines(
  "# With HTCondor's TCP_KEEPALIVE_INTERVAL: a worker that vanished without a word is noticed after 25 s.",
  "net.ipv4.tcp_keepalive_time = 10",
  "net.ipv4.tcp_keepalive_intvl = 5",
  "net.ipv4.tcp_keepalive_probes = 3",
);

const networkUnit = lines(
  "[Unit]",
  "Description=elastigrid: private network of the grid",
  "After=systemd-networkd.service",
  "Before=dnsmasq.service condor.service elastigrid-controller.service",
  "[Service]",
  "Type=oneshot",
  "RemainAfterExit=yes",
  "ExecStart=/usr/local/sbin/elastigrid-network",
  "[Install]",
  "WantedBy=multi-user.target",
);

const resolverUnit = lines(
  "[Unit]",
  "Description=elastigrid: name servers of the outside, for dnsmasq",
  "After=systemd-networkd.service",
  "[Service]",
  "ExecStart=/usr/local/sbin/elastigrid-resolver",
  "[Install]",
  "WantedBy=multi-user.target",
);

const controllerUnit = lines(
  "[Unit]",
  "Description=elastigrid: controller of the worker group",
  "After=elastigrid-network.service dnsmasq.service condor.service",
  "ConditionPathExists=/etc/elastigrid/controller.json",
  "StartLimitIntervalSec=0",
  "[Service]",
  "ExecStart=/usr/bin/node /opt/elastigrid/elastigrid.cjs controller",
  "Restart=always",
  "RestartSec=2",
  "[Install]",
  "WantedBy=multi-user.target",
);
