import type { z } from "zod";
import { isCloudError } from "../../errors";
import { describe } from "../explain";
import { stableText, type Marks } from "../marks";
import { checkInputs, hasUnknown, plain, type CheckResult } from "./check";
import { configure, currentContext, type Context } from "./context";

export interface DiffResult {
  readonly changes: boolean;
  readonly replaces: string[];
  readonly deleteBeforeReplace: boolean;
}

/** What differs between two resources: data, pure comparisons, and the calls. */
export interface ResourceSpec<I extends object, O extends object> {
  readonly schema: z.ZodType;
  readonly defaults: Partial<I>;
  /** Inputs whose value no message may show. */
  readonly secrets: readonly string[];
  /** Which inputs differ from what is there, and which of them cannot change in place. Pure; both sides are known. */
  differences(olds: O, news: I): { readonly changed: string[]; readonly replaces: string[] };
  /** Inputs that cannot change in place; in a preview an unknown one counts as changed. */
  readonly replacing: readonly string[];
  readonly deleteBeforeReplace: boolean;
  /** Why a replacement must not be, with what to do instead; asked in previews too. @default none is refused */
  refuses?(id: string, olds: O, news: I, replaces: readonly string[]): string | undefined;
  create(ctx: Context, inputs: I): Promise<{ id: string; outs: O }>;
  /** Undefined: it is gone. */
  read(ctx: Context, id: string, props: Partial<O>): Promise<{ id: string; props: O } | undefined>;
  update(ctx: Context, id: string, olds: O, news: I): Promise<O>;
  remove(ctx: Context, id: string, props: O): Promise<void>;
}

export interface Verbs<I, O> {
  configure: typeof configure;
  check(olds: Partial<O>, news: Record<string, unknown>): Promise<CheckResult<I>>;
  diff(id: string, olds: Record<string, unknown>, news: Record<string, unknown>): Promise<DiffResult>;
  create(inputs: Record<string, unknown>): Promise<{ id: string; outs: O }>;
  read(id: string, props?: Record<string, unknown>): Promise<{ id: string; props: O | Record<string, never> }>;
  update(id: string, olds: Record<string, unknown>, news: Record<string, unknown>): Promise<{ outs: O }>;
  remove(id: string, props: Record<string, unknown>): Promise<void>;
}

/** The object exists, but is not as declared yet: the engine records it with these three fields and updates it next time. */
export class HalfMade extends Error {
  readonly id: string;
  readonly properties: object;
  readonly reasons: string[];
  constructor(id: string, properties: object, reason: string) {
    super(reason);
    this.name = "HalfMade";
    this.id = id;
    this.properties = { ...properties };
    this.reasons = [reason];
  }
}

async function textFor(ctx: Context | undefined, error: unknown): Promise<string> {
  const text = describe(error);
  if (!isCloudError(error, "funds") || ctx === undefined) return text;
  try {
    const b = await ctx.client.single("balance");
    return `${text}\n  balance: ${b.balance} ${b.currency}`;
  } catch (e) {
    return `${text}\n  balance: could not be read (${describe(e).split("\n")[0]})`;
  }
}

/** Runs what follows the moment an object exists: a failure still tells the engine of it. */
export async function recorded<T>(ctx: Context, id: string, properties: object, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (e) {
    throw e instanceof HalfMade ? e : new HalfMade(id, properties, await textFor(ctx, e));
  }
}

/** One message for people, without a stack: the engine prints both. */
async function forPeople<T>(work: (ctx: Context) => Promise<T>): Promise<T> {
  let ctx: Context | undefined;
  try {
    ctx = currentContext();
    return await work(ctx);
  } catch (e) {
    if (!(e instanceof HalfMade) && !isCloudError(e)) throw e; // a bug keeps its stack
    if (e instanceof HalfMade) e.stack = "";
    throw e instanceof HalfMade ? e : withoutStack(await textFor(ctx, e));
  }
}

function withoutStack(message: string): Error {
  const error = new Error(message);
  error.stack = "";
  return error;
}

/** A unit in `a` and `b` counts as equal when it is written the same; undefined and missing are one. */
export const same = (a: unknown, b: unknown): boolean => stableText(a ?? null) === stableText(b ?? null);

/** Names of the given inputs that differ. */
export const changedKeys = (olds: object, news: object, keys: readonly string[]): string[] =>
  keys.filter((k) => !same((olds as Record<string, unknown>)[k], (news as Record<string, unknown>)[k]));

interface MarkedInputs {
  readonly marks?: Marks;
  readonly logicalName?: string;
}
/** Which deployment and which resource of it cannot change in place. What an import does not know is no change. */
export const markReplaces = (olds: MarkedInputs, news: MarkedInputs): string[] => [
  ...(olds.marks !== undefined && olds.marks.gridUid !== news.marks?.gridUid ? ["marks"] : []),
  ...(olds.logicalName !== undefined && olds.logicalName !== news.logicalName ? ["logicalName"] : []),
];

/** The functions that a dynamic provider's methods find by name. */
export function verbs<I extends object, O extends object>(spec: ResourceSpec<I, O>): Verbs<I, O> {
  return {
    configure,
    check: (_olds, news) => Promise.resolve(checkInputs<I>(spec.schema, spec.defaults, spec.secrets, news)),
    diff(id, olds, newsRaw) {
      const news = plain(newsRaw);
      const unknown = Object.keys(news).filter((k) => hasUnknown(news[k]));
      // what is unknown takes the old value for the comparison, and is a change by itself
      const known = { ...news, ...Object.fromEntries(unknown.map((k) => [k, olds[k]])) };
      const found = spec.differences(olds as O, known as I);
      const replaces = [...new Set([...found.replaces, ...unknown.filter((k) => spec.replacing.includes(k))])].sort();
      const refused = replaces.length === 0 ? undefined : spec.refuses?.(id, olds as O, known as I, replaces);
      if (refused !== undefined) return Promise.reject(withoutStack(refused));
      return Promise.resolve({ changes: unknown.length > 0 || found.changed.length > 0 || replaces.length > 0, replaces, deleteBeforeReplace: spec.deleteBeforeReplace });
    },
    create: (inputs) =>
      forPeople((ctx) => spec.create(ctx, plain(inputs) as I)).catch((e: unknown) => {
        // The engine's helper adds the provider's text to results, but not to a half-made object's: without it, the
        // object could never be read or deleted.
        if (e instanceof HalfMade) Object.assign(e.properties, "__provider" in inputs ? { __provider: inputs["__provider"] } : {});
        throw e;
      }),
    read: (id, props = {}) =>
      forPeople(async (ctx) => (await spec.read(ctx, id, plain(props) as Partial<O>)) ?? { id: "", props: {} }),
    update: (id, olds, news) => forPeople(async (ctx) => ({ outs: await spec.update(ctx, id, plain(olds) as O, plain(news) as I) })),
    remove: (id, props) => forPeople((ctx) => spec.remove(ctx, id, plain(props) as O)),
  };
}
