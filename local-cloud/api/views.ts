import type { LibraryRow } from "../library";
import type { AclRow, DriveRow, FwPolicyRow, IpRow, JobRow, KeyPairRow, NicRow, ServerRow, SnapshotRow, TagRow, VlanRow } from "../model/rows";
import type { Store } from "../model/store";
import type { View } from "./envelope";
import type { World } from "./world";

/** Rows as the API shows them: the newest key set, in alphabetical order, references expanded. */
export const API = "/api/2.0";
export const ref = (kind: string, uuid: string): View => ({ resource_uri: `${API}/${kind}/${uuid}/`, uuid });
export const userRef = (uuid: string): View => ref("user", uuid);
/** ISO 8601 with microseconds and +00:00; snapshots and audit rows have a blank where others have a T. */
export const timeText = (ms: number, separator: "T" | " " = "T"): string => new Date(ms).toISOString().replace("T", separator).replace("Z", "000+00:00");

const refOrNull = (kind: string, uuid: string | null): View | null => (uuid === null ? null : ref(kind, uuid));

/** Status as a reader sees it: perhaps the old one for a while, perhaps a planted one. */
export function shownStatus(world: World, row: ServerRow): string {
  const last = world.lastStatus.get(row.uuid);
  if (last !== undefined && last.untilMs > world.clock.now()) return last.status;
  return row.status;
}

/** `cloning_src` while a copy of it is being made, else mounted or unmounted once it is ready. */
export function driveStatus(store: Store, row: DriveRow, sources: ReadonlySet<string> | undefined): string {
  if (row.status !== "ready") return row.status;
  if (sources?.has(row.uuid)) return "cloning_src";
  return store.usersOf(row.uuid).length > 0 ? "mounted" : "unmounted";
}

/** Drives that something is being copied from. */
export function cloneSources(store: Store): Set<string> {
  const sources = new Set<string>();
  for (const d of store.drives.all()) if (d.status === "cloning_dst" && d.cloneFrom !== null) sources.add(d.cloneFrom);
  return sources;
}

/** Who else may use an object, by the tags it carries. */
export function granteesOf(store: Store, tags: readonly string[]): View[] {
  if (store.acls.size === 0 || tags.length === 0) return [];
  const found = new Map<string, { email: string | null; permissions: Set<string> }>();
  for (const acl of store.acls.all()) {
    if (!acl.tags.some((t) => tags.includes(t))) continue;
    for (const g of acl.grantees) {
      const entry = found.get(g.uuid) ?? { email: g.email, permissions: new Set<string>() };
      for (const rule of acl.rules) entry.permissions.add(rule.permission);
      found.set(g.uuid, entry);
    }
  }
  return [...found].map(([uuid, g]) => ({ permissions: [...g.permissions].sort(), user: { email: g.email, ...userRef(uuid) } }));
}

const permissionsOf = (store: Store, owner: string): string[] => (owner === store.account.uuid ? [] : ["EDIT", "LIST"]);
const openJobs = (store: Store, jobs: readonly string[]): View[] => jobs.filter((j) => store.jobs.get(j)?.state === "started").map((j) => ref("jobs", j));

const ZERO_IO = { bytes_recv: 0, bytes_sent: 0, packets_recv: 0, packets_sent: 0 };

function nicAddress(store: Store, nic: NicRow): string | null {
  if (nic.ip_v4_conf === null) return null;
  return nic.ip_v4_conf.conf === "static" ? nic.ip_v4_conf.ip : (store.lentTo(nic.mac) ?? null);
}

function nicRuntime(world: World, server: ServerRow, nic: NicRow, withMac: boolean): View {
  const shown = world.clock.now() >= (server.activeSinceMs ?? 0) + world.delays.addressMs;
  const address = shown ? nicAddress(world.store, nic) : null;
  return {
    interface_type: nic.vlan === null ? "public" : "private", io: ZERO_IO, ip_v4: refOrNull("ips", address), ip_v6: null, ...(withMac ? { mac: nic.mac } : {}),
    rx_foreign: 0, rx_local: 0, tx_foreign: 0, tx_local: 0,
  };
}

export function serverRuntime(world: World, row: ServerRow): View | null {
  if (row.activeSinceMs === null) return null;
  return { active_since: timeText(row.activeSinceMs), nics: row.nics.map((n) => nicRuntime(world, row, n, true)) };
}

function nicView(world: World, server: ServerRow, nic: NicRow): View {
  return {
    boot_order: nic.boot_order,
    ...(world.habits.fwpolicies ? { firewall_policy: refOrNull("fwpolicies", nic.firewall_policy ?? null) } : {}),
    ip_v4_conf: nic.ip_v4_conf === null ? null : { conf: nic.ip_v4_conf.conf, ip: refOrNull("ips", nic.ip_v4_conf.ip) },
    ip_v6_conf: nic.ip_v6_conf === null ? null : { conf: nic.ip_v6_conf.conf, ip: refOrNull("ips", nic.ip_v6_conf.ip) },
    mac: nic.mac, model: nic.model,
    runtime: server.activeSinceMs === null ? null : nicRuntime(world, server, nic, false),
    vlan: refOrNull("vlans", nic.vlan),
  };
}

