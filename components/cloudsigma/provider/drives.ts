import { CloudError } from "../../errors";
import { listOwn } from "../client";
import { digest, identityOf, isOriginal, MARK, type Marks } from "../marks";
import { removeDrive, shutdownServer, startServer } from "../power";
import { waitFor } from "../wait";
import type { Drive, LibDrive, Meta } from "../wire";
import type { Context } from "./context";
import { findOrMake, firstMarks, fullMarks, mergedMeta, metaFits, say } from "./objects";
import { same } from "./verbs";

/** A declared drive. */
export interface DriveWish {
  readonly marks: Marks;
  readonly logicalName: string;
  readonly name: string;
  readonly sizeBytes?: number;
  readonly cloneOf?: string;
  readonly media: "disk" | "cdrom";
  readonly storageType?: string;
  readonly allowMultimount?: boolean;
  readonly meta?: Meta;
  readonly tags?: readonly string[];
  readonly cloneLimitSeconds: number;
  readonly keepData?: boolean;
  readonly replace?: string;
}

/** The service rounds sizes up to multiples of this; smaller differences are none. */
export const SIZE_STEP = 16_384;
export const sameSize = (a: number, b: number): boolean => Math.abs(a - b) < SIZE_STEP;

/** What makes another drive of it. */
export const driveReplacing = (i: Pick<DriveWish, "cloneOf" | "storageType">): object => ({ cloneOf: i.cloneOf, storageType: i.storageType });
export const driveIdentity = (i: Pick<DriveWish, "marks" | "logicalName" | "cloneOf" | "storageType">): string => identityOf(i.marks.gridUid, i.logicalName, driveReplacing(i));

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A few names that resemble the wanted one, else simply a few: for the message. */
function near(wanted: string, names: readonly string[]): string {
  const words = wanted.toLowerCase().split(/[^a-z0-9]+/).filter((w) => w.length > 2);
  const score = (n: string): number => words.filter((w) => n.toLowerCase().includes(w)).length;
  const sorted = [...new Set(names)].sort((a, b) => score(b) - score(a) || (a < b ? -1 : 1));
  return sorted.slice(0, 5).map((n) => `"${n}"`).join(", ") || "none at all";
}

/** The library drive or own drive of this name or uuid. Library first: names there are chosen by the cloud. */
export async function findImage(ctx: Pick<Context, "client">, nameOrUuid: string): Promise<(Drive | LibDrive) & { readonly library: boolean }> {
  const { client } = ctx;
  if (UUID.test(nameOrUuid)) {
    const lib = await client.find("libdrives", nameOrUuid);
    if (lib !== undefined) return { ...lib, library: true };
    const own = await client.find("drives", nameOrUuid);
    if (own !== undefined) return { ...own, library: own.owner === null };
    throw new CloudError("not-found", `image ${nameOrUuid} does not exist in this location; images have other uuids in every location: give its name instead`);
  }
  const library = await client.list("libdrives");
  const own = (await listOwn(client, "drives")).filter((d) => isOriginal(d));
  for (const [rows, isLibrary] of [[library, true], [own, false]] as const) {
    const hits = rows.filter((d) => d.name === nameOrUuid && d.media !== "cdrom");
    const [hit] = hits;
    if (hits.length > 1) throw new CloudError("invalid", `image "${nameOrUuid}" is ambiguous: ${hits.map((d) => d.uuid).join(", ")}; give the uuid of one of them`);
    if (hit !== undefined) return { ...hit, library: isLibrary };
  }
  throw new CloudError("not-found", `image "${nameOrUuid}" does not exist, neither in the library nor among own drives; there are ${near(nameOrUuid, [...library, ...own].map((d) => d.name))}`);
}

const PENDING = ["creating", "cloning_dst", "resizing", "uploading", "copying", "unavailable"];
const READY = ["mounted", "unmounted", "cloning_src"];
export const isSettled = (status: string): boolean => READY.includes(status);

/** An `unavailable` drive usually comes back; one whose copying has failed does not. */
async function copyFailed(ctx: Context, d: Drive): Promise<boolean> {
  if (d.status !== "unavailable") return false;
  // finished jobs are no longer named by the drive, only the other way round; after some days they are forgotten
  const jobs = (await ctx.client.list("jobs")).filter((j) => j.operation === "drive_clone" && j.resources?.some((r) => r.includes(d.uuid)));
  return jobs.length > 0 && jobs.every((j) => j.state !== "started" && j.state !== "success");
}

