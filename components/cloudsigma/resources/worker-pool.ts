import { z } from "zod";
import { DEFAULT_TYPE } from "../../config/controller-config";
import { CloudError } from "../../errors";
import { listOwn } from "../client";
import { digest, isOriginal, MARK, type Marks } from "../marks";
import { isClosing, isMember, isTemplate, poolIdOf } from "../membership";
import { typeTemplateName } from "../../policy/names";
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
  /** Further worker types by name. */
  readonly types?: Readonly<Record<string, TypeInputs>>;
}
export interface TypeInputs {
  readonly image: string;
  readonly diskBytes: number;
  readonly cpuMHz: number;
  readonly smp?: number;
  readonly memoryBytes: number;
  readonly userData: string;
}
export interface WorkerPoolOutputs extends WorkerPoolInputs {
  readonly poolId: string;
  /** Empty: it is gone and will be made anew. */
  readonly templateUuid: string;
  /** The same of the further types by name. */
  readonly templates?: Readonly<Record<string, string>>;
  readonly driveUuid: string;
  readonly tagUuid: string;
}

const LIVE = ["name", "image", "diskBytes", "cpuMHz", "memoryBytes", "vlan", "userData", "sshPublicKey", "vncPassword", "marks", "shutdownSeconds", "cloneLimitSeconds", "types"];
const poolOfInputs = (i: Pick<WorkerPoolInputs, "marks" | "logicalName">): string => poolIdOf(i.marks.gridUid, i.logicalName);
const tagOf = (i: WorkerPoolInputs): TagInputs => ({ marks: i.marks, logicalName: `${i.logicalName}-tag`, name: `${i.name}s` });

/** One worker type: the first one's inputs stand in the pool itself, and its objects are named as they were before there were others. */
interface Part extends TypeInputs {
  readonly type: string;
  readonly logicalName: string;
  readonly name: string;
  readonly pool: WorkerPoolInputs;
}
const firstOf = (i: WorkerPoolInputs): Part => {
  const { image, diskBytes, cpuMHz, smp, memoryBytes, userData: first, logicalName, name: named } = i;
  return { type: DEFAULT_TYPE, logicalName, name: named, image, diskBytes, cpuMHz, memoryBytes, userData: first, ...(smp === undefined ? {} : { smp }), pool: i };
};
const partsOf = (i: WorkerPoolInputs): readonly Part[] => [
  firstOf(i),
  ...Object.entries(i.types ?? {}).map(([type, t]): Part => ({ ...t, type, logicalName: `${i.logicalName}-${type}`, name: typeTemplateName(i.name, type), pool: i })),
];
const poolMeta = (p: Part): Meta => ({ [MARK.pool]: poolOfInputs(p.pool), ...(p.type === DEFAULT_TYPE ? {} : { [MARK.type]: p.type }) });
const typeOf = (s: Server): string => s.meta[MARK.type] ?? DEFAULT_TYPE;

/** What a worker cloned from it is made of. User data are not among it: they are for those to come. */
const shapeOf = ({ image, diskBytes, cpuMHz, smp, memoryBytes, pool }: Part): string => digest({ image, diskBytes, cpuMHz, smp, memoryBytes, storageType: pool.storageType });

/** A smaller disk, or another image, is another drive; the former one goes when the template has the new one. */
const driveOf = (p: Part): DriveWish => ({
  marks: p.pool.marks,
  logicalName: `${p.logicalName}-disk`,
  name: `${p.name}-disk`,
  cloneOf: p.image,
  sizeBytes: p.diskBytes,
  media: "disk",
  cloneLimitSeconds: p.pool.cloneLimitSeconds,
  ...(p.pool.storageType === undefined ? {} : { storageType: p.pool.storageType }),
});

const serverOf = (p: Part, drive: string, tag: string): ServerWish => ({
  marks: p.pool.marks,
  logicalName: p.logicalName,
  name: p.name,
  cpuMHz: p.cpuMHz,
  memoryBytes: p.memoryBytes,
  vncPassword: p.pool.vncPassword,
  drives: [{ uuid: drive, bootOrder: 1 }],
  nics: [{ vlan: p.pool.vlan }],
  userData: p.userData,
  onUserDataChange: "update",
  keyPairs: [],
  tags: [tag],
  powerState: "stopped",
  shutdownSeconds: 0,
  startLimitSeconds: 1,
  deleteDrives: true,
  autoStart: true,
  ...(p.smp === undefined ? {} : { smp: p.smp }),
  ...(p.pool.sshPublicKey === undefined ? {} : { sshPublicKey: p.pool.sshPublicKey }),
});

