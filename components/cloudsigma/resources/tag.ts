import { z } from "zod";
import { identityOf, type Marks } from "../marks";
import { markedFields, metaSchema, name } from "../provider/check";
import type { Context } from "../provider/context";
import { declaredKeys, findOrMake, firstMarks, fullMarks, liveMeta, marksOf, mergedMeta, metaFits, newGeneration, takenOver } from "../provider/objects";
import { changedKeys, markReplaces, recorded, verbs } from "../provider/verbs";
import type { Meta, Tag } from "../wire";

export interface TagInputs {
  readonly marks: Marks;
  readonly logicalName: string;
  readonly name: string;
  readonly meta?: Meta;
}
export interface TagOutputs extends TagInputs {
  readonly generation: string;
}

const identity = (i: TagInputs): string => identityOf(i.marks.gridUid, i.logicalName, { kind: "tag" });

/** Finds or makes the tag; its marks are complete after `alignTag`. */
export const makeTag = async (ctx: Context, i: TagInputs, generation: string): Promise<Tag> => {
  const id = identity(i);
  const body = { name: i.name, meta: { ...i.meta, ...firstMarks(i.marks, id, generation) } };
  return (await findOrMake(ctx, "tags", { identity: id, gridUid: i.marks.gridUid, name: i.name }, (findExisting) => ctx.client.create("tags", body, { findExisting }))).object;
};

export async function alignTag(ctx: Context, uuid: string, i: TagInputs, generation: string, formerKeys: readonly string[] = []): Promise<Tag> {
  const live = await ctx.client.get("tags", uuid);
  const wanted = { ...i.meta, ...fullMarks(i.marks, identity(i), generation, uuid) };
  if (live.name === i.name && metaFits(live.meta, formerKeys, wanted)) return live;
  // `resources` is left out on purpose: objects carry the tag by themselves
  return ctx.client.update("tags", uuid, { name: i.name, meta: mergedMeta(live.meta, formerKeys, wanted) });
}

const v = verbs<TagInputs, TagOutputs>({
  schema: z.strictObject({ ...markedFields, name, meta: metaSchema.optional() }),
  defaults: {},
  secrets: [],
  replacing: ["marks", "logicalName"],
  deleteBeforeReplace: false,
  differences(olds, news) {
    return { changed: changedKeys(olds, news, ["name", "meta", "marks"]), replaces: markReplaces(olds, news) };
  },
  async create(ctx, inputs) {
    const generation = newGeneration();
    const made = await makeTag(ctx, inputs, generation);
    const outs = { ...inputs, generation };
    await recorded(ctx, made.uuid, outs, () => alignTag(ctx, made.uuid, inputs, generation));
    return { id: made.uuid, outs };
  },
  async read(ctx, id, props) {
    const tag = await ctx.client.find("tags", id);
    if (tag === undefined) return undefined;
    const marks = marksOf(tag.meta) ?? props.marks;
    const meta = liveMeta(props.meta, tag.meta);
    return { id, props: { ...props, name: tag.name, ...(meta ? { meta } : {}), ...(marks ? { marks } : {}), generation: tag.meta?.["elastigrid-generation"] ?? props.generation ?? "" } as TagOutputs };
  },
  async update(ctx, id, olds, news) {
    await alignTag(ctx, id, news, olds.generation, declaredKeys(olds.meta));
    return { ...news, generation: olds.generation };
  },
  async remove(ctx, id, props) {
    const tag = await ctx.client.find("tags", id);
    if (tag !== undefined && !takenOver(tag, props.generation)) await ctx.client.delete("tags", id);
  },
});
export const { configure, check, diff, create, read, update } = v;
const { remove } = v;
export { remove as delete };
