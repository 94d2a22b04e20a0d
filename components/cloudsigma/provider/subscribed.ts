import { z } from "zod";
import { CloudError, isCloudError } from "../../errors";
import { listOwn } from "../client";
import { digest, identityOf, MARK, markMeta, MARK_PREFIX, type Marks } from "../marks";
import type { Ip, Meta, Subscription, Vlan } from "../wire";
import { flag, markedFields, name } from "./check";
import type { Context } from "./context";
import { marksOf, mergedMeta, metaFits, newGeneration, say, takenOver } from "./objects";
import { changedKeys, markReplaces, recorded, verbs, type Verbs } from "./verbs";

/** VLANs and addresses: they exist as long as a subscription is paid, and no call makes or deletes them. */
export interface SubscribedInputs {
  readonly marks: Marks;
  readonly logicalName: string;
  readonly name: string;
  /** Uuid or address of the one to use. */
  readonly wanted?: string;
  readonly purchase?: { readonly allowed: boolean; readonly period?: string };
}
export interface SubscribedOutputs extends SubscribedInputs {
  /** How it came to us: only what we took or bought is given back. */
  readonly source: "given" | "free" | "bought";
  readonly subscriptionId: string;
  readonly paidUntil: string;
  readonly generation: string;
}

/** What differs between the two. */
export interface SubscribedKind<T extends Vlan | Ip> {
  readonly collection: "vlans" | "ips";
  /** Resource word of a subscription. */
  readonly resource: "vlan" | "ip";
  readonly noun: string;
  readonly wantedSchema: z.ZodType;
  inUse(object: T): boolean;
  /** Output fields beyond the common ones. */
  facts(object: T): object;
}

const FREE_KEYS: readonly string[] = [MARK.grid, MARK.id, MARK.name, MARK.stack, MARK.generation, "name"];
const isFreed = (o: { meta: Meta }): boolean => o.meta[MARK.free] === "true";
const subscriptionOf = (o: Vlan | Ip): string => (o.subscription === null ? "" : String(o.subscription.id));
const identity = (i: SubscribedInputs): string => identityOf(i.marks.gridUid, i.logicalName, { wanted: i.wanted });

