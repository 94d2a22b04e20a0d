import type { Expr } from "./parse";

/**
 * A value of HTCondor's ClassAd language. `unknown` is ours: what cannot be said because an ad does not list all its attributes, or
 * because we do not know the function. It may turn out to be anything, so it never makes a "no".
 */
export type Value =
  | { readonly kind: "undefined" | "error" | "unknown" }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "integer" | "real"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "list"; readonly value: readonly Value[] }
  | { readonly kind: "ad"; readonly value: Ad };

export const UNDEFINED: Value = { kind: "undefined" };
export const ERROR: Value = { kind: "error" };
export const UNKNOWN: Value = { kind: "unknown" };
export const TRUE: Value = { kind: "boolean", value: true };
export const FALSE: Value = { kind: "boolean", value: false };
export const boolean = (value: boolean): Value => (value ? TRUE : FALSE);
/** Whole numbers beyond 2^53 lose their last digits here; none of HTCondor's attributes that jobs match on is that large. */
export const integer = (value: number): Value => (Number.isFinite(value) ? { kind: "integer", value: Math.trunc(value) } : ERROR);
export const real = (value: number): Value => (Number.isFinite(value) ? { kind: "real", value } : ERROR);
export const string = (value: string): Value => ({ kind: "string", value });

/** Attributes by name, whatever its case. `open`: it may have attributes that are not listed here. */
export interface Ad {
  readonly open: boolean;
  /** Undefined where it is not listed. */
  get(name: string): Expr | undefined;
  names(): Iterable<string>;
}

/** For time() and CurrentTime; asked only where an expression reads it. */
export interface Clock {
  readonly nowSeconds: number;
}

/** What ClassAds take for true or false; undefined where the value is neither. */
export function truth(v: Value): boolean | undefined {
  if (v.kind === "boolean") return v.value;
  return v.kind === "integer" || v.kind === "real" ? v.value !== 0 : undefined;
}

/** The number behind a number or a boolean. */
export function numeric(v: Value): number | undefined {
  if (v.kind === "boolean") return v.value ? 1 : 0;
  return v.kind === "integer" || v.kind === "real" ? v.value : undefined;
}

/** As people and HTCondor's tools write it; long texts are cut. */
export function show(v: Value): string {
  switch (v.kind) {
    case "string": return JSON.stringify(v.value.length > 80 ? `${v.value.slice(0, 77)}...` : v.value);
    case "boolean": return String(v.value);
    case "integer": return String(v.value);
    case "real": return Number.isInteger(v.value) ? v.value.toFixed(1) : String(v.value);
    case "list": return `{ ${v.value.slice(0, 8).map(show).join(", ")}${v.value.length > 8 ? ", ..." : ""} }`;
    case "ad": return "[ ... ]";
    default: return v.kind;
  }
}
