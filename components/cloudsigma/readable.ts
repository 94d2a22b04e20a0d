const isObject = (v: unknown): v is Readonly<Record<string, unknown>> => typeof v === "object" && v !== null && !Array.isArray(v);
const isRef = (v: unknown): boolean => isObject(v) && typeof v["uuid"] === "string";

/** What of a server's row is not as the API says, the first of it; undefined where it can be worked with. */
export function rowProblem(row: unknown): string | undefined {
  if (!isObject(row)) return "no object";
  for (const key of ["uuid", "name", "status"] as const) if (typeof row[key] !== "string" || row[key] === "") return `${key} is no text`;
  for (const key of ["cpu", "mem"] as const) if (typeof row[key] !== "number" || !Number.isFinite(row[key])) return `${key} is no number`;
  const { meta, owner, nics, drives, runtime } = row;
  if (!isObject(meta) || Object.values(meta).some((v) => typeof v !== "string")) return "meta is no map of texts";
  if (owner !== undefined && owner !== null && !isRef(owner)) return "owner is no reference";
  if (!Array.isArray(nics) || nics.some((n) => !isObject(n) || typeof n["mac"] !== "string")) return "nics is no list of interfaces with a mac";
  if (!Array.isArray(drives) || drives.some((d) => !isObject(d) || !isRef(d["drive"]))) return "drives is no list of attached drives";
  if (runtime !== undefined && runtime !== null && !isObject(runtime)) return "runtime is no object";
  return undefined;
}

/** Whether an account owns the row, or undefined where it does not tell. */
export const ownerOf = (row: Readonly<Record<string, unknown>>): string | null | undefined => {
  const { owner } = row;
  return owner === null ? null : isObject(owner) && typeof owner["uuid"] === "string" ? owner["uuid"] : undefined;
};
