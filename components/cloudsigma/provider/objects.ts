import { randomBytes } from "node:crypto";
import { CloudError } from "../../errors";
import { listOwn } from "../client";
import { isOriginal, MARK, markMeta, MARK_PREFIX, type Marks } from "../marks";
import type { Drive, KeyPair, Meta, Server, Tag } from "../wire";
import type { Context } from "./context";

/** Collections whose objects take meta when they are created. */
export interface MarkedKinds {
  servers: Server;
  drives: Drive;
  tags: Tag;
  keypairs: KeyPair;
}
export type MarkedKind = keyof MarkedKinds;

export const newGeneration = (): string => randomBytes(4).toString("hex");

export interface Sought<T> {
  readonly identity: string;
  readonly gridUid: string;
  /** Refused when an own object of another deployment, or of none, has it. */
  readonly name: string;
  /** The predecessor of a replacement may carry the same identity. @default everything fits */
  readonly fits?: (object: T) => boolean;
  /** Another sign that it is ours, where marks cannot be given at creation. */
  readonly alias?: (object: T) => boolean;
}

const singular: Readonly<Record<MarkedKind, string>> = { servers: "server", drives: "drive", tags: "tag", keypairs: "key pair" };

function pick<T extends { uuid: string; meta?: Meta }>(kind: MarkedKind, all: readonly T[], s: Sought<T>): T | undefined {
  const mine = all.filter((o) => ((o.meta?.[MARK.id] === s.identity && isOriginal(o)) || s.alias?.(o) === true) && (s.fits?.(o) ?? true));
  if (mine.length > 1)
    throw new CloudError("invalid", `${mine.length} ${kind} carry the mark ${s.identity}: ${mine.map((o) => o.uuid).join(", ")}; keep the right one and remove the mark ${MARK.id} from the others`);
  return mine[0];
}

const ownRows = async <K extends MarkedKind>(ctx: Context, kind: K): Promise<MarkedKinds[K][]> => (await listOwn(ctx.client, kind)) as MarkedKinds[K][];

/**
 * Finds what an earlier run made, or makes it: an object exists once, however often and wherever the work was cut.
 * `make` gets a function that looks for what a lost try may have made.
 */
export async function findOrMake<K extends MarkedKind>(
  ctx: Context,
  kind: K,
  sought: Sought<MarkedKinds[K]>,
  make: (findExisting: () => Promise<MarkedKinds[K] | undefined>) => Promise<MarkedKinds[K]>,
): Promise<{ object: MarkedKinds[K]; found: boolean }> {
  const all = await ownRows(ctx, kind);
  const found = pick(kind, all, sought);
  if (found !== undefined) return { object: found, found: true };
  const taken = all.find((o) => o.name === sought.name && o.meta?.[MARK.grid] !== sought.gridUid);
  if (taken !== undefined)
    throw new CloudError("invalid", `name = "${sought.name}": a ${singular[kind]} of this name exists (${taken.uuid}) that is not of this deployment; choose another name, or rename or delete that ${singular[kind]}`);
  const object = await make(async () => {
    await ctx.client.clock.sleep(ctx.settleMs);
    return pick(kind, await ownRows(ctx, kind), sought);
  });
  return { object, found: false };
}

/** All meta that an object shall have: declared keys and marks, and what others put there. */
export function mergedMeta(live: Readonly<Meta> | undefined, formerKeys: readonly string[], wanted: Readonly<Meta>): Meta {
  const kept = Object.entries(live ?? {}).filter(([k]) => !(k in wanted) && !formerKeys.includes(k));
  return { ...Object.fromEntries(kept), ...wanted };
}

/** The declared keys as they are in the cloud, for comparing with the declaration. */
export function liveMeta(declared: Readonly<Meta> | undefined, live: Readonly<Meta> | undefined): Meta | undefined {
  if (declared === undefined) return undefined;
  return Object.fromEntries(Object.entries(live ?? {}).filter(([k]) => k in declared));
}

export const metaFits = (live: Readonly<Meta> | undefined, formerKeys: readonly string[], wanted: Readonly<Meta>): boolean =>
  Object.entries(wanted).every(([k, v]) => live?.[k] === v) && !formerKeys.some((k) => !(k in wanted) && live?.[k] !== undefined);

/** Marks of an object that exists: with its own uuid, by which a copy betrays itself. */
export const fullMarks = (marks: Marks, identity: string, generation: string, uuid: string): Meta => ({
  ...markMeta(marks, identity),
  [MARK.generation]: generation,
  [MARK.self]: uuid,
});

/** Marks for the call that makes it. A blank `self` overrides one that a clone would copy. */
export const firstMarks = (marks: Marks, identity: string, generation: string): Meta => ({ ...markMeta(marks, identity), [MARK.generation]: generation, [MARK.self]: "" });

/**
 * Whether a later create has taken the object over: a forced replacement finds its predecessor by identity and keeps it,
 * and then the predecessor's deletion must spare it.
 */
export const takenOver = (object: { readonly meta?: Meta }, generation: string | undefined): boolean => {
  const live = object.meta?.[MARK.generation];
  return live !== undefined && generation !== undefined && live !== generation;
};

export function marksOf(meta: Readonly<Meta> | undefined): Marks | undefined {
  const gridUid = meta?.[MARK.grid];
  return gridUid === undefined ? undefined : { gridUid, gridName: meta?.[MARK.name] ?? "", stack: meta?.[MARK.stack] ?? "" };
}

export const declaredKeys = (meta: Readonly<Meta> | undefined): string[] => Object.keys(meta ?? {}).filter((k) => !k.startsWith(MARK_PREFIX));

/** One line for whoever watches the run; the engine shows it beside the resource type's other output. */
export const say = (text: string): void => void process.stderr.write(`${text}\n`);