const servers = (ctx: Context): Promise<Server[]> => listOwn(ctx.client, "servers");
const findTemplate = async (ctx: Context, poolId: string, type = DEFAULT_TYPE): Promise<Server | undefined> => (await servers(ctx)).find((s) => isTemplate(s, poolId) && typeOf(s) === type);

/** Template drives of earlier images, which no server uses any more. Drives of workers are copies and betray themselves. */
async function removeOldDrives(ctx: Context, i: WorkerPoolInputs, current: ReadonlySet<string>): Promise<void> {
  for (const d of await listOwn(ctx.client, "drives")) {
    const ours = d.meta[MARK.grid] === i.marks.gridUid && d.meta[MARK.pool] === poolOfInputs(i) && d.meta[MARK.self] === d.uuid;
    if (!ours || current.has(d.uuid)) continue;
    await detached(ctx, d.uuid);
    await removeDrive(ctx.client, d.uuid, { intervalMs: ctx.pollMs });
  }
}

/** Templates of types that are no longer declared. Their workers stay: the controller drains them. */
async function removeOldTemplates(ctx: Context, i: WorkerPoolInputs): Promise<void> {
  const declared = new Set(partsOf(i).map((p) => p.type));
  for (const s of await servers(ctx)) if (isTemplate(s, poolOfInputs(i)) && !declared.has(typeOf(s))) await removeServer(ctx.client, s.uuid, { intervalMs: ctx.pollMs, drives: true });
}

interface Made {
  readonly template: string;
  readonly drive: string;
}

/** Makes or changes drive and template of one type. `former`: what was declared before, where that is known. */
async function alignPart(ctx: Context, p: Part, tag: string, generation: string, former: Part | undefined, seen: (made: Partial<Made>) => void): Promise<Made> {
  const drive = await makeDrive(ctx, driveOf(p), generation, poolMeta(p));
  seen({ drive: drive.uuid });
  await alignDrive(ctx, drive.uuid, driveOf(p), generation, [], poolMeta(p));
  const wish = serverOf(p, drive.uuid, tag);
  // `elastigrid-template` comes only with the second write: its value is the uuid that the first one gives
  const template = (await findTemplate(ctx, poolOfInputs(p.pool), p.type)) ?? (await makeServer(ctx, wish, generation, poolMeta(p)));
  seen({ template: template.uuid });
  const unmarked = template.meta[MARK.template] !== undefined && template.meta[MARK.shape] === undefined && former !== undefined;
  await alignServer(ctx, template.uuid, wish, {
    generation,
    formerKeys: [MARK.closing],
    // With the size and the drive in one write, so that each clone is one or the other.
    extraMeta: { ...poolMeta(p), [MARK.template]: template.uuid, [MARK.shape]: shapeOf(p), ...(unmarked ? { [MARK.unmarkedShape]: shapeOf(former) } : {}) },
  });
  return { template: template.uuid, drive: drive.uuid };
}

/** Makes or changes tag, drives and templates; each is found again by its marks. Never touches a member. */
async function align(ctx: Context, i: WorkerPoolInputs, olds: WorkerPoolInputs | undefined, outs: (o: Partial<WorkerPoolOutputs>) => void): Promise<WorkerPoolOutputs> {
  const poolId = poolOfInputs(i);
  const generation = digest({ poolId });
  const tag = await makeTag(ctx, tagOf(i), generation);
  outs({ tagUuid: tag.uuid });
  await alignTag(ctx, tag.uuid, tagOf(i), generation);
  const formers = new Map((olds === undefined ? [] : partsOf(olds)).map((p) => [p.type, p]));
  const [firstPart = firstOf(i), ...others] = partsOf(i);
  const first = await alignPart(ctx, firstPart, tag.uuid, generation, formers.get(firstPart.type), ({ template, drive }) =>
    outs({ ...(template === undefined ? {} : { templateUuid: template }), ...(drive === undefined ? {} : { driveUuid: drive }) }));
  const drives = new Set([first.drive]);
  const templates: Record<string, string> = {};
  for (const part of others) {
    const made = await alignPart(ctx, part, tag.uuid, generation, formers.get(part.type), () => undefined);
    drives.add(made.drive);
    templates[part.type] = made.template;
  }
  await removeOldTemplates(ctx, i);
  await removeOldDrives(ctx, i, drives);
  return { ...i, poolId, templateUuid: first.template, driveUuid: first.drive, tagUuid: tag.uuid, ...(others.length === 0 ? {} : { templates }) };
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
  const cloneNames = new Set(partsOf(i).map((p) => `${p.name}-disk--${digest(driveIdentity(driveOf(p)))}`));
  for (const d of await listOwn(ctx.client, "drives")) {
    const ours = d.meta[MARK.grid] === i.marks.gridUid && d.meta[MARK.pool] === poolId;
    const unmarkedClone = cloneNames.has(d.name);
    if ((ours || unmarkedClone) && (d.mounted_on ?? []).length === 0) await removeDrive(ctx.client, d.uuid, power);
  }
  for (const t of await listOwn(ctx.client, "tags"))
    if (t.meta?.[MARK.id]?.startsWith(`${i.marks.gridUid}/${tagOf(i).logicalName}#`)) await ctx.client.delete("tags", t.uuid);
}

