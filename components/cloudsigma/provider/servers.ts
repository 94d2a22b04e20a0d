import { CloudError } from "../../errors";
import { identityOf, MARK, type Marks } from "../marks";
import { shutdownServer, startServer } from "../power";
import { waitFor } from "../wait";
import type { AttachedDrive, Meta, Nic, Server } from "../wire";
import type { Context } from "./context";
import { findOrMake, firstMarks, fullMarks, mergedMeta, metaFits } from "./objects";
import { same } from "./verbs";

export interface NicWish {
  readonly vlan?: string;
  /** "dhcp" or a subscribed address. */
  readonly address?: string;
}
export interface ServerDriveWish {
  readonly uuid: string;
  readonly bootOrder?: number;
}

/** A declared server. */
export interface ServerWish {
  readonly marks: Marks;
  readonly logicalName: string;
  readonly name: string;
  readonly cpuMHz: number;
  readonly smp?: number;
  readonly memoryBytes: number;
  readonly vncPassword: string;
  readonly drives: readonly ServerDriveWish[];
  readonly nics: readonly NicWish[];
  readonly userData?: string;
  readonly onUserDataChange: "replace" | "update";
  readonly sshPublicKey?: string;
  readonly keyPairs: readonly string[];
  readonly meta?: Meta;
  readonly tags?: readonly string[];
  readonly powerState: "running" | "stopped";
  readonly shutdownSeconds: number;
  readonly startLimitSeconds: number;
  readonly deleteDrives: boolean;
  /** A clone of it starts by itself. */
  readonly autoStart?: boolean;
}

export const serverIdentity = (i: Pick<ServerWish, "marks" | "logicalName" | "userData" | "onUserDataChange">): string =>
  identityOf(i.marks.gridUid, i.logicalName, { userData: i.onUserDataChange === "replace" ? i.userData : undefined });

export const USER_DATA_KEY = "cloudinit-user-data";
const OWN_KEYS = ["ssh_public_key", USER_DATA_KEY, "base64_fields"];

/** What the guest reads at its first boot. User data travel as base64: any text survives, also on the serial line. */
export const guestMeta = (i: Pick<ServerWish, "userData" | "sshPublicKey">): Meta => ({
  ...(i.sshPublicKey === undefined ? {} : { ssh_public_key: i.sshPublicKey.trim() }),
  ...(i.userData === undefined ? {} : { [USER_DATA_KEY]: Buffer.from(i.userData, "utf8").toString("base64"), base64_fields: USER_DATA_KEY }),
});

export function userDataOf(meta: Readonly<Meta>): string | undefined {
  const raw = meta[USER_DATA_KEY];
  if (raw === undefined) return undefined;
  return (meta["base64_fields"] ?? "").split(",").includes(USER_DATA_KEY) ? Buffer.from(raw, "base64").toString("utf8") : raw;
}

/** Units 0 to 2 of each controller are what every source agrees on. */
export const channelOf = (index: number): string => `${Math.floor(index / 3)}:${index % 3}`;
const channelOrder = (d: AttachedDrive): number => d.dev_channel.split(":").reduce((n, part) => n * 1_000 + Number(part), 0);

const bootOrderOf = (d: ServerDriveWish, index: number): number | null => (d.bootOrder ?? (index === 0 ? 1 : 0)) || null;

const wireDrives = (i: ServerWish): object[] =>
  i.drives.map((d, index) => ({ boot_order: bootOrderOf(d, index), dev_channel: channelOf(index), device: "virtio", drive: d.uuid }));

/** An interface keeps its MAC as long as its place in the list: without it, the service would make a new one. */
const wireNics = (i: ServerWish, live: readonly Nic[]): object[] =>
  i.nics.map((n, index) => ({
    model: "virtio",
    ...(live[index] === undefined ? {} : { mac: live[index].mac }),
    ...(n.vlan !== undefined ? { vlan: n.vlan } : { ip_v4_conf: n.address === "dhcp" || n.address === undefined ? { conf: "dhcp" } : { conf: "static", ip: n.address } }),
  }));

export const drivesOf = (s: Pick<Server, "drives">): { uuid: string; bootOrder: number }[] =>
  [...s.drives].sort((a, b) => channelOrder(a) - channelOrder(b)).map((d) => ({ uuid: d.drive.uuid, bootOrder: d.boot_order ?? 0 }));
export const nicsOf = (s: Pick<Server, "nics">): NicWish[] =>
  s.nics.map((n) => (n.vlan ? { vlan: n.vlan.uuid } : n.ip_v4_conf?.conf === "static" ? { address: n.ip_v4_conf.ip?.uuid ?? "" } : n.ip_v4_conf ? { address: n.ip_v4_conf.conf } : {}));

/** The same drives and interfaces, written in one way: for comparing. */
export const plainDrives = (drives: readonly ServerDriveWish[] | undefined): object[] => (drives ?? []).map((d, index) => ({ uuid: d.uuid, bootOrder: bootOrderOf(d, index) ?? 0 }));
export const plainNics = (nics: readonly NicWish[] | undefined): object[] => (nics ?? []).map((n) => (n.vlan !== undefined ? { vlan: n.vlan } : { address: n.address ?? "dhcp" }));

/** The first public address, empty where there is none (yet). */
export function publicIpOf(s: Server): string {
  const rows = [...(s.runtime?.nics ?? []), ...s.nics.map((n) => n.runtime ?? {})];
  return rows.find((r) => r.ip_v4 && r.interface_type !== "private")?.ip_v4?.uuid ?? "";
}