export const waitReady = (ctx: Context, uuid: string, limitMs: number): Promise<Drive> =>
  waitFor({
    what: `drive ${uuid}`,
    read: async () => {
      const d = await ctx.client.get("drives", uuid);
      if (await copyFailed(ctx, d)) throw new CloudError("wrong-state", `drive ${d.name} (${uuid}): the cloud could not copy its image; run again, it is then copied anew`);
      return d;
    },
    pending: PENDING,
    wanted: READY,
    intervalMs: ctx.pollMs,
    limitMs,
    clock: ctx.client.clock,
  });

/** Finds or makes the drive; it may still be copying, and its marks are complete after `alignDrive`. */
export async function makeDrive(ctx: Context, i: DriveWish, generation: string, extraMeta: Meta = {}): Promise<Drive> {
  const identity = driveIdentity(i);
  const meta = { ...i.meta, ...extraMeta, ...firstMarks(i.marks, identity, generation) };
  // Whether a clone takes meta is not sure; its name it does take. So this name identifies it until the marks are on.
  const cloneName = `${i.name}--${digest(identity)}`;
  const sought = {
    identity,
    gridUid: i.marks.gridUid,
    name: i.name,
    // a drive that is too large is the predecessor of a shrinking replacement
    fits: (d: Drive) => i.sizeBytes === undefined || d.size <= i.sizeBytes || sameSize(d.size, i.sizeBytes),
    alias: (d: Drive) => i.cloneOf !== undefined && d.name === cloneName,
  };
  const make = async (findExisting: () => Promise<Drive | undefined>): Promise<Drive> => {
    if (i.cloneOf === undefined) {
      const body = { name: i.name, size: i.sizeBytes, media: i.media, meta, ...(i.storageType ? { storage_type: i.storageType } : {}), ...(i.allowMultimount ? { allow_multimount: true } : {}), ...(i.tags ? { tags: i.tags } : {}) };
      return ctx.client.create("drives", body, { findExisting });
    }
    const image = await findImage(ctx, i.cloneOf);
    if (i.sizeBytes !== undefined && i.sizeBytes < image.size && !sameSize(i.sizeBytes, image.size))
      throw new CloudError("invalid", `sizeBytes = ${i.sizeBytes}: is smaller than the image "${image.name}" (${image.size}); give at least ${image.size}`);
    const body = { name: cloneName, media: i.media, meta, ...(i.sizeBytes === undefined ? {} : { size: Math.max(i.sizeBytes, image.size) }), ...(i.storageType ? { storage_type: i.storageType } : {}) };
    const wrap = async (): Promise<{ objects: Drive[] } | undefined> => {
      const d = await findExisting();
      return d === undefined ? undefined : { objects: [d] };
    };
    const answer = await ctx.client.action<{ objects?: Drive[] } & Partial<Drive>>(image.library ? "libdrives" : "drives", image.uuid, "clone", body, { findExisting: wrap });
    const made = answer.objects?.[0] ?? (answer.uuid === undefined ? undefined : (answer as Drive));
    if (made === undefined) throw new CloudError("invalid", `clone of image "${image.name}": the answer holds no drive`, { ambiguous: true });
    return made;
  };
  const { object, found } = await findOrMake(ctx, "drives", sought, async (findExisting) => {
    await refuseLoss(ctx, i);
    return make(findExisting);
  });
  if (!found || i.cloneOf === undefined || (object.mounted_on ?? []).length > 0 || !(await copyFailed(ctx, object))) return object;
  await removeDrive(ctx.client, object.uuid, { intervalMs: ctx.pollMs });
  return (await findOrMake(ctx, "drives", sought, make)).object;
}

/** What a person needs to know of a replacement that is refused. */
export const lossText = (what: string, id: string): string =>
  `${what}, whose data would be lost with it; nothing was done: go back to what was declared, or, to lose the data once, set \`replace\` to ${id} (of a grid's master: grid.master.replace)`;