const channelOrder = (text: string): number => {
  const [controller = 0, unit = 0] = text.split(":").map(Number);
  return controller * 1000 + unit;
};

export function serverView(world: World, row: ServerRow): View {
  const { store } = world;
  // the service does not keep the order of drives; that of NICs is the order in the guest
  const drives = [...row.drives].sort((a, b) => (a.device < b.device ? -1 : a.device > b.device ? 1 : channelOrder(a.dev_channel) - channelOrder(b.dev_channel)));
  return {
    allocation_pool: row.allocation_pool, auto_start: row.auto_start, context: row.context, cpu: row.cpu, cpu_model: row.cpu_model, cpu_type: row.cpu_type,
    cpus_instead_of_cores: row.cpus_instead_of_cores,
    drives: drives.map((d) => ({ boot_order: d.boot_order, dev_channel: d.dev_channel, device: d.device, drive: ref("drives", d.drive), runtime: null })),
    enable_numa: row.enable_numa,
    ...(row.epcs.length > 0 ? { epcs: row.epcs } : {}), ...(row.gpus.length > 0 ? { gpus: row.gpus.map((g) => ({ gpu: null, model: g.model })) } : {}),
    grantees: granteesOf(store, row.tags), hv_relaxed: row.hv_relaxed, hv_tsc: row.hv_tsc, hypervisor: row.hypervisor, jobs: openJobs(store, row.jobs),
    mem: row.mem, meta: row.meta, name: row.name, nics: row.nics.map((n) => nicView(world, row, n)), owner: userRef(row.owner),
    permissions: permissionsOf(store, row.owner), pubkeys: row.pubkeys.map((k) => ref("pubkeys", k)), requirements: row.requirements,
    resource_uri: `${API}/servers/${row.uuid}/`, runtime: serverRuntime(world, row), smp: row.smp, status: shownStatus(world, row),
    tags: row.tags.map((t) => ref("tags", t)), uuid: row.uuid, vnc_password: row.vnc_password,
  };
}

export function driveView(world: World, row: DriveRow, sources = cloneSources(world.store)): View {
  const { store } = world;
  const snapshots = [...store.snapshots.all()].filter((s) => s.drive === row.uuid);
  const ephemeral = row.storage_type === "local_nvme";
  return {
    affinities: row.affinities, allow_multimount: row.allow_multimount, backup_scheduler: null, grantees: granteesOf(store, row.tags), iops: row.iops, jobs: openJobs(store, row.jobs),
    licenses: row.licenses, media: row.media, meta: row.meta, mounted_on: store.usersOf(row.uuid).map((s) => ref("servers", s)), name: row.name, owner: userRef(row.owner),
    permissions: permissionsOf(store, row.owner), remote_snapshots: [], resource_uri: `${API}/drives/${row.uuid}/`,
    runtime: {
      is_downloadable: !ephemeral, is_ephemeral: ephemeral, is_snapshotable: row.status === "creating" || row.status === "cloning_dst" ? null : !ephemeral,
      snapshots_allocated_size: 0, storage_type: row.storage_type,
    },
    size: row.size, snapshots: snapshots.map((s) => ref("snapshots", s.uuid)), status: driveStatus(store, row, sources), storage_type: row.storage_type,
    tags: row.tags.map((t) => ref("tags", t)), uuid: row.uuid,
  };
}

const LIBRARY_COMMON = { affinities: [], allow_multimount: false, jobs: [], meta: {}, mounted_on: [], owner: null, status: "unmounted", tags: [] };

export const libraryView = (row: LibraryRow): View => ({
  ...LIBRARY_COMMON, arch: row.arch, category: row.category, description: row.description, distribution: row.distribution, favourite: false, image_type: row.image_type, install_notes: row.install_notes,
  licenses: row.licenses, media: row.media, name: row.name, os: row.os, paid: row.paid, resource_uri: `${API}/libdrives/${row.uuid}/`, size: row.size, storage_type: null, url: "", uuid: row.uuid,
  version: row.version,
});

/** A library drive found through /drives/: the shape of a drive, without an owner. */
export const libraryAsDriveView = (row: LibraryRow): View => ({
  ...LIBRARY_COMMON, backup_scheduler: null, grantees: [], iops: null, licenses: row.licenses, media: row.media, name: row.name, permissions: [], remote_snapshots: [],
  resource_uri: `${API}/drives/${row.uuid}/`, runtime: { is_downloadable: false, is_ephemeral: false, is_snapshotable: true, snapshots_allocated_size: 0, storage_type: "dssd" },
  size: row.size, snapshots: [], storage_type: "dssd", uuid: row.uuid,
});

