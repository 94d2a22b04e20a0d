import type { Store } from "../../../local-cloud/model/store";
import { FOREIGN_OWNER } from "../../../local-cloud/seed";

/** The uuids that the samples use, so that their bodies can be sent as they are. */
export const ID = {
  me: "b38be9f3-fc42-44a5-a564-953e67aa7030",
  stopped: "5515e797-b3f0-4b9e-a467-644f9a897224",
  nic: "6c6966c4-9858-41dd-a0fa-77cfba5caae7",
  running: "e206c209-1512-4bb5-a67f-d88cad5e6981",
  bulk: ["805aae6f-f316-43b9-a64d-49206cb032ae", "02f76967-e3c2-4e9f-ae81-1d692f0bf370"],
  boot: "f3934ec1-be73-4a48-add3-b85749240a35",
  ide: "54bb59f1-fc66-45ec-a021-c8a70037ac12",
  data: "63391be0-0eec-454e-a3a0-f23732b0c1da",
  data2: "e0ce9a33-8172-4920-aa0b-88ab2614d632",
  foreign: "e13b91f0-2729-459e-accb-ea83a8c40406",
  scratch: "561c3047-c92b-4ef3-a720-b5fba963657e",
  vlan: "7063271a-57b7-472b-acee-0b0cd712872a",
  ip: "198.51.100.24",
  lent: "198.51.100.77",
  tag: "7992ef79-1955-49b6-a64a-1fb4c10e8ca1",
  green: "eba32560-eb74-47e4-a27c-b4906ee1eca7",
  key: "4d36dc2c-82c4-4226-a484-229e00290a8a",
  key2: "942bbc43-0761-4fa7-a247-b0d6c0d67060",
  snapshot: "63cb11d5-e5c3-4f58-aa3e-5a8d97024417",
  macA: "22:4a:84:56:f1:0e",
  macB: "22:2d:8e:45:2e:16",
} as const;

/** Puts the objects of the samples' world into the store. */
export function seedSamples(store: Store, nowMs: number): void {
  store.account.uuid = ID.me;
  const base = { owner: ID.me, createdMs: nowMs, meta: {}, tags: [] as string[] };
  const drive = (uuid: string, over: object = {}): void =>
    void store.drives.add({
      ...base, uuid, name: "data-0", size: 5_368_709_120, media: "disk", storage_type: "dssd", allow_multimount: false, affinities: [], iops: null, licenses: [], jobs: [], status: "ready", cloneFrom: null,
      newSize: null, deleting: false, ...over,
    });
  for (const uuid of [ID.boot, ID.ide, ID.data, ID.data2]) drive(uuid);
  drive(ID.foreign, { owner: FOREIGN_OWNER });
  drive(ID.scratch, { storage_type: "local_nvme", size: 2 ** 31, iops: 30_000, meta: { description: "" } });
  const nic = { model: "virtio", boot_order: null, ip_v6_conf: null, vlan: null };
  const dhcp = { conf: "dhcp" as const, ip: null };
  const server = (uuid: string, over: object = {}): void =>
    store.indexServer(
      store.servers.add({
        ...base, uuid, name: "web-1", cpu: 2000, mem: 2 ** 30, smp: 1, vnc_password: "Inv3nted!pw", cpu_type: "amd", cpu_model: null, cpus_instead_of_cores: false, hypervisor: "kvm", enable_numa: false,
        hv_relaxed: false, hv_tsc: false, context: true, auto_start: false, allocation_pool: null, drives: [], nics: [], pubkeys: [], requirements: [], epcs: [], gpus: [], jobs: [], status: "stopped",
        activeSinceMs: null, cloneJob: null, ...over,
      }),
    );
  server(ID.stopped);
  server(ID.nic, { name: "web-nic", nics: [{ ...nic, mac: ID.macA, model: "e1000", ip_v4_conf: dhcp }, { ...nic, mac: ID.macB, ip_v4_conf: null, vlan: ID.vlan }] });
  server(ID.running, { name: "web-run", status: "running", activeSinceMs: nowMs, nics: [{ ...nic, mac: "22:a9:20:09:ae:48", ip_v4_conf: dhcp }] });
  for (const uuid of ID.bulk) server(uuid, { name: "node-0" });
  store.vlans.add({ ...base, uuid: ID.vlan, subscription: 4711 });
  store.ips.add({ ...base, uuid: ID.ip, subscription: 4712, lent: null });
  store.lend({ ...base, uuid: ID.lent, subscription: null, lent: { server: ID.running, mac: "22:a9:20:09:ae:48" } });
  store.tags.add({ ...base, uuid: ID.tag, name: "blue" });
  store.tags.add({ ...base, uuid: ID.green, name: "green" });
  for (const uuid of [ID.key, ID.key2]) store.keypairs.add({ ...base, uuid, name: "laptop", public_key: "ssh-ed25519 AAAAinvented", private_key: null, fingerprint: "00:11" });
  store.snapshots.add({ ...base, uuid: ID.snapshot, name: "first", drive: ID.data, status: "available", deleting: false });
}

/** Puts a drive on a server of that world. */
export function mount(store: Store, server: string, ...drives: string[]): void {
  const row = store.servers.get(server);
  if (row === undefined) throw new Error(`no server ${server}`);
  row.drives = drives.map((drive, i) => ({ boot_order: i === 0 ? 1 : null, dev_channel: `0:${i}`, device: "virtio", drive }));
  store.indexServer(row);
}
