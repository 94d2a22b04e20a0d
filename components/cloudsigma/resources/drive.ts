import { z } from "zod";
import { MARK } from "../marks";
import { removeDrive } from "../power";
import { flag, markedFields, metaSchema, name, seconds, tagsSchema, uuid, whole } from "../provider/check";
import { alignDrive, isSettled, lossText, makeDrive, sameSize, type DriveWish } from "../provider/drives";
import { declaredKeys, liveMeta, marksOf, newGeneration, say, takenOver } from "../provider/objects";
import { changedKeys, markReplaces, recorded, verbs } from "../provider/verbs";
import type { Drive } from "../wire";

export type DriveInputs = DriveWish;
export interface DriveOutputs extends DriveInputs {
  /** As declared; `sizeBytes` is what the drive has. */
  readonly declaredSizeBytes?: number;
  readonly status: string;
  readonly generation: string;
}

const schema = z
  .strictObject({
    ...markedFields,
    name,
    sizeBytes: whole(1, "bytes").optional(),
    cloneOf: z.string("must be text; give a name or uuid").min(1, "must not be empty; give a name or uuid").optional(),
    media: z.enum(["disk", "cdrom"], "is neither disk nor cdrom; use one of them"),
    storageType: z.string("must be text; give a name such as dssd").min(1, "must not be empty; leave it out for the location's default").optional(),
    allowMultimount: flag.optional(),
    meta: metaSchema.optional(),
    tags: tagsSchema.optional(),
    cloneLimitSeconds: seconds,
    keepData: flag.optional(),
    replace: uuid.optional(),
  })
  .refine((d) => d.sizeBytes !== undefined || d.cloneOf !== undefined, { path: ["sizeBytes"], message: "is missing for an empty drive; give the size, or what to clone" });

/** What was found in the cloud, in the words of the declaration. */
function outsOf(i: DriveInputs, d: Drive, generation: string): DriveOutputs {
  return {
    ...i,
    sizeBytes: d.size,
    ...(i.sizeBytes === undefined ? {} : { declaredSizeBytes: i.sizeBytes }),
    ...(i.storageType === undefined && d.storage_type !== null ? { storageType: d.storage_type } : {}),
    status: isSettled(d.status) ? "ready" : d.status,
    generation,
  };
}

const v = verbs<DriveInputs, DriveOutputs>({
  schema,
  defaults: { media: "disk", cloneLimitSeconds: 1_800 },
  secrets: [],
  replacing: ["marks", "logicalName", "cloneOf", "storageType"],
  deleteBeforeReplace: false,
  differences(olds, news) {
    const changed = changedKeys(olds, news, ["name", "media", "marks", "cloneLimitSeconds"]);
    const replaces = [...markReplaces(olds, news), ...changedKeys(olds, news, ["cloneOf"])];
    for (const key of ["meta", "tags", "allowMultimount"] as const) if (news[key] !== undefined || olds[key] !== undefined) changed.push(...changedKeys(olds, news, [key]));
    // left out means: as the location likes it
    if (news.storageType !== undefined && news.storageType !== olds.storageType) replaces.push("storageType");
    const [has, want] = [olds.sizeBytes, news.sizeBytes];
    if (want !== undefined && has !== undefined && !sameSize(has, want)) {
      // Somebody else made it larger: data cannot be cut off for that. Only a smaller declaration replaces.
      const declaredSmaller = olds.declaredSizeBytes === undefined || want < olds.declaredSizeBytes;
      if (want > has) changed.push("sizeBytes");
      else if (declaredSmaller) replaces.push("sizeBytes");
    }
    if (olds.status !== "ready") changed.push("status");
    return { changed, replaces };
  },
  refuses(id, olds, news, replaces) {
    if (news.keepData !== true || news.replace === id) return undefined;
    const shown = (k: string): string => (["marks", "logicalName"].includes(k) ? k : `${k} ${String(olds[k as keyof DriveOutputs])} -> ${String(news[k as keyof DriveInputs])}`);
    return lossText(`${replaces.map(shown).join(", ")}: would replace drive ${olds.name} (${id})`, id);
  },
  async create(ctx, inputs) {
    const generation = newGeneration();
    const made = await makeDrive(ctx, inputs, generation);
    const drive = await recorded(ctx, made.uuid, outsOf(inputs, made, generation), () => alignDrive(ctx, made.uuid, inputs, generation));
    return { id: made.uuid, outs: outsOf(inputs, drive, generation) };
  },
  async read(ctx, id, props) {
    const d = await ctx.client.find("drives", id);
    if (d === undefined) return undefined;
    const marks = marksOf(d.meta) ?? props.marks;
    const meta = liveMeta(props.meta, d.meta);
    const real = {
      name: d.name,
      sizeBytes: d.size,
      media: d.media,
      ...(d.storage_type === null ? {} : { storageType: d.storage_type }),
      ...(marks ? { marks } : {}),
      ...(meta ? { meta } : {}),
      ...(props.tags ? { tags: orderLike(props.tags, (d.tags ?? []).map((t) => t.uuid)) } : {}),
      ...(props.allowMultimount === undefined ? {} : { allowMultimount: d.allow_multimount ?? false }),
      status: isSettled(d.status) ? "ready" : d.status,
      generation: d.meta[MARK.generation] ?? props.generation ?? "",
    };
    return { id, props: { cloneLimitSeconds: 1_800, ...props, ...real } as DriveOutputs };
  },
  async update(ctx, id, olds, news) {
    return outsOf(news, await alignDrive(ctx, id, news, olds.generation, declaredKeys(olds.meta)), olds.generation);
  },
  async remove(ctx, id, props) {
    const d = await ctx.client.find("drives", id);
    if (d === undefined) return;
    if (takenOver(d, props.generation)) return say(`drive ${d.name} (${id}) was taken over by its replacement and stays`);
    await removeDrive(ctx.client, id, { intervalMs: ctx.pollMs });
  },
});

/** The service gives sets in any order: the declared order is kept where the members agree. */
function orderLike(declared: readonly string[], live: readonly string[]): string[] {
  return [...declared.filter((u) => live.includes(u)), ...live.filter((u) => !declared.includes(u))];
}

export const { configure, check, diff, create, read, update } = v;
const { remove } = v;
export { remove as delete };