/** What of the declaration the server does not have; by what it takes to give it. */
export function serverGaps(s: Server, i: ServerWish, meta: Meta, formerKeys: readonly string[]): { live: string[]; stop: string[] } {
  const live: string[] = [];
  const stop: string[] = [];
  if (s.name !== i.name) live.push("name");
  if (!metaFits(s.meta, formerKeys, meta)) live.push("meta");
  if (i.tags !== undefined && !same(s.tags?.map((t) => t.uuid).sort(), [...i.tags].sort())) live.push("tags");
  if (s.cpu !== i.cpuMHz) stop.push("cpuMHz");
  if (s.mem !== i.memoryBytes) stop.push("memoryBytes");
  if (i.smp !== undefined && s.smp !== i.smp) stop.push("smp");
  if (s.vnc_password !== undefined && s.vnc_password !== i.vncPassword) stop.push("vncPassword");
  if (!same(drivesOf(s), plainDrives(i.drives))) stop.push("drives");
  if (!same(nicsOf(s), plainNics(i.nics))) stop.push("nics");
  if (!same(s.pubkeys.map((k) => k.uuid).sort(), [...i.keyPairs].sort())) stop.push("keyPairs");
  if (i.autoStart !== undefined && (s.auto_start ?? false) !== i.autoStart) stop.push("autoStart");
  return { live, stop };
}

const bodyOf = (i: ServerWish, meta: Meta, live: readonly Nic[]): object => ({
  name: i.name,
  cpu: i.cpuMHz,
  mem: i.memoryBytes,
  vnc_password: i.vncPassword,
  ...(i.smp === undefined ? {} : { smp: i.smp }),
  drives: wireDrives(i),
  nics: wireNics(i, live),
  pubkeys: i.keyPairs,
  meta,
  ...(i.tags === undefined ? {} : { tags: i.tags }),
  ...(i.autoStart === undefined ? {} : { auto_start: i.autoStart }),
});

/** Finds or makes the server, stopped; its marks are complete after `alignServer`. */
export async function makeServer(ctx: Context, i: ServerWish, generation: string, extraMeta: Meta = {}): Promise<Server> {
  const identity = serverIdentity(i);
  const meta = { ...i.meta, ...guestMeta(i), ...extraMeta, ...firstMarks(i.marks, identity, generation) };
  const sought = { identity, gridUid: i.marks.gridUid, name: i.name };
  return (await findOrMake(ctx, "servers", sought, (findExisting) => ctx.client.create("servers", bodyOf(i, meta, []), { findExisting }))).object;
}

export interface AlignServer {
  readonly generation: string;
  readonly formerKeys?: readonly string[];
  readonly extraMeta?: Meta;
}

/**
 * Makes the server as declared, live where that is possible, else stopped; then switches it on or off. Reads back: a
 * running server answers 200 to changes that it ignores.
 */
export async function alignServer(ctx: Context, uuid: string, i: ServerWish, o: AlignServer): Promise<Server> {
  const { client } = ctx;
  const meta = { ...i.meta, ...guestMeta(i), ...o.extraMeta, ...fullMarks(i.marks, serverIdentity(i), o.generation, uuid) };
  const former = [...(o.formerKeys ?? []), ...OWN_KEYS];
  const power = { intervalMs: ctx.pollMs };
  let server = await client.get("servers", uuid);
  for (let round = 0; ; round++) {
    const gaps = serverGaps(server, i, meta, former);
    if (gaps.live.length + gaps.stop.length === 0) break;
    if (round === 2)
      throw new CloudError("wrong-state", `server ${i.name} (${uuid}): the cloud accepted the change of ${[...gaps.live, ...gaps.stop].join(", ")} and did not make it (state ${server.status}); stop the server and run again`);
    if (gaps.stop.length > 0) server = (await shutdownServer(client, uuid, i.shutdownSeconds * 1_000, power)) ?? server;
    await client.update("servers", uuid, bodyOf(i, mergedMeta(server.meta, former, meta), server.nics));
    server = await client.get("servers", uuid);
  }
  if (i.powerState === "stopped") return (await shutdownServer(client, uuid, i.shutdownSeconds * 1_000, power)) ?? server;
  if (server.status !== "running") {
    await drivesReady(ctx, server);
    server = await startServer(client, uuid, { ...power, limitMs: i.startLimitSeconds * 1_000 });
  }
  return hasPublicNic(i) && publicIpOf(server) === "" ? addressOf(ctx, uuid, i) : server;
}

const hasPublicNic = (i: ServerWish): boolean => i.nics.some((n) => n.vlan === undefined);

/** The address can come later than `running`. */
const addressOf = (ctx: Context, uuid: string, i: ServerWish): Promise<Server> =>
  waitFor({
    what: `public address of server ${i.name} (${uuid})`,
    read: () => ctx.client.get("servers", uuid),
    pending: ["running", "starting", "unavailable"],
    wanted: ["running"],
    until: (s) => publicIpOf(s) !== "",
    intervalMs: ctx.pollMs,
    limitMs: i.startLimitSeconds * 1_000,
    clock: ctx.client.clock,
  });

/** A drive that is still being copied can be attached, but not booted from. */
async function drivesReady(ctx: Context, server: Server): Promise<void> {
  for (const { drive } of server.drives)
    await waitFor({
      what: `drive ${drive.uuid} of server ${server.name}`,
      read: () => ctx.client.get("drives", drive.uuid),
      pending: ["creating", "cloning_dst", "resizing", "copying", "unavailable", "unmounted"],
      wanted: ["mounted", "cloning_src"],
      intervalMs: ctx.pollMs,
      limitMs: 1_800_000,
      clock: ctx.client.clock,
    });
}

/** Generation that the object carries. */
export const generationOf = (s: { readonly meta?: Meta }): string | undefined => s.meta?.[MARK.generation];
