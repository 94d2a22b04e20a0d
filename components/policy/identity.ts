import { createHash } from "node:crypto";

/** Text of a value with sorted keys: the same value always gives the same text. */
export function stableText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableText).join(",")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => `${JSON.stringify(k)}:${stableText(v)}`)
      .join(",")}}`;
  return JSON.stringify(value) ?? "null";
}

export const digest = (value: unknown, digits = 8): string => createHash("sha256").update(stableText(value)).digest("hex").slice(0, digits);

/**
 * Identity of a declared resource: `grid/logical name#digest`. The digest covers the properties whose change replaces, so
 * that a replacement is not taken for its predecessor.
 */
export const identityOf = (gridUid: string, logicalName: string, replacing: unknown): string => `${gridUid}/${logicalName}#${digest(replacing)}`;
