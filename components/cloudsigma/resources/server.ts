import { z } from "zod";
import { withoutMarks } from "../marks";
import { removeServer } from "../power";
import { flag, markedFields, metaSchema, name, seconds, sshPublicKey, tagsSchema, userData, uuid, vncPassword, whole } from "../provider/check";
import { declaredKeys, liveMeta, marksOf, newGeneration, say, takenOver } from "../provider/objects";
import { alignServer, drivesOf, generationOf, guestMeta, makeServer, nicsOf, plainDrives, plainNics, publicIpOf, userDataOf, type ServerWish } from "../provider/servers";
import { changedKeys, markReplaces, recorded, same, verbs } from "../provider/verbs";
import type { Server } from "../wire";

export type ServerInputs = ServerWish;
export interface ServerOutputs extends ServerInputs {
  readonly publicIp: string;
  readonly macs: readonly string[];
  readonly status: string;
  readonly generation: string;
}

const ADDRESS = /^(dhcp|(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3})$/;
const schema = z
  .strictObject({
    ...markedFields,
    name,
    cpuMHz: whole(250, "MHz"),
    smp: whole(1, "cores").optional(),
    memoryBytes: whole(256 * 1024 ** 2, "bytes"),
    vncPassword,
    drives: z.array(z.strictObject({ uuid, bootOrder: whole(0, "places").optional() })),
    nics: z.array(
      z
        .strictObject({ vlan: uuid.optional(), address: z.string("must be text; give dhcp or an address").regex(ADDRESS, "is neither dhcp nor an IPv4 address; give one of them").optional() })
        .refine((n) => (n.vlan === undefined) !== (n.address === undefined), "must have either vlan or address; an interface is on a VLAN or public, not both"),
    ),
    userData: userData.optional(),
    onUserDataChange: z.enum(["replace", "update"], "is neither replace nor update; use one of them"),
    sshPublicKey: sshPublicKey.optional(),
    keyPairs: z.array(uuid),
    meta: metaSchema.refine((m) => !["cloudinit-user-data", "base64_fields", "ssh_public_key"].some((k) => k in m), "has a key of cloud-init; use userData and sshPublicKey").optional(),
    tags: tagsSchema.optional(),
    powerState: z.enum(["running", "stopped"], "is neither running nor stopped; use one of them"),
    shutdownSeconds: seconds,
    startLimitSeconds: whole(1, "seconds"),
    deleteDrives: flag,
  })
  .refine((s) => new Set(s.drives.map((d) => d.uuid)).size === s.drives.length, { path: ["drives"], message: "names a drive twice; name it once" });

/** Needs no write: only later calls read them. */
const SETTINGS = ["shutdownSeconds", "startLimitSeconds", "deleteDrives", "onUserDataChange"] as const;

const outsOf = (i: ServerInputs, s: Server, generation: string): ServerOutputs => ({ ...i, publicIp: publicIpOf(s), macs: s.nics.map((n) => n.mac), status: s.status, generation });

const v = verbs<ServerInputs, ServerOutputs>({
  schema,
  defaults: { drives: [], nics: [], keyPairs: [], onUserDataChange: "replace", powerState: "running", shutdownSeconds: 30, startLimitSeconds: 300, deleteDrives: false },
  secrets: ["vncPassword", "userData"],
  replacing: ["marks", "logicalName", "userData"],
  deleteBeforeReplace: true,
  differences(olds, news) {
    const changed = changedKeys(olds, news, ["name", "cpuMHz", "memoryBytes", "vncPassword", "marks", "meta", "tags", "sshPublicKey", "powerState", ...SETTINGS]);
    const replaces = markReplaces(olds, news);
    if (news.smp !== undefined) changed.push(...changedKeys(olds, news, ["smp"]));
    if (!same(plainDrives(olds.drives), plainDrives(news.drives))) changed.push("drives");
    if (!same(plainNics(olds.nics), plainNics(news.nics))) changed.push("nics");
    if (!same([...(olds.keyPairs ?? [])].sort(), [...news.keyPairs].sort())) changed.push("keyPairs");
    if (olds.userData !== news.userData) (news.onUserDataChange === "replace" ? replaces : changed).push("userData");
    return { changed, replaces };
  },
  async create(ctx, inputs) {
    const generation = newGeneration();
    const made = await makeServer(ctx, inputs, generation);
    const server = await recorded(ctx, made.uuid, outsOf(inputs, made, generation), () => alignServer(ctx, made.uuid, inputs, { generation }));
    return { id: made.uuid, outs: outsOf(inputs, server, generation) };
  },
  async read(ctx, id, props) {
    const s = await ctx.client.find("servers", id);
    if (s === undefined) return undefined;
    const marks = marksOf(s.meta) ?? props.marks;
    const own = Object.keys(guestMeta({ userData: "", sshPublicKey: "" }));
    const meta = props.meta === undefined ? undefined : liveMeta(props.meta, s.meta);
    // an import takes all meta that is neither ours nor cloud-init's
    const imported = Object.keys(props).length > 0 ? {} : Object.fromEntries(Object.entries(withoutMarks(s.meta)).filter(([k]) => !own.includes(k)));
    const [user, ssh] = [userDataOf(s.meta), s.meta["ssh_public_key"]];
    const { userData: _u, sshPublicKey: oldSsh, ...rest } = props;
    const real = {
      name: s.name,
      cpuMHz: s.cpu,
      smp: s.smp,
      memoryBytes: s.mem,
      ...(s.vnc_password === undefined ? {} : { vncPassword: s.vnc_password }),
      drives: same(plainDrives(props.drives), drivesOf(s)) ? (props.drives ?? []) : drivesOf(s),
      nics: nicsOf(s),
      keyPairs: s.pubkeys.map((k) => k.uuid).sort(),
      ...(user === undefined ? {} : { userData: user }),
      ...(ssh === undefined ? {} : { sshPublicKey: oldSsh?.trim() === ssh ? oldSsh : ssh }),
      ...(marks ? { marks } : {}),
      ...(meta ? { meta } : Object.keys(imported).length > 0 ? { meta: imported } : {}),
      ...(props.tags ? { tags: same([...props.tags].sort(), s.tags?.map((t) => t.uuid).sort()) ? props.tags : (s.tags ?? []).map((t) => t.uuid) } : {}),
      // starting and stopping are on the way: only rest states are drift
      powerState: s.status === "running" || s.status === "stopped" ? s.status : (props.powerState ?? "running"),
      generation: generationOf(s) ?? props.generation ?? "",
      publicIp: publicIpOf(s),
      macs: s.nics.map((n) => n.mac),
      status: s.status,
    };
    return { id, props: { onUserDataChange: "replace", shutdownSeconds: 30, startLimitSeconds: 300, deleteDrives: false, ...rest, ...real } as ServerOutputs };
  },
  async update(ctx, id, olds, news) {
    const server = await alignServer(ctx, id, news, { generation: olds.generation, formerKeys: declaredKeys(olds.meta) });
    return outsOf(news, server, olds.generation);
  },
  async remove(ctx, id, props) {
    const s = await ctx.client.find("servers", id);
    if (s === undefined) return;
    if (takenOver(s, props.generation)) return say(`server ${s.name} (${id}) was taken over by its replacement and stays`);
    await removeServer(ctx.client, id, { intervalMs: ctx.pollMs, graceMs: (props.shutdownSeconds ?? 30) * 1_000, drives: props.deleteDrives });
  },
});
export const { configure, check, diff, create, read, update } = v;
const { remove } = v;
export { remove as delete };