/** The engine asks nobody before a replacement that it is ordered to make (`--replace`, a taint): so the drive itself does. */
async function refuseLoss(ctx: Context, i: DriveWish): Promise<void> {
  if (i.keepData !== true) return;
  const former = (await listOwn(ctx.client, "drives")).find((d) => d.meta[MARK.id]?.startsWith(`${i.marks.gridUid}/${i.logicalName}#`) === true && isOriginal(d) && d.uuid !== i.replace);
  if (former !== undefined) throw new CloudError("invalid", lossText(`${i.logicalName} would become another drive than ${former.name} (${former.uuid})`, former.uuid));
}

interface Plan {
  readonly live: boolean;
  readonly stop: boolean;
}

function planFor(d: Drive, i: DriveWish, meta: Meta, formerKeys: readonly string[]): Plan {
  const grow = i.sizeBytes !== undefined && d.size < i.sizeBytes && !sameSize(d.size, i.sizeBytes);
  const live =
    d.name !== i.name ||
    !metaFits(d.meta, formerKeys, meta) ||
    (i.tags !== undefined && !same([...(d.tags ?? [])].map((t) => t.uuid).sort(), [...i.tags].sort())) ||
    (i.allowMultimount !== undefined && (d.allow_multimount ?? false) !== i.allowMultimount);
  return { live, stop: grow || d.media !== i.media };
}

/** Stops the running servers of a drive, remembering in their meta that they ran. */
async function stopMounting(ctx: Context, drive: Drive): Promise<void> {
  for (const { uuid } of drive.mounted_on ?? []) {
    const server = await ctx.client.find("servers", uuid);
    if (server === undefined || server.status === "stopped") continue;
    say(`drive ${drive.name}: stopping server ${server.name} for a change that needs it`);
    await ctx.client.update("servers", uuid, { name: server.name, cpu: server.cpu, mem: server.mem, vnc_password: server.vnc_password, meta: { ...server.meta, [MARK.restart]: "true" } });
    await shutdownServer(ctx.client, uuid, 30_000, { intervalMs: ctx.pollMs });
  }
}

async function restartMounting(ctx: Context, drive: Drive): Promise<void> {
  for (const { uuid } of drive.mounted_on ?? []) {
    const server = await ctx.client.find("servers", uuid);
    if (server?.meta[MARK.restart] !== "true") continue;
    await startServer(ctx.client, uuid, { intervalMs: ctx.pollMs });
    const { [MARK.restart]: _done, ...meta } = server.meta;
    await ctx.client.update("servers", uuid, { name: server.name, cpu: server.cpu, mem: server.mem, vnc_password: server.vnc_password, meta });
  }
}

/** Waits for the drive and makes it as declared; reads back, because the service ignores some changes silently. */
export async function alignDrive(ctx: Context, uuid: string, i: DriveWish, generation: string, formerKeys: readonly string[] = [], extraMeta: Meta = {}): Promise<Drive> {
  const limitMs = i.cloneLimitSeconds * 1_000;
  const declared: Meta = i.keepData === true && i.sizeBytes !== undefined ? { [MARK.declaredSize]: String(i.sizeBytes) } : {};
  const meta = { ...i.meta, ...extraMeta, ...declared, ...fullMarks(i.marks, driveIdentity(i), generation, uuid) };
  let drive = await waitReady(ctx, uuid, limitMs);
  let plan = planFor(drive, i, meta, formerKeys);
  if (plan.live || plan.stop) {
    if (plan.stop) await stopMounting(ctx, drive);
    await ctx.client.update("drives", uuid, {
      name: i.name,
      media: i.media,
      size: i.sizeBytes === undefined || i.sizeBytes < drive.size ? drive.size : i.sizeBytes,
      meta: mergedMeta(drive.meta, formerKeys, meta),
      ...(i.tags === undefined ? {} : { tags: i.tags }),
      ...(i.allowMultimount === undefined ? {} : { allow_multimount: i.allowMultimount }),
    });
    drive = await waitReady(ctx, uuid, limitMs);
    plan = planFor(drive, i, meta, formerKeys);
    if (plan.live || plan.stop)
      throw new CloudError("wrong-state", `drive ${i.name} (${uuid}): the cloud accepted the change and did not make it (size ${drive.size}, wanted ${i.sizeBytes ?? drive.size}); stop the servers it is attached to and run again`);
  }
  await restartMounting(ctx, drive);
  return drive;
}
