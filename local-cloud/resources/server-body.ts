import { forbidden, notExist } from "../api-error";
import { Reader } from "../api/read-body";
import type { World } from "../api/world";
import { newMac } from "../model/ids";
import type { AttachmentRow, NicRow, ServerRow } from "../model/rows";
import { CPU_TYPES, LIMITS } from "./capabilities";

/** Reads and checks what a request says about a server. */

const IDE_CHANNELS = ["0:0", "0:1", "1:0", "1:1"];
const VIRTIO_UNITS = 6;

/** The four fields that every POST and PUT of a server must hold. */
export const requireCore = (r: Reader): void => r.requires("name", "cpu", "mem", "vnc_password");

/** cores: given, kept, or as many as the most MHz per core asks for. */
function cores(r: Reader, cpu: number, before: number | undefined): number {
  const fitting = Math.max(1, Math.ceil(cpu / LIMITS.cpu_per_smp.max));
  const smp = r.int("smp", before ?? fitting, LIMITS.smp);
  const wrong = (n: number): string | undefined =>
    n > 1 && cpu / n < LIMITS.cpu_per_smp.min ? `${cpu} MHz over ${n} cores is below ${LIMITS.cpu_per_smp.min} MHz per core`
    : cpu / n > LIMITS.cpu_per_smp.max ? `${cpu} MHz over ${n} cores is above ${LIMITS.cpu_per_smp.max} MHz per core` : undefined;
  const problem = wrong(smp);
  if (problem === undefined) return smp;
  if (r.body.smp === undefined || r.body.smp === null) return fitting;
  // a whole GET body sent back with another cpu keeps the old smp: that is a mistake of the caller
  r.fail("smp", problem);
  return smp;
}

type Plain = Pick<ServerRow, "name" | "cpu" | "mem" | "smp" | "vnc_password" | "cpu_type" | "cpu_model" | "cpus_instead_of_cores" | "hypervisor" | "enable_numa" | "hv_relaxed" | "hv_tsc" | "context" | "auto_start" | "allocation_pool" | "requirements" | "epcs" | "gpus" | "pubkeys">;

/** Everything but name, meta and tags of a running server, drives and NICs. Absent optional fields keep their value. */
export function readPlain(world: World, r: Reader, before: Plain | undefined): Plain {
  const cpu = r.int("cpu", before?.cpu ?? 0, LIMITS.cpu);
  const keys = r.has("pubkeys") ? r.refs("pubkeys") : (before?.pubkeys ?? []);
  for (const key of keys) if (world.store.keypairs.get(key) === undefined) throw notExist(key, "pubkeys");
  return {
    name: r.string("name", before?.name ?? ""),
    cpu,
    mem: r.int("mem", before?.mem ?? 0, LIMITS.mem),
    smp: cores(r, cpu, before?.smp),
    vnc_password: r.string("vnc_password", before?.vnc_password ?? ""),
    cpu_type: r.choice("cpu_type", before?.cpu_type ?? "amd", CPU_TYPES),
    cpu_model: r.nullableString("cpu_model", before?.cpu_model ?? null),
    cpus_instead_of_cores: r.bool("cpus_instead_of_cores", before?.cpus_instead_of_cores ?? false),
    hypervisor: r.choice("hypervisor", before?.hypervisor ?? "kvm", ["kvm"]),
    enable_numa: r.bool("enable_numa", before?.enable_numa ?? false),
    hv_relaxed: r.bool("hv_relaxed", before?.hv_relaxed ?? false),
    hv_tsc: r.bool("hv_tsc", before?.hv_tsc ?? false),
    context: r.bool("context", before?.context ?? true),
    auto_start: r.bool("auto_start", before?.auto_start ?? false),
    allocation_pool: r.nullableString("allocation_pool", before?.allocation_pool ?? null),
    requirements: r.has("requirements") ? r.list("requirements") : (before?.requirements ?? []),
    epcs: r.has("epcs") ? r.readers("epcs").map((e) => ({ size: e.int("size", 0, { min: 1 }) })) : (before?.epcs ?? []),
    gpus: r.has("gpus") ? r.readers("gpus").map((g) => ({ model: g.string("model", "") })) : (before?.gpus ?? []),
    pubkeys: keys,
  };
}

/** Tags must exist; they replace the whole list. */
export function readTags(world: World, r: Reader, before: readonly string[]): string[] {
  if (!r.has("tags")) return [...before];
  const tags = r.refs("tags");
  for (const tag of tags) if (world.store.tags.get(tag) === undefined) throw notExist(tag, "tags");
  return tags;
}

export function readDrives(world: World, r: Reader, server: string | undefined, before: readonly AttachmentRow[]): AttachmentRow[] {
  if (!r.has("drives")) return [...before];
  const seen = new Set<string>();
  const channels = new Set<string>();
  const found: AttachmentRow[] = r.readers("drives").map((d) => {
    d.requires("dev_channel", "device", "drive");
    const row = {
      boot_order: d.has("boot_order") && d.body.boot_order !== null ? d.int("boot_order", 0, { min: 0 }) : null,
      dev_channel: d.string("dev_channel", "0:0"), device: d.choice("device", "virtio", ["virtio", "ide", "scsi"]), drive: d.ref("drive") ?? "",
    };
    checkChannel(d, row);
    const channel = `${row.device} ${row.dev_channel}`;
    if (channels.has(channel)) d.fail("dev_channel", `${channel} is used twice`);
    if (seen.has(row.drive)) d.fail("drive", "is listed twice");
    channels.add(channel);
    seen.add(row.drive);
    return row;
  });
  r.done();
  for (const d of found) requireAttachable(world, d.drive, server);
  return found;
}

