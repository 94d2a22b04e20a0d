import { errorOf, type ApiError, type ErrorType } from "../api-error";
import { isObject } from "../api/read-body";
import type { Planted } from "../api/world";

export type FaultEffect =
  | { readonly status: number; readonly type?: ErrorType; readonly message?: string; readonly point?: string; readonly asObject?: boolean }
  | { readonly delayMs: number }
  | { readonly cut: true }
  /** An HTML page with this status, as a gateway sends it. */
  | { readonly html: number }
  /** The next reads of one object, or of any of a kind (`servers`), show this status. */
  | { readonly wrongStatus: { readonly uuid?: string; readonly kind?: string; readonly status: string; readonly reads?: number } }
  /** The next start (of this server) is accepted, but the boot fails with this reason. */
  | { readonly failBoot: { readonly uuid?: string; readonly reason?: string } }
  /** The next clone of a drive (from or to this one) fails. */
  | { readonly failClone: { readonly uuid?: string } };

export interface FaultSpec {
  readonly match?: { readonly method?: string; readonly path?: string };
  /** The Nth matching call, counted from 1 and from when the fault was added. */
  readonly at?: number;
  readonly every?: number;
  readonly probability?: number;
  /** Makes `probability` repeatable. */
  readonly seed?: number;
  /** How often it strikes at most. @default 1 with `at`, else without limit */
  readonly times?: number;
  /** Before or after the effect of the call. @default "before" */
  readonly when?: "before" | "after";
  readonly do: FaultEffect;
}

export interface Strike {
  readonly id: number;
  readonly when: "before" | "after";
  readonly effect: FaultEffect;
}

interface Planned {
  readonly id: number;
  readonly spec: FaultSpec;
  readonly path: RegExp | undefined;
  readonly random: () => number;
  seen: number;
  struck: number;
}

/** Small repeatable generator (mulberry32). */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** What may be wrong with a specification, as one line; undefined when it is fine. */
export function faultProblem(spec: unknown): string | undefined {
  if (!isObject(spec)) return "a fault is an object such as {\"at\": 3, \"do\": {\"status\": 503}}";
  const unknown = Object.keys(spec).filter((k) => !["match", "at", "every", "probability", "seed", "times", "when", "do"].includes(k));
  if (unknown.length > 0) return `a fault has no key ${unknown.join(", ")}`;
  if (!isObject(spec.do)) return "a fault needs do: what happens";
  const effects = ["status", "delayMs", "cut", "html", "wrongStatus", "failBoot", "failClone"].filter((k) => (spec.do as object as Record<string, unknown>)[k] !== undefined);
  if (effects.length !== 1) return "do holds exactly one of status, delayMs, cut, html, wrongStatus, failBoot, failClone";
  if (spec.when !== undefined && spec.when !== "before" && spec.when !== "after") return "when is before or after";
  for (const key of ["at", "every", "times"]) if (spec[key] !== undefined && !(Number.isInteger(spec[key]) && Number(spec[key]) >= 1)) return `${key} is a whole number, 1 or more`;
  if (spec.probability !== undefined && !(typeof spec.probability === "number" && spec.probability >= 0 && spec.probability <= 1)) return "probability is between 0 and 1";
  const path = isObject(spec.match) ? spec.match.path : undefined;
  try {
    if (path !== undefined) new RegExp(String(path));
  } catch {
    return `match.path is not a regular expression: ${String(path)}`;
  }
  return undefined;
}

/** Faults planted ahead of calls. Counting begins when a fault is added. */
export class Faults {
  private planned: Planned[] = [];
  private nextId = 1;
  private readonly statuses: { uuid?: string; kind?: string; status: string; reads: number }[] = [];
  constructor(private readonly planted: Planted) {}

  add(spec: FaultSpec): number {
    const problem = faultProblem(spec);
    if (problem !== undefined) throw new TypeError(problem);
    const path = spec.match?.path === undefined ? undefined : new RegExp(spec.match.path);
    const id = this.nextId++;
    this.planned.push({ id, spec, path, random: spec.seed === undefined ? Math.random : seeded(spec.seed), seen: 0, struck: 0 });
    return id;
  }
  clear(): void {
    this.planned = [];
    this.statuses.length = 0;
    this.planted.boots.length = 0;
    this.planted.clones.length = 0;
  }
  list(): { id: number; seen: number; struck: number; spec: FaultSpec }[] {
    return this.planned.map(({ id, seen, struck, spec }) => ({ id, seen, struck, spec }));
  }

  /** The faults that strike this call; `path` includes the query. */
  strike(method: string, path: string): Strike[] {
    const out: Strike[] = [];
    for (const p of this.planned) {
      if (p.spec.match?.method !== undefined && p.spec.match.method.toUpperCase() !== method) continue;
      if (p.path !== undefined && !p.path.test(path)) continue;
      p.seen++;
      if (p.struck >= (p.spec.times ?? (p.spec.at === undefined ? Infinity : 1))) continue;
      if (p.spec.at !== undefined && (p.spec.times === undefined ? p.seen !== p.spec.at : p.seen < p.spec.at)) continue;
      if (p.spec.every !== undefined && p.seen % p.spec.every !== 0) continue;
      if (p.spec.probability !== undefined && p.random() >= p.spec.probability) continue;
      p.struck++;
      out.push({ id: p.id, when: p.spec.when ?? "before", effect: p.spec.do });
    }
    return out;
  }

  /** Effects on what happens later rather than on the answer; true when it was one. */
  plant(effect: FaultEffect): boolean {
    if ("wrongStatus" in effect) this.statuses.push({ ...effect.wrongStatus, reads: effect.wrongStatus.reads ?? 1 });
    else if ("failBoot" in effect) this.planted.boots.push({ ...effect.failBoot, reason: effect.failBoot.reason ?? "planted fault: the guest did not boot" });
    else if ("failClone" in effect) this.planted.clones.push(effect.failClone);
    else return false;
    return true;
  }

  /** Puts planted statuses into what a GET of `/{kind}/...` answers. */
  distort(kind: string, body: unknown): unknown {
    if (this.statuses.length === 0 || !isObject(body)) return body;
    if (Array.isArray(body.objects)) return { ...body, objects: body.objects.map((o: unknown) => this.distort(kind, o)) };
    if (typeof body.status !== "string") return body;
    const wrong = this.statuses.find((s) => s.reads > 0 && (s.uuid === undefined ? s.kind === undefined || s.kind === kind : s.uuid === body.uuid));
    if (wrong === undefined) return body;
    wrong.reads--;
    return { ...body, status: wrong.status };
  }
}

export const asError = (effect: { status: number; type?: ErrorType; message?: string; point?: string }): ApiError => errorOf(effect.status, effect.type, effect.message, effect.point ?? null);
