import { createHash } from "node:crypto";

/**
 * Who a cloud object is, written into its `meta`: how a repeated create finds what the first try made, and how destroy
 * and the leak check tell ours from others'. Shared by components (deploy time) and components/cloudsigma (provider).
 */

/** Keys in `meta`; the API allows 32 characters. */
export const markKeys = {
  grid: "elastigrid-grid",
  id: "elastigrid-id",
  name: "elastigrid-name",
  stack: "elastigrid-stack",
  template: "elastigrid-template",
  closing: "elastigrid-closing",
  free: "elastigrid-free",
} as const;

/** What every object of a grid carries. */
export interface GridMarks {
  readonly gridUid: string;
  readonly gridName: string;
  /** `project/stack` of the Pulumi program. */
  readonly stack: string;
}

export const marksOf = (m: GridMarks): Record<string, string> => ({ [markKeys.grid]: m.gridUid, [markKeys.name]: m.gridName, [markKeys.stack]: m.stack });

/**
 * Identity of one resource: grid, logical name, and a digest of the properties whose change replaces it, so that a
 * replacement never adopts the object it replaces.
 */
export function identityOf(gridUid: string, logicalName: string, replacing: unknown): string {
  return `${gridUid}/${logicalName}#${createHash("sha256").update(stableJson(replacing)).digest("hex").slice(0, 8)}`;
}

/** JSON with sorted keys and without undefined: the same value always gives the same text. */
export function stableJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${stableJson(v)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}