export function subscribedVerbs<T extends Vlan | Ip>(kind: SubscribedKind<T>): Verbs<SubscribedInputs, SubscribedOutputs> {
  const { collection, resource, noun } = kind;
  const own = async (ctx: Context): Promise<T[]> => ((await listOwn(ctx.client, collection)) as unknown as T[]).filter((o) => o.subscription !== null);
  const get = async (ctx: Context, id: string): Promise<T> => (await ctx.client.get(collection, id)) as unknown as T;
  const find = async (ctx: Context, id: string): Promise<T | undefined> => (await ctx.client.find(collection, id)) as unknown as T | undefined;
  const put = (ctx: Context, id: string, meta: Meta): Promise<unknown> => ctx.client.update(collection, id, { meta });
  const wantedMeta = (i: SubscribedInputs, generation: string): Meta => ({ name: i.name, ...markMeta(i.marks, identity(i)), [MARK.generation]: generation });

  async function subscription(ctx: Context, id: string): Promise<Subscription | undefined> {
    return id === "" ? undefined : ctx.client.find("subscriptions", id);
  }

  /** The action may toggle where it is given no value: so it is sent only when it has something to change. */
  async function setRenewal(ctx: Context, id: string, on: boolean): Promise<Subscription | undefined> {
    const isSo = async (): Promise<true | undefined> => {
      const s = await subscription(ctx, id);
      return s === undefined || s.auto_renew === on ? true : undefined;
    };
    if (!(await isSo())) await ctx.client.action<unknown>("subscriptions", id, "auto_renew", { auto_renew: on }, { findExisting: isSo });
    const after = await subscription(ctx, id);
    if (after !== undefined && after.auto_renew !== on)
      throw new CloudError("wrong-state", `subscription ${id} of ${noun}: its renewal stays ${on ? "off" : "on"}; switch it ${on ? "on" : "off"} in the cloud's web console`);
    return after;
  }

  /** Marks it as ours and makes sure that nobody else did so at the same time. */
  async function claim(ctx: Context, object: T, i: SubscribedInputs, generation: string): Promise<T> {
    const meta = wantedMeta(i, generation);
    if (!metaFits(object.meta, [MARK.free], meta)) await put(ctx, object.uuid, mergedMeta(object.meta, [MARK.free], meta));
    const after = await get(ctx, object.uuid);
    if (after.meta[MARK.id] !== identity(i)) throw new CloudError("transient", `${noun} ${object.uuid} was taken by another deployment at the same moment; run again`);
    return after;
  }

  const unmarked = (o: T): boolean => o.meta[MARK.grid] === undefined && !isFreed(o) && !kind.inUse(o);

  /**
   * Buys one. What was to be bought is written down before, as a tag: a run that was cut between the purchase and the
   * marking finds its purchase again instead of paying twice. Renewal is off until it is ours.
   */
  async function buy(ctx: Context, i: SubscribedInputs): Promise<T> {
    const { client } = ctx;
    const note = `elastigrid-buys-${digest(identity(i), 16)}`;
    const listed = async (): Promise<Subscription[]> => (await client.list("subscriptions", { params: { resource } })).filter((s) => s.resource === resource);
    const findNote = async () => (await listOwn(client, "tags")).find((t) => t.name === note);
    let tag = await findNote();
    if (tag === undefined) {
      const before = (await listed()).map((s) => s.id).join(",");
      tag = await client.create("tags", { name: note, meta: { [MARK.grid]: i.marks.gridUid, before } }, { findExisting: findNote });
    }
    const before = new Set((tag.meta?.["before"] ?? "").split(","));
    const bought = async (): Promise<Subscription | undefined> => {
      for (const s of await listed()) {
        if (before.has(String(s.id)) || s.subscribed_object === null) continue;
        const object = await find(ctx, s.subscribed_object);
        if (object !== undefined && unmarked(object)) return s;
      }
      return undefined;
    };
    const period = i.purchase?.period ?? "1 month";
    let made = await bought();
    if (made === undefined) {
      say(`${noun} ${i.name}: buying one for ${period}`);
      made = await client.create("subscriptions", { resource, amount: 1, period, auto_renew: false }, {
        findExisting: async () => {
          await client.clock.sleep(ctx.settleMs);
          return bought();
        },
      });
    }
    if (made.subscribed_object === null) made = (await bought()) ?? made;
    if (made.subscribed_object === null) throw new CloudError("invalid", `subscription ${made.id} was bought, but names no ${noun}; give its id to the cloud's support`);
    return get(ctx, made.subscribed_object);
  }

  async function dropNote(ctx: Context, i: SubscribedInputs): Promise<void> {
    const note = `elastigrid-buys-${digest(identity(i), 16)}`;
    for (const t of await listOwn(ctx.client, "tags")) if (t.name === note) await ctx.client.delete("tags", t.uuid);
  }

  function refusal(i: SubscribedInputs, all: readonly T[]): CloudError {
    const idle = all.filter(unmarked).map((o) => o.uuid);
    const offer = idle.length === 0 ? "" : `; these are subscribed and unused, name one as \`wanted\`: ${idle.slice(0, 10).join(", ")}`;
    return new CloudError("invalid", `${noun} ${i.name}: none was given back earlier, and a purchase is not allowed${offer}; allow the purchase or subscribe one yourself`);
  }

  async function given(ctx: Context, i: SubscribedInputs, wanted: string): Promise<T> {
    const me = await ctx.client.profileUuid();
    const object = await find(ctx, wanted);
    if (object === undefined) {
      const all = await own(ctx);
      throw new CloudError("not-found", `wanted = "${wanted}": no such ${noun} in this location; there are ${all.map((o) => o.uuid).slice(0, 10).join(", ") || "none"}`);
    }
    const owner = object.meta[MARK.grid];
    if (object.owner?.uuid !== me || object.subscription === null) throw new CloudError("auth", `wanted = "${wanted}": this ${noun} is not subscribed by this account; name one of your own`);
    if (owner !== undefined && owner !== i.marks.gridUid) throw new CloudError("invalid", `wanted = "${wanted}": this ${noun} is in use by the deployment ${object.meta[MARK.name] ?? owner} (${object.meta[MARK.stack] ?? "?"}); name another`);
    return object;
  }

  async function obtain(ctx: Context, i: SubscribedInputs, generation: string): Promise<{ object: T; source: SubscribedOutputs["source"] }> {
    const all = await own(ctx);
    const mine = all.find((o) => o.meta[MARK.id] === identity(i));
    if (i.wanted !== undefined) return { object: await claim(ctx, mine ?? (await given(ctx, i, i.wanted)), i, generation), source: "given" };
    if (mine !== undefined) return { object: await claim(ctx, mine, i, generation), source: "bought" };
    for (const free of all.filter((o) => isFreed(o) && !kind.inUse(o))) {
      try {
        return { object: await claim(ctx, free, i, generation), source: "free" };
      } catch (e) {
        if (!isCloudError(e, "transient") || e.status !== 0) throw e; // taken meanwhile: the next one
      }
    }
    if (i.purchase?.allowed !== true) throw refusal(i, all);
    return { object: await claim(ctx, await buy(ctx, i), i, generation), source: "bought" };
  }

  const outsOf = (i: SubscribedInputs, o: T, s: Subscription | undefined, source: SubscribedOutputs["source"], generation: string): SubscribedOutputs => ({
    ...i,
    source,
    subscriptionId: subscriptionOf(o),
    paidUntil: s?.end_time ?? "",
    generation,
    ...kind.facts(o),
  });

  return verbs<SubscribedInputs, SubscribedOutputs>({
    schema: z.strictObject({
      ...markedFields,
      name,
      wanted: kind.wantedSchema.optional(),
      purchase: z.strictObject({ allowed: flag, period: z.string("must be text; write it like `1 month`").min(1, "must not be empty; write it like `1 month`").optional() }).optional(),
    }),
    defaults: {},
    secrets: [],
    replacing: ["marks", "logicalName", "wanted"],
    deleteBeforeReplace: true,
    differences(olds, news) {
      const replaces = markReplaces(olds, news);
      if (olds.wanted !== news.wanted) replaces.push("wanted");
      // what was bought is bought: `purchase` is for the next one
      return { changed: changedKeys(olds, news, ["name", "marks", "purchase"]), replaces };
    },
    async create(ctx, i) {
      const generation = newGeneration();
      // one at a time: two purchases must not take each other's result
      const { object, source } = await ctx.exclusive.run(`take ${collection}`, () => obtain(ctx, i, generation));
      const first = outsOf(i, object, undefined, source, generation);
      const s = await recorded(ctx, object.uuid, first, async () => {
        const paid = source === "given" ? await subscription(ctx, subscriptionOf(object)) : await setRenewal(ctx, subscriptionOf(object), true);
        if (source === "bought") await dropNote(ctx, i);
        return paid;
      });
      return { id: object.uuid, outs: outsOf(i, object, s, source, generation) };
    },
    async read(ctx, id, props) {
      const o = await find(ctx, id);
      if (o === undefined) return undefined;
      const s = await subscription(ctx, subscriptionOf(o));
      const marks = marksOf(o.meta) ?? props.marks;
      const real = { name: o.meta["name"] ?? "", subscriptionId: subscriptionOf(o), paidUntil: s?.end_time ?? "", generation: o.meta[MARK.generation] ?? props.generation ?? "", ...(marks ? { marks } : {}) };
      return { id, props: { source: "given", ...props, ...real, ...kind.facts(o) } as SubscribedOutputs };
    },
    async update(ctx, id, olds, i) {
      const object = await claim(ctx, await get(ctx, id), i, olds.generation);
      const s = olds.source === "given" ? await subscription(ctx, subscriptionOf(object)) : await setRenewal(ctx, subscriptionOf(object), true);
      if (olds.source === "bought") await dropNote(ctx, i);
      return outsOf(i, object, s, olds.source, olds.generation);
    },
    async remove(ctx, id, props) {
      const o = await find(ctx, id);
      if (o === undefined) return;
      // given back already, or somebody else's by now
      if (takenOver(o, props.generation) || o.meta[MARK.grid] !== props.marks.gridUid) return;
      const kept = Object.fromEntries(Object.entries(o.meta).filter(([k]) => !FREE_KEYS.includes(k) && !k.startsWith(MARK_PREFIX)));
      if (props.source === "given") {
        await put(ctx, id, kept);
        return;
      }
      const s = await setRenewal(ctx, subscriptionOf(o), false);
      await put(ctx, id, { ...kept, [MARK.free]: "true" });
      await dropNote(ctx, props);
      say(`${noun} ${id} is given back: paid until ${s?.end_time ?? "unknown"}, no renewal; the next deployment takes it`);
    },
  });
}
