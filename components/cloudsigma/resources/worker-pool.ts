import { z } from "zod";
import { CloudError } from "../../errors";
import { listOwn } from "../client";
import { digest, isOriginal, MARK, type Marks } from "../marks";
import { isClosing, isMember, isTemplate, poolIdOf } from "../membership";
import { removeDrive, removeServer } from "../power";
import { markedFields, name, seconds, sshPublicKey, userData, uuid, vncPassword, whole } from "../provider/check";
import type { Context } from "../provider/context";
import { alignDrive, driveIdentity, makeDrive, type DriveWish } from "../provider/drives";
import { say } from "../provider/objects";
import { alignServer, makeServer, userDataOf, type ServerWish } from "../provider/servers";
import { changedKeys, markReplaces, recorded, verbs } from "../provider/verbs";
import { waitFor } from "../wait";
import type { Meta, Server } from "../wire";
import { alignTag, makeTag, type TagInputs } from "./tag";

export interface WorkerPoolInputs {
  readonly marks: Marks;
  readonly logicalName: string;
  readonly name: string;
  readonly image: string;
  readonly diskBytes: number;
  readonly cpuMHz: number;
  readonly smp?: number;
  readonly memoryBytes: number;
  readonly vlan: string;
  readonly userData: string;
  readonly sshPublicKey?: string;
  readonly vncPassword: string;
  readonly storageType?: string;
  readonly shutdownSeconds: number;
  readonly cloneLimitSeconds: number;
}
export interface WorkerPoolOutputs extends WorkerPoolInputs {
  readonly poolId: string;
  /** Empty: it is gone and will be made anew. */
  readonly templateUuid: string;
  readonly driveUuid: string;
  readonly tagUuid: string;
}

const LIVE = ["name", "image", "diskBytes", "cpuMHz", "memoryBytes", "vlan", "userData", "sshPublicKey", "vncPassword", "marks", "shutdownSeconds", "cloneLimitSeconds"];
const poolOfInputs = (i: Pick<WorkerPoolInputs, "marks" | "logicalName">): string => poolIdOf(i.marks.gridUid, i.logicalName);
const poolMeta = (i: WorkerPoolInputs): Meta => ({ [MARK.pool]: poolOfInputs(i) });
const tagOf = (i: WorkerPoolInputs): TagInputs => ({ marks: i.marks, logicalName: `${i.logicalName}-tag`, name: `${i.name}s` });

/** A smaller disk, or another image, is another drive; the former one goes when the template has the new one. */
const driveOf = (i: WorkerPoolInputs): DriveWish => ({
  marks: i.marks,
  logicalName: `${i.logicalName}-disk`,
  name: `${i.name}-disk`,
  cloneOf: i.image,
  sizeBytes: i.diskBytes,
  media: "disk",
  cloneLimitSeconds: i.cloneLimitSeconds,
  ...(i.storageType === undefined ? {} : { storageType: i.storageType }),
});

const serverOf = (i: WorkerPoolInputs, drive: string, tag: string): ServerWish => ({
  marks: i.marks,
  logicalName: i.logicalName,
  name: i.name,
  cpuMHz: i.cpuMHz,
  memoryBytes: i.memoryBytes,
  vncPassword: i.vncPassword,
  drives: [{ uuid: drive, bootOrder: 1 }],
  nics: [{ vlan: i.vlan }],
  userData: i.userData,
  onUserDataChange: "update",
  keyPairs: [],
  tags: [tag],
  powerState: "stopped",
  shutdownSeconds: 0,
  startLimitSeconds: 1,
  deleteDrives: true,
  autoStart: true,
  ...(i.smp === undefined ? {} : { smp: i.smp }),
  ...(i.sshPublicKey === undefined ? {} : { sshPublicKey: i.sshPublicKey }),
});

const servers = (ctx: Context): Promise<Server[]> => listOwn(ctx.client, "servers");
const findTemplate = async (ctx: Context, poolId: string): Promise<Server | undefined> => (await servers(ctx)).find((s) => isTemplate(s, poolId));

/** Template drives of earlier images, which no server uses any more. Drives of workers are copies and betray themselves. */
async function removeOldDrives(ctx: Context, i: WorkerPoolInputs, current: string): Promise<void> {
  for (const d of await listOwn(ctx.client, "drives")) {
    const ours = d.meta[MARK.grid] === i.marks.gridUid && d.meta[MARK.pool] === poolOfInputs(i) && d.meta[MARK.self] === d.uuid;
    if (!ours || d.uuid === current) continue;
    await detached(ctx, d.uuid);
    await removeDrive(ctx.client, d.uuid, { intervalMs: ctx.pollMs });
  }
}

