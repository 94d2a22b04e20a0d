import { z } from "zod";
import { identityOf, MARK, type Marks } from "../marks";
import { markedFields, name, sshPublicKey } from "../provider/check";
import { findOrMake, firstMarks, fullMarks, marksOf, mergedMeta, metaFits, newGeneration, takenOver } from "../provider/objects";
import { changedKeys, markReplaces, recorded, verbs } from "../provider/verbs";
import type { Context } from "../provider/context";
import type { KeyPair } from "../wire";

export interface KeyPairInputs {
  readonly marks: Marks;
  readonly logicalName: string;
  readonly name: string;
  readonly publicKey: string;
}
export interface KeyPairOutputs extends KeyPairInputs {
  readonly fingerprint: string;
  readonly generation: string;
}

/** The service drops trailing blanks and line ends. */
const trimmed = (key: string): string => key.trim();
const identity = (i: KeyPairInputs): string => identityOf(i.marks.gridUid, i.logicalName, { kind: "keypair", publicKey: trimmed(i.publicKey) });

async function align(ctx: Context, uuid: string, i: KeyPairInputs, generation: string): Promise<KeyPair> {
  const live = await ctx.client.get("keypairs", uuid);
  const wanted = fullMarks(i.marks, identity(i), generation, uuid);
  if (live.name === i.name && metaFits(live.meta, [], wanted)) return live;
  return ctx.client.update("keypairs", uuid, { name: i.name, public_key: trimmed(i.publicKey), meta: mergedMeta(live.meta, [], wanted) });
}

const v = verbs<KeyPairInputs, KeyPairOutputs>({
  schema: z.strictObject({ ...markedFields, name, publicKey: sshPublicKey }),
  defaults: {},
  secrets: [],
  replacing: ["marks", "logicalName", "publicKey"],
  deleteBeforeReplace: false,
  differences(olds, news) {
    const replaces = [...markReplaces(olds, news), ...(trimmed(olds.publicKey) === trimmed(news.publicKey) ? [] : ["publicKey"])];
    return { changed: changedKeys(olds, news, ["name", "marks"]), replaces };
  },
  async create(ctx, inputs) {
    const generation = newGeneration();
    const id = identity(inputs);
    const body = { name: inputs.name, public_key: trimmed(inputs.publicKey), meta: firstMarks(inputs.marks, id, generation) };
    const sought = { identity: id, gridUid: inputs.marks.gridUid, name: inputs.name };
    const { object } = await findOrMake(ctx, "keypairs", sought, (findExisting) => ctx.client.create("keypairs", body, { findExisting }));
    const outs = { ...inputs, generation, fingerprint: object.fingerprint ?? "" };
    await recorded(ctx, object.uuid, outs, () => align(ctx, object.uuid, inputs, generation));
    return { id: object.uuid, outs };
  },
  async read(ctx, id, props) {
    const key = await ctx.client.find("keypairs", id);
    if (key === undefined) return undefined;
    const marks = marksOf(key.meta) ?? props.marks;
    return {
      id,
      props: {
        ...props,
        name: key.name,
        publicKey: key.public_key,
        fingerprint: key.fingerprint ?? "",
        ...(marks ? { marks } : {}),
        generation: key.meta?.[MARK.generation] ?? props.generation ?? "",
      } as KeyPairOutputs,
    };
  },
  async update(ctx, id, olds, news) {
    const live = await align(ctx, id, news, olds.generation);
    return { ...news, generation: olds.generation, fingerprint: live.fingerprint ?? olds.fingerprint };
  },
  async remove(ctx, id, props) {
    const key = await ctx.client.find("keypairs", id);
    if (key !== undefined && !takenOver(key, props.generation)) await ctx.client.delete("keypairs", id);
  },
});
export const { configure, check, diff, create, read, update } = v;
const { remove } = v;
export { remove as delete };
