import { ApiError, type ErrorItem } from "../api-error";
import type { Meta } from "../model/rows";

export type Body = Record<string, unknown>;
export const isObject = (v: unknown): v is Body => typeof v === "object" && v !== null && !Array.isArray(v);

/** References come as a uuid or as an object that holds one (even a whole GET body, or a nested resource_uri). */
export function refOf(v: unknown): string | undefined {
  if (typeof v === "string") return v === "" ? undefined : v;
  return isObject(v) && typeof v.uuid === "string" ? v.uuid : undefined;
}

/** Objects of a create: wrapped in `objects`, a bare list, or one bare object. */
export function objectsOf(body: unknown): Body[] {
  const list = isObject(body) && Array.isArray(body.objects) ? body.objects : Array.isArray(body) ? body : [body];
  const bad = list.findIndex((o) => !isObject(o));
  if (bad >= 0) throw new ApiError(400, [{ error_message: "the body must hold objects", error_point: "objects", error_type: "validation" }]);
  return list as Body[];
}

interface IntRule {
  readonly min?: number;
  readonly max?: number;
}

/**
 * Reads one object of a request, field by field, and gathers every complaint. `has` tells present keys from absent ones:
 * absent optional fields keep their value in a PUT.
 */
export class Reader {
  constructor(readonly body: Body, private readonly at = "", readonly problems: ErrorItem[] = []) {}

  private point(key: string): string {
    return this.at === "" ? key : `${this.at}.${key}`;
  }
  fail(key: string, message: string): void {
    this.problems.push({ error_message: message, error_point: this.point(key), error_type: "validation" });
  }
  /** Ends the reading: throws 400 with all complaints. */
  done(): void {
    if (this.problems.length > 0) throw new ApiError(400, this.problems);
  }
  has(key: string): boolean {
    return this.body[key] !== undefined;
  }
  requires(...keys: string[]): void {
    for (const key of keys) if (this.body[key] === undefined || this.body[key] === null) this.fail(key, "this field is required");
  }
  string(key: string, otherwise: string, most = 4096): string {
    const v = this.body[key];
    if (v === undefined || v === null) return otherwise;
    if (typeof v !== "string") return this.fail(key, "must be a string"), otherwise;
    if (v.length > most) return this.fail(key, `must have at most ${most} characters`), otherwise;
    return v;
  }
  nullableString(key: string, otherwise: string | null): string | null {
    return this.body[key] === null ? null : this.body[key] === undefined ? otherwise : this.string(key, "");
  }
  /** Whole numbers; digits in a string are accepted, as the service does for sizes. */
  int(key: string, otherwise: number, rule: IntRule = {}): number {
    const v = this.body[key];
    if (v === undefined || v === null) return otherwise;
    const n = typeof v === "string" && /^-?\d+$/.test(v) ? Number(v) : v;
    if (typeof n !== "number" || !Number.isInteger(n)) return this.fail(key, "must be a whole number"), otherwise;
    if (rule.min !== undefined && n < rule.min) return this.fail(key, `must be at least ${rule.min}`), otherwise;
    if (rule.max !== undefined && n > rule.max) return this.fail(key, `must be at most ${rule.max}`), otherwise;
    return n;
  }
  bool(key: string, otherwise: boolean): boolean {
    const v = this.body[key];
    if (v === undefined || v === null) return otherwise;
    return typeof v === "boolean" ? v : (this.fail(key, "must be true or false"), otherwise);
  }
  choice<T extends string>(key: string, otherwise: T, choices: readonly T[]): T {
    const v = this.body[key];
    if (v === undefined || v === null) return otherwise;
    return choices.find((c) => c === v) ?? (this.fail(key, `must be one of ${choices.join(", ")}`), otherwise);
  }
  /** A flat dictionary of strings with keys of at most 32 characters; replaces the old one as a whole. */
  meta(key: string, otherwise: Meta): Meta {
    const v = this.body[key];
    if (v === undefined || v === null) return otherwise;
    if (!isObject(v)) return this.fail(key, "must be an object"), otherwise;
    const out: Meta = {};
    for (const [k, value] of Object.entries(v)) {
      if (k.length > 32) this.fail(key, `key ${k.slice(0, 40)} has more than 32 characters`);
      else if (typeof value !== "string") this.fail(key, `value of ${k} must be a string`);
      else out[k] = value;
    }
    return out;
  }
  list(key: string): unknown[] {
    const v = this.body[key];
    if (v === undefined || v === null) return [];
    return Array.isArray(v) ? v : (this.fail(key, "must be a list"), []);
  }
  /** Objects of a list, each with a reader whose complaints name the place. */
  readers(key: string): Reader[] {
    return this.list(key).map((v, i) => {
      if (isObject(v)) return new Reader(v, this.point(`${key}.${i}`), this.problems);
      this.fail(`${key}.${i}`, "must be an object");
      return new Reader({}, this.point(`${key}.${i}`), this.problems);
    });
  }
  reader(key: string): Reader {
    const v = this.body[key];
    if (!isObject(v)) this.fail(key, "must be an object");
    return new Reader(isObject(v) ? v : {}, this.point(key), this.problems);
  }
  ref(key: string): string | null {
    const v = this.body[key];
    if (v === undefined || v === null) return null;
    return refOf(v) ?? (this.fail(key, "must be a uuid or an object with a uuid"), null);
  }
  refs(key: string): string[] {
    const out: string[] = [];
    this.list(key).forEach((v, i) => {
      const uuid = refOf(v);
      if (uuid === undefined) this.fail(`${key}.${i}`, "must be a uuid or an object with a uuid");
      else if (!out.includes(uuid)) out.push(uuid);
    });
    return out;
  }
}