/** Makes or changes tag, drive and template; each is found again by its marks. Never touches a member. */
async function align(ctx: Context, i: WorkerPoolInputs, outs: (o: Partial<WorkerPoolOutputs>) => void): Promise<WorkerPoolOutputs> {
  const poolId = poolOfInputs(i);
  const generation = digest({ poolId });
  const tag = await makeTag(ctx, tagOf(i), generation);
  outs({ tagUuid: tag.uuid });
  await alignTag(ctx, tag.uuid, tagOf(i), generation);
  const drive = await makeDrive(ctx, driveOf(i), generation, poolMeta(i));
  outs({ driveUuid: drive.uuid });
  await alignDrive(ctx, drive.uuid, driveOf(i), generation, [], poolMeta(i));
  const wish = serverOf(i, drive.uuid, tag.uuid);
  // `elastigrid-template` comes only with the second write: its value is the uuid that the first one gives
  const template = (await findTemplate(ctx, poolId)) ?? (await makeServer(ctx, wish, generation, poolMeta(i)));
  outs({ templateUuid: template.uuid });
  await alignServer(ctx, template.uuid, wish, { generation, formerKeys: [MARK.closing], extraMeta: { ...poolMeta(i), [MARK.template]: template.uuid } });
  await removeOldDrives(ctx, i, drive.uuid);
  return { ...i, poolId, templateUuid: template.uuid, driveUuid: drive.uuid, tagUuid: tag.uuid };
}

/** Detaching ends a little after the write of the server. */
const detached = (ctx: Context, uuid: string): Promise<unknown> =>
  waitFor({
    what: `former drive ${uuid} of the template`,
    read: () => ctx.client.get("drives", uuid),
    state: (d) => ((d.mounted_on ?? []).length > 0 ? "attached" : "detached"),
    pending: ["attached"],
    wanted: ["detached"],
    gone: "done",
    intervalMs: ctx.pollMs,
    limitMs: 120_000,
    clock: ctx.client.clock,
  });

/** Removes the workers until two looks in a row find none: the controller may have been about to clone. */
async function removeMembers(ctx: Context, poolId: string, graceMs: number): Promise<void> {
  let quiet = 0;
  for (let round = 0; quiet < 2; round++) {
    const members = (await servers(ctx)).filter((s) => isMember(s, poolId));
    if (members.length === 0) {
      quiet++;
      if (quiet < 2) await ctx.client.clock.sleep(ctx.settleMs);
      continue;
    }
    if (round > 50) throw new CloudError("timeout", `worker pool ${poolId}: workers keep coming (${members.length} now); stop the controller on the master and run again`);
    quiet = 0;
    say(`worker pool ${poolId}: removing ${members.length} worker${members.length === 1 ? "" : "s"}`);
    // a handful at a time: the cloud limits deletions per minute
    for (let at = 0; at < members.length; at += 8) {
      const results = await Promise.allSettled(members.slice(at, at + 8).map((m) => removeServer(ctx.client, m.uuid, { drives: true, graceMs, intervalMs: ctx.pollMs })));
      const failed = results.find((r) => r.status === "rejected");
      if (failed?.status === "rejected") throw failed.reason;
    }
  }
}

/** Deletes all of the pool: nobody clones any more, then the template, the workers, stray drives and the tag. */
async function removePool(ctx: Context, i: WorkerPoolInputs): Promise<void> {
  const poolId = poolOfInputs(i);
  const power = { intervalMs: ctx.pollMs };
  const graceMs = (i.shutdownSeconds ?? 0) * 1_000;
  for (const s of await servers(ctx)) {
    // also one whose creation was cut before it became a template
    const unfinished = s.meta[MARK.pool] === poolId && s.meta[MARK.template] === undefined && isOriginal(s);
    if (!isTemplate(s, poolId) && !unfinished) continue;
    if (!isClosing(s)) await ctx.client.update("servers", s.uuid, { name: s.name, cpu: s.cpu, mem: s.mem, vnc_password: s.vnc_password, meta: { ...s.meta, [MARK.closing]: "true" } });
    await removeServer(ctx.client, s.uuid, { ...power, drives: true });
  }
  await removeMembers(ctx, poolId, graceMs);
  const identity = driveIdentity(driveOf(i));
  for (const d of await listOwn(ctx.client, "drives")) {
    const ours = d.meta[MARK.grid] === i.marks.gridUid && d.meta[MARK.pool] === poolId;
    const unmarkedClone = d.name === `${i.name}-disk--${digest(identity)}`;
    if ((ours || unmarkedClone) && (d.mounted_on ?? []).length === 0) await removeDrive(ctx.client, d.uuid, power);
  }
  for (const t of await listOwn(ctx.client, "tags"))
    if (t.meta?.[MARK.id]?.startsWith(`${i.marks.gridUid}/${tagOf(i).logicalName}#`)) await ctx.client.delete("tags", t.uuid);
}