/** The further types as their templates show them; one that is gone has none. */
async function realTypes(ctx: Context, poolId: string, types: WorkerPoolInputs["types"]): Promise<Pick<WorkerPoolOutputs, "types" | "templates">> {
  if (types === undefined || Object.keys(types).length === 0) return {};
  const all = (await servers(ctx)).filter((s) => isTemplate(s, poolId));
  const seen = Object.entries(types).map(([type, t]) => [type, t, all.find((s) => typeOf(s) === type)] as const);
  return {
    templates: Object.fromEntries(seen.map(([type, , s]) => [type, s?.uuid ?? ""])),
    types: Object.fromEntries(seen.map(([type, t, s]) => [type, s === undefined ? t : { ...t, cpuMHz: s.cpu, ...(t.smp === undefined ? {} : { smp: s.smp }), memoryBytes: s.mem, userData: userDataOf(s.meta) ?? "" }])),
  };
}

const image = z.string("must be text; give a name or uuid").min(1, "must not be empty; give a name or uuid");
const cpuMHz = whole(250, "MHz");
const smp = whole(1, "cores");
const memoryBytes = whole(256 * 1024 ** 2, "bytes");

const v = verbs<WorkerPoolInputs, WorkerPoolOutputs>({
  schema: z.strictObject({
    ...markedFields,
    name,
    image,
    diskBytes: whole(1, "bytes"),
    cpuMHz,
    smp: smp.optional(),
    memoryBytes,
    vlan: uuid,
    userData,
    sshPublicKey: sshPublicKey.optional(),
    vncPassword,
    storageType: z.string("must be text; give a name such as dssd").min(1, "must not be empty; leave it out for the location's default").optional(),
    shutdownSeconds: seconds,
    cloneLimitSeconds: whole(1, "seconds"),
    types: z.record(z.string().regex(/^[a-z][a-z0-9-]{0,20}$/, "is no name of a worker type; use lower-case letters, digits and dashes"), z.strictObject({ image, diskBytes: whole(1, "bytes"), cpuMHz, smp: smp.optional(), memoryBytes, userData })).optional(),
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
    for (const type of Object.keys(news.types ?? {})) if ((olds.templates?.[type] ?? "") === "") changed.push("templates");
    return { changed, replaces: markReplaces(olds, news) };
  },
  async create(ctx, i) {
    const poolId = poolOfInputs(i);
    const left = await findTemplate(ctx, poolId);
    if (left !== undefined && isClosing(left)) await removePool(ctx, i); // a deletion that was cut
    // filled as the parts come into being: what is recorded when a later one fails
    const seen = { ...i, poolId, templateUuid: "", driveUuid: "", tagUuid: "" };
    const outs = await recorded(ctx, poolId, seen, () => align(ctx, i, undefined, (o) => Object.assign(seen, o)));
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
    return { id, props: { ...props, ...real, ...(await realTypes(ctx, id, props.types)) } as WorkerPoolOutputs };
  },
  update: (ctx, _id, olds, i) => align(ctx, i, olds, () => undefined),
  remove: (ctx, _id, props) => removePool(ctx, props),
});
export const { configure, check, diff, create, read, update } = v;
const { remove } = v;
export { remove as delete };