export const snapshotView = (world: World, row: SnapshotRow): View => ({
  allocated_size: row.status === "creating" ? null : 0, drive: ref("drives", row.drive), grantees: granteesOf(world.store, row.tags), meta: row.meta, name: row.name, owner: userRef(row.owner),
  permissions: permissionsOf(world.store, row.owner), resource_uri: `${API}/snapshots/${row.uuid}/`, status: row.status, tags: row.tags.map((t) => ref("tags", t)), timestamp: timeText(row.createdMs, " "),
  uuid: row.uuid,
});

export const vlanView = (world: World, row: VlanRow): View => ({
  bottom_vlan_tag: null, grantees: granteesOf(world.store, row.tags), meta: row.meta, owner: userRef(row.owner), permissions: permissionsOf(world.store, row.owner),
  resource_uri: `${API}/vlans/${row.uuid}/`, servers: world.store.usersOf(row.uuid).map((s) => ref("servers", s)),
  subscription: row.subscription === null ? null : { id: row.subscription, resource_uri: `${API}/subscriptions/${row.subscription}/` }, tags: row.tags.map((t) => ref("tags", t)), uuid: row.uuid,
});

export const serverOfIp = (store: Store, row: IpRow): string | null => row.lent?.server ?? store.usersOf(row.uuid)[0] ?? null;

export const ipView = (world: World, row: IpRow): View => ({
  gateway: row.uuid.replace(/\.\d+$/, ".1"), grantees: granteesOf(world.store, row.tags), meta: row.meta, nameservers: ["192.0.2.53", "192.0.2.54"], netmask: 24, owner: userRef(row.owner),
  permissions: permissionsOf(world.store, row.owner), resource_uri: `${API}/ips/${row.uuid}/`, server: refOrNull("servers", serverOfIp(world.store, row)),
  subscription: row.subscription === null ? null : { id: row.subscription, resource_uri: `${API}/subscriptions/${row.subscription}/` }, tags: row.tags.map((t) => ref("tags", t)), uuid: row.uuid,
});

/** Everything that carries a tag. */
export function taggedBy(store: Store, tag: string): { kind: string; uuid: string; owner: string }[] {
  const out: { kind: string; uuid: string; owner: string }[] = [];
  const kinds = { servers: store.servers, drives: store.drives, ips: store.ips, vlans: store.vlans, snapshots: store.snapshots } as const;
  for (const [kind, table] of Object.entries(kinds)) for (const row of table.all()) if (row.tags.includes(tag)) out.push({ kind, uuid: row.uuid, owner: row.owner });
  return out;
}

export const tagView = (world: World, row: TagRow): View => ({
  meta: row.meta, name: row.name, owner: userRef(row.owner), resource_uri: `${API}/tags/${row.uuid}/`,
  resources: taggedBy(world.store, row.uuid).map((r) => ({ owner: userRef(r.owner), res_type: r.kind, ...ref(r.kind, r.uuid) })), uuid: row.uuid,
});

export const aclView = (row: AclRow): View => ({
  grantees: row.grantees.map((g) => ({ email: g.email, resource_uri: userRef(g.uuid), uuid: g.uuid })), meta: row.meta, name: row.name, owner: userRef(row.owner),
  resource_uri: `${API}/acls/${row.uuid}/`, rules: row.rules, tags: row.tags.map((t) => ref("tags", t)), uuid: row.uuid,
});

export const keyPairView = (row: KeyPairRow): View => ({
  fingerprint: row.fingerprint, grantees: [], meta: row.meta, name: row.name, permissions: [], private_key: row.private_key, public_key: row.public_key,
  resource_uri: `${API}/keypairs/${row.uuid}/`, tags: row.tags.map((t) => ref("tags", t)), uuid: row.uuid,
});

export const pubKeyView = (row: KeyPairRow): View => ({
  fingerprint: row.fingerprint, grantees: [], has_private_key: row.private_key !== null, meta: row.meta, name: row.name, permissions: [], public_key: row.public_key,
  resource_uri: `${API}/pubkeys/${row.uuid}/`, tags: row.tags.map((t) => ref("tags", t)), uuid: row.uuid,
});

export const fwPolicyView = (world: World, row: FwPolicyRow): View => ({
  meta: row.meta, name: row.name, owner: userRef(row.owner), resource_uri: `${API}/fwpolicies/${row.uuid}/`, rules: row.rules,
  servers: world.store.usersOf(row.uuid).map((s) => ref("servers", s)), tags: row.tags.map((t) => ref("tags", t)), uuid: row.uuid,
});

export function jobView(world: World, row: JobRow): View {
  const children = row.children.map((c) => world.store.jobs.get(c)).filter((c) => c !== undefined);
  return {
    children: children.map((c) => jobView(world, c)), created: timeText(row.createdMs), data: { progress: row.progress }, last_modified: timeText(row.modifiedMs), operation: row.operation,
    resource_uri: `${API}/jobs/${row.uuid}/`, resources: row.resources, state: row.state, uuid: row.uuid,
  };
}