const v = verbs<WorkerPoolInputs, WorkerPoolOutputs>({
  schema: z.strictObject({
    ...markedFields,
    name,
    image: z.string("must be text; give a name or uuid").min(1, "must not be empty; give a name or uuid"),
    diskBytes: whole(1, "bytes"),
    cpuMHz: whole(250, "MHz"),
    smp: whole(1, "cores").optional(),
    memoryBytes: whole(256 * 1024 ** 2, "bytes"),
    vlan: uuid,
    userData,
    sshPublicKey: sshPublicKey.optional(),
    vncPassword,
    storageType: z.string("must be text; give a name such as dssd").min(1, "must not be empty; leave it out for the location's default").optional(),
    shutdownSeconds: seconds,
    cloneLimitSeconds: whole(1, "seconds"),
  }),
  defaults: { shutdownSeconds: 0, cloneLimitSeconds: 1_800 },
  secrets: ["vncPassword", "userData"],
  replacing: ["marks", "logicalName"],
  deleteBeforeReplace: true,
  differences(olds, news) {
    const changed = changedKeys(olds, news, LIVE);
    if (news.smp !== undefined) changed.push(...changedKeys(olds, news, ["smp"]));
    if (news.storageType !== undefined) changed.push(...changedKeys(olds, news, ["storageType"]));
    for (const key of ["templateUuid", "driveUuid", "tagUuid"] as const) if ((olds[key] ?? "") === "") changed.push(key);
    return { changed, replaces: markReplaces(olds, news) };
  },
  async create(ctx, i) {
    const poolId = poolOfInputs(i);
    const left = await findTemplate(ctx, poolId);
    if (left !== undefined && isClosing(left)) await removePool(ctx, i); // a deletion that was cut
    // filled as the parts come into being: what is recorded when a later one fails
    const seen = { ...i, poolId, templateUuid: "", driveUuid: "", tagUuid: "" };
    const outs = await recorded(ctx, poolId, seen, () => align(ctx, i, (o) => Object.assign(seen, o)));
    return { id: poolId, outs };
  },
  async read(ctx, id, props) {
    const template = await findTemplate(ctx, id);
    // The pool outlives its template: members may run, and the next update makes a template again.
    if (props.marks === undefined) return undefined;
    const tag = props.tagUuid ? await ctx.client.find("tags", props.tagUuid) : undefined;
    if (template === undefined || isClosing(template)) return { id, props: { ...props, poolId: id, templateUuid: "", tagUuid: tag?.uuid ?? "" } as WorkerPoolOutputs };
    const driveUuid = template.drives[0]?.drive.uuid ?? "";
    const user = userDataOf(template.meta);
    const ssh = template.meta["ssh_public_key"];
    const real = {
      poolId: id,
      templateUuid: template.uuid,
      driveUuid,
      tagUuid: tag?.uuid ?? "",
      name: template.name,
      cpuMHz: template.cpu,
      ...(props.smp === undefined ? {} : { smp: template.smp }),
      memoryBytes: template.mem,
      vlan: template.nics[0]?.vlan?.uuid ?? "",
      userData: user ?? "",
      ...(template.vnc_password === undefined ? {} : { vncPassword: template.vnc_password }),
      ...(ssh === undefined || ssh === props.sshPublicKey?.trim() ? {} : { sshPublicKey: ssh }),
    };
    return { id, props: { ...props, ...real } as WorkerPoolOutputs };
  },
  update: (ctx, _id, _olds, i) => align(ctx, i, () => undefined),
  remove: (ctx, _id, props) => removePool(ctx, props),
});
export const { configure, check, diff, create, read, update } = v;
const { remove } = v;
export { remove as delete };
