import * as drive from "../../../../components/cloudsigma/resources/drive";
import * as keyPair from "../../../../components/cloudsigma/resources/key-pair";
import * as masterReady from "../../../../components/cloudsigma/resources/master-ready";
import * as server from "../../../../components/cloudsigma/resources/server";
import * as staticIp from "../../../../components/cloudsigma/resources/static-ip";
import * as tag from "../../../../components/cloudsigma/resources/tag";
import * as vlan from "../../../../components/cloudsigma/resources/vlan";
import * as workerPool from "../../../../components/cloudsigma/resources/worker-pool";

export type Props = Record<string, unknown>;
/** A resource's functions as the engine sees them. */
export interface Provider {
  configure(req: { config: { get(key: string): string | undefined } }): Promise<void>;
  check(olds: Props, news: Props): Promise<{ inputs: Props; failures: { property: string; reason: string }[] }>;
  diff(id: string, olds: Props, news: Props): Promise<{ changes: boolean; replaces: string[]; deleteBeforeReplace: boolean }>;
  create(inputs: Props): Promise<{ id: string; outs: Props }>;
  read(id: string, props?: Props): Promise<{ id: string; props: Props }>;
  update(id: string, olds: Props, news: Props): Promise<{ outs: Props }>;
  delete(id: string, props: Props): Promise<void>;
}

export const KINDS = ["tag", "key-pair", "vlan", "static-ip", "drive", "server", "worker-pool"] as const;
export type KindName = (typeof KINDS)[number];
const modules: Record<KindName | "master-ready", unknown> = { tag, "key-pair": keyPair, vlan, "static-ip": staticIp, drive, server, "worker-pool": workerPool, "master-ready": masterReady };
export const provider = (kind: KindName | "master-ready"): Provider => modules[kind] as Provider;

export const PASSWORD = "Abcdef12!-console";
export const USER_DATA = "#cloud-config\n# grüße\nruncmd: []\n";
export const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample test";
export const UUID = "b38be9f3-fc42-44a5-a564-953e67aa7030";
export const marks = { gridUid: "0a1b2c3d4e5f", gridName: "grid", stack: "project/test" };

/** Good inputs of every kind; `image` and `vlan` exist in the cloud at hand. */
export function inputsOf(kind: KindName, world: { image: string; vlan: string } = { image: "elastigrid-appliance", vlan: UUID }): Props {
  const common = { marks, logicalName: `test-${kind}` };
  const table: Record<KindName, Props> = {
    tag: { name: "grid-workers" },
    "key-pair": { name: "grid-key", publicKey: KEY },
    vlan: { name: "grid-network", purchase: { allowed: true } },
    "static-ip": { name: "grid-address", purchase: { allowed: true } },
    drive: { name: "grid-master-disk", cloneOf: world.image, sizeBytes: 12_000_000_001 },
    server: { name: "grid-master", cpuMHz: 2_000, memoryBytes: 2 ** 30, vncPassword: PASSWORD, nics: [{ address: "dhcp" }, { vlan: world.vlan }], userData: USER_DATA, sshPublicKey: KEY },
    "worker-pool": { name: "grid-worker", image: world.image, diskBytes: 12_000_000_000, cpuMHz: 1_000, memoryBytes: 2 ** 30, vlan: world.vlan, userData: USER_DATA, vncPassword: PASSWORD, sshPublicKey: KEY },
  };
  return { ...common, ...table[kind] };
}
