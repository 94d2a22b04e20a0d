import type { Client } from "./client";
import type { Kind } from "./wire";

/** A list as a sceptic takes it. */
export interface WholeList {
  /** Objects with a uuid, each once. */
  readonly rows: readonly ({ readonly uuid: string } & Readonly<Record<string, unknown>>)[];
  /** What it leaves out, where it is not the whole: what is missing in it is then no evidence of absence. */
  readonly partial?: string;
}

/** A service that pages although everything was asked for has 20 a page; more than this many pages never end. */
const MOST_PAGES = 500;

/**
 * Everything of a kind: further pages are fetched where the service says that there is more, duplicates are dropped (the order of a list is
 * not stable, so pages may overlap), and what cannot be read or did not come is told.
 */
export async function listWhole(client: Client, kind: Kind): Promise<WholeList> {
  const rows = new Map<string, WholeList["rows"][number]>();
  let seen = 0, nameless = 0, total: number | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const answer = await client.page(kind, page === 0 ? {} : { params: { offset: seen } });
    total = answer.total ?? total;
    seen += answer.objects.length;
    for (const o of answer.objects) {
      const uuid = (o as { uuid?: unknown } | null)?.uuid;
      if (typeof uuid !== "string" || uuid === "") nameless += 1;
      else if (!rows.has(uuid)) rows.set(uuid, o as WholeList["rows"][number]);
    }
    if (answer.objects.length === 0 || total === undefined || seen >= total) break;
  }
  const missing = (total ?? 0) - nameless - rows.size;
  const lacks = [
    ...(missing > 0 ? [`the cloud says that there are ${total} ${kind} and listed ${rows.size + nameless}`] : []),
    ...(nameless > 0 ? [`${nameless} of the listed ${kind} ${nameless === 1 ? "has" : "have"} no uuid`] : []),
  ];
  return { rows: [...rows.values()], ...(lacks.length > 0 ? { partial: lacks.join("; ") } : {}) };
}
