import { DEFAULT_TYPE } from "../../components/config/controller-config";
import { known, unknown, type GrowResult, type MemberStatus, type Observed, type Pool, type PoolView, type RemovalStep } from "../ports";

/** A group of one worker type that knows its own. */
export interface TypePool extends Pool {
  has(id: string): boolean;
}

/** The groups of all worker types as one. The first type's decides whether anything may be made at all. */
export class TypedPools implements Pool {
  constructor(private readonly pools: ReadonlyMap<string, TypePool>) {
    if (!pools.has(DEFAULT_TYPE)) throw new Error("the first worker type has no group");
  }

  /** Known where all are: a type that cannot be seen may have any number of workers. */
  async observe(): Promise<Observed<PoolView>> {
    const seen = await Promise.all([...this.pools].map(async ([type, pool]) => [type, await pool.observe()] as const));
    const views: PoolView[] = [];
    const lacks: string[] = [];
    for (const [type, s] of seen) {
      if (!s.known) return unknown(type === DEFAULT_TYPE ? s.reason : `workers of type ${type}: ${s.reason}`);
      views.push(s.value);
      if (s.partial !== undefined) lacks.push(s.partial);
    }
    const first = seen.find(([type]) => type === DEFAULT_TYPE)?.[1];
    const closing = first?.known === true ? first.value.closing : undefined;
    const busy = views.find((v) => v.busy !== undefined)?.busy;
    const failure = views.find((v) => v.failure !== undefined)?.failure;
    return known({ members: views.flatMap((v) => v.members), closing, busy, failure }, lacks.length === 0 ? undefined : lacks.join("; "));
  }

  statusNow(id: string): Promise<Observed<MemberStatus>> {
    return this.of(id).statusNow(id);
  }

  async grow(names: readonly string[], type = DEFAULT_TYPE): Promise<GrowResult> {
    const pool = this.pools.get(type);
    if (pool === undefined) return { created: [], failure: `there is no worker type ${type} in this grid: run \`pulumi up\``, ambiguous: false, wait: true, failureClass: "invalid" };
    return pool.grow(names, type);
  }

  start(id: string): Promise<boolean> {
    return this.of(id).start(id);
  }

  remove(id: string, how?: { readonly onlyIfOff?: boolean }): Promise<RemovalStep> {
    return this.of(id).remove(id, how);
  }

  async tend(): Promise<readonly string[]> {
    const said: string[] = [];
    for (const pool of this.pools.values()) said.push(...((await pool.tend?.()) ?? []));
    return said;
  }

  async consoleTail(id: string): Promise<string | undefined> {
    return this.of(id).consoleTail?.(id);
  }

  /** Whoever nobody knows is the first one's to refuse. */
  private of(id: string): TypePool {
    const own = [...this.pools.values()].find((p) => p.has(id)) ?? this.pools.get(DEFAULT_TYPE);
    if (own === undefined) throw new Error("the first worker type has no group");
    return own;
  }
}
