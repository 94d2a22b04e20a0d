import type { World } from "./api/world";
import { newMac, newUuid } from "./model/ids";

/** Things of another user that lists show because an ACL shares them: a client must not take them for its own. */
export const FOREIGN_OWNER = "4fb27af7-f7bd-451f-a113-3dacfd449e92";

export function seedForeign(world: World): void {
  const { store } = world;
  if ([...store.servers.all()].some((s) => s.owner === FOREIGN_OWNER)) return;
  const base = { owner: FOREIGN_OWNER, createdMs: world.clock.now(), meta: {}, tags: [] };
  const drive = store.drives.add({
    ...base, uuid: newUuid(), name: "foreign-drive", size: 5_368_709_120, media: "disk", storage_type: "dssd", allow_multimount: false, affinities: [], iops: null, licenses: [], jobs: [], status: "ready",
    cloneFrom: null, newSize: null, deleting: false,
  });
  const server = store.servers.add({
    ...base, uuid: newUuid(), name: "foreign-server", cpu: 2000, mem: 1_073_741_824, smp: 1, vnc_password: "F0reign!pw", cpu_type: "amd", cpu_model: null, cpus_instead_of_cores: false, hypervisor: "kvm",
    enable_numa: false, hv_relaxed: false, hv_tsc: false, context: true, auto_start: false, allocation_pool: null, pubkeys: [], requirements: [], epcs: [], gpus: [], jobs: [], status: "stopped",
    activeSinceMs: null, cloneJob: null, drives: [{ boot_order: 1, dev_channel: "0:0", device: "virtio", drive: drive.uuid }],
    nics: [{ mac: newMac(), model: "virtio", boot_order: null, ip_v4_conf: { conf: "dhcp", ip: null }, ip_v6_conf: null, vlan: null }],
  });
  store.indexServer(server);
  store.vlans.add({ ...base, uuid: newUuid(), subscription: null });
  store.ips.add({ ...base, uuid: "192.0.2.200", subscription: null, lent: null });
}