function checkChannel(r: Reader, d: AttachmentRow): void {
  const m = /^(\d+):(\d+)$/.exec(d.dev_channel);
  if (m === null) return r.fail("dev_channel", "must be controller:unit, such as 0:0");
  if (d.device === "ide" && !IDE_CHANNELS.includes(d.dev_channel)) r.fail("dev_channel", `ide has only ${IDE_CHANNELS.join(", ")}`);
  if (d.device === "virtio" && Number(m[2]) >= VIRTIO_UNITS) r.fail("dev_channel", `virtio has units 0 to ${VIRTIO_UNITS - 1} per controller`);
}

/** Library disks must be cloned first; a disk serves one server unless it allows more; cdroms are shared. */
function requireAttachable(world: World, uuid: string, server: string | undefined): void {
  const drive = world.store.drives.get(uuid);
  if (drive === undefined || drive.deleting) {
    const lib = world.library.get(uuid);
    if (lib === undefined) throw notExist(uuid, "drives");
    if (lib.media === "disk") throw forbidden(`Cannot attach library drive ${uuid}: clone it first`);
    return;
  }
  if (drive.owner !== world.store.account.uuid) throw forbidden(`the user lacks [ATTACH] on drive ${uuid}`);
  if (drive.media === "cdrom" || drive.allow_multimount) return;
  const other = world.store.usersOf(uuid).find((s) => s !== server);
  if (other !== undefined) throw forbidden(`Cannot attach drive ${uuid}: it is mounted on guest ${other} and does not allow more`);
}

export function readNics(world: World, r: Reader, server: string | undefined, before: readonly NicRow[]): NicRow[] {
  if (!r.has("nics")) return [...before];
  const statics = new Set<string>();
  const nics = r.readers("nics").map((n): NicRow => {
    const mac = n.nullableString("mac", null);
    const old = mac === null ? undefined : before.find((b) => b.mac === mac.toLowerCase());
    // without a mac it is a new NIC; a known mac changes that NIC; an unknown one is a mistake
    if (mac !== null && old === undefined) n.fail("mac", `${mac} is not a NIC of this server`);
    const vlan = n.has("vlan") ? n.ref("vlan") : null;
    const v4 = readIpConf(n, "ip_v4_conf");
    const v6 = readIpConf(n, "ip_v6_conf");
    if (vlan !== null && (v4 !== null || v6 !== null)) n.fail("ip_v4_conf", "a NIC on a VLAN has no IP configuration");
    if (v4?.ip) {
      if (statics.has(v4.ip)) n.fail("ip_v4_conf", `${v4.ip} is used twice`);
      statics.add(v4.ip);
    }
    return {
      mac: old?.mac ?? newMac(), model: n.choice("model", old?.model ?? "virtio", ["virtio", "e1000", "rtl8139"]), boot_order: n.has("boot_order") && n.body.boot_order !== null ? n.int("boot_order", 0) : null,
      ip_v4_conf: v4, ip_v6_conf: v6, vlan, firewall_policy: n.has("firewall_policy") ? n.ref("firewall_policy") : (old?.firewall_policy ?? null),
    };
  });
  r.done();
  for (const n of nics) requireNetwork(world, n, server);
  return nics;
}

function readIpConf(n: Reader, key: string): NicRow["ip_v4_conf"] {
  if (!n.has(key) || n.body[key] === null) return null;
  const c = n.reader(key);
  c.requires("conf");
  const conf = c.choice("conf", "dhcp", ["dhcp", "static", "manual"]);
  const ip = c.ref("ip");
  if (conf === "static" && ip === null) c.fail("ip", "static needs an ip");
  if (conf !== "static" && ip !== null) c.fail("ip", `${conf} takes no ip`);
  return { conf, ip };
}

/** VLANs are shared by servers; a static address has to be subscribed and free. */
function requireNetwork(world: World, nic: NicRow, server: string | undefined): void {
  const me = world.store.account.uuid;
  if (nic.vlan !== null) {
    const vlan = world.store.vlans.get(nic.vlan);
    if (vlan === undefined) throw notExist(nic.vlan, "nics.vlan");
    if (vlan.owner !== me) throw forbidden(`the user lacks [ATTACH] on vlan ${nic.vlan}`);
  }
  const address = nic.ip_v4_conf?.conf === "static" ? nic.ip_v4_conf.ip : null;
  if (address !== null) {
    const ip = world.store.ips.get(address);
    if (ip === undefined || ip.lent !== null) throw notExist(address, "nics.ip_v4_conf.ip");
    if (ip.owner !== me) throw forbidden(`the user lacks [ATTACH] on ip ${address}`);
    const other = world.store.usersOf(address).find((s) => s !== server);
    if (other !== undefined) throw forbidden(`Cannot use ip ${address}: it belongs to guest ${other}`);
  }
  if (nic.firewall_policy && world.store.fwpolicies.get(nic.firewall_policy) === undefined) throw notExist(nic.firewall_policy, "nics.firewall_policy");
}
