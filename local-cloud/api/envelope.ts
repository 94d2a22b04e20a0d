import { invalid } from "../api-error";

export type View = Record<string, unknown>;

/** One condition of a list: what a row must hold, given the values of one parameter (commas inside are alternatives). */
export type Filter<R> = (row: R, value: string) => boolean;

export interface ListSpec<R> {
  readonly rows: R[];
  readonly view: (row: R) => View;
  /** Keys of the short list; undefined: every key. */
  readonly shortKeys?: readonly string[];
  readonly filters?: Readonly<Record<string, Filter<R>>>;
  readonly order?: Readonly<Record<string, (row: R) => string | number>>;
  /** Keys beside `meta` and `objects`. */
  readonly root?: View;
}

export const DEFAULT_LIMIT = 20;

/** `{"meta": ..., "objects": [...]}` with paging, filters, order and chosen fields (sections 4.1 to 4.3). */
export function listOf<R>(spec: ListSpec<R>, query: URLSearchParams): View {
  let rows = spec.rows;
  for (const [name, filter] of Object.entries(spec.filters ?? {}))
    for (const text of query.getAll(name)) {
      const choices = splitChoices(text);
      rows = rows.filter((r) => choices.some((c) => filter(r, c)));
    }
  rows = ordered(rows, spec, query.get("order_by") ?? query.get("ordering"));
  const limit = count(query, "limit", DEFAULT_LIMIT);
  const offset = count(query, "offset", 0);
  const page = limit === 0 ? rows.slice(offset) : rows.slice(offset, offset + limit);
  const keys = query.get("fields")?.split(",").map((k) => k.trim()).filter((k) => k !== "") ?? spec.shortKeys;
  const objects = page.map((r) => pick(spec.view(r), keys));
  return { ...spec.root, meta: { limit, offset, total_count: rows.length }, objects };
}

export function pick(view: View, keys: readonly string[] | undefined): View {
  if (keys === undefined) return view;
  const out: View = {};
  for (const key of keys) if (key in view) out[key] = view[key];
  return out;
}

/** Commas separate alternatives; a backslash makes the next character plain. */
export function splitChoices(text: string): string[] {
  const out: string[] = [];
  let now = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? "";
    if (c === "\\" && (text[i + 1] === "," || text[i + 1] === "\\")) now += text[++i] ?? "";
    else if (c === ",") out.push(now), (now = "");
    else now += c;
  }
  return [...out, now];
}

function count(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  if (text === null || text === "") return otherwise;
  if (!/^\d+$/.test(text)) throw invalid(name, `${name} must be a whole number, 0 or more`);
  return Number(text);
}

function ordered<R>(rows: R[], spec: ListSpec<R>, by: string | null): R[] {
  if (by === null || by === "") return rows;
  const down = by.startsWith("-");
  const key = spec.order?.[down ? by.slice(1) : by];
  if (key === undefined) throw invalid("order_by", `cannot order by ${by}`);
  const compare = (a: R, b: R): number => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
  return [...rows].sort((a, b) => (down ? compare(b, a) : compare(a, b)));
}

interface Named {
  readonly uuid: string;
  readonly name?: string | null;
  readonly tags?: readonly string[];
}

/** The filters that servers, drives, snapshots, VLANs and addresses declare. */
export const commonFilters = {
  name: (r: Named, v: string) => r.name === v,
  name__contains: (r: Named, v: string) => r.name?.includes(v) ?? false,
  name__icontains: (r: Named, v: string) => r.name?.toLowerCase().includes(v.toLowerCase()) ?? false,
  tag: (r: Named, v: string) => r.tags?.includes(v) ?? false,
  uuid: (r: Named, v: string) => r.uuid === v,
};
export const commonOrder = { name: (r: Named) => r.name ?? "", uuid: (r: Named) => r.uuid };
