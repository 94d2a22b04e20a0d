import { formatSizeMiB, mebibyte } from "../policy/sizes";
import { MARK } from "./marks";
import type { Meta } from "./wire";

/** As much of a server as tells what it is made of. */
export interface Shaped {
  /** MHz in total. */
  readonly cpu: number;
  /** Bytes. */
  readonly mem: number;
  readonly meta: Readonly<Meta>;
}

/**
 * Why a worker is not what its template would be cloned to now; undefined where it is, or nobody can tell. A worker that carries no mark
 * is of a time before there were any: size is compared, and the mark that the template keeps for such workers.
 */
export function formerShape(worker: Shaped, template: Shaped): string | undefined {
  const now = template.meta[MARK.shape];
  const own = worker.meta[MARK.shape];
  const was = own ?? template.meta[MARK.unmarkedShape];
  const differences = [
    ...(worker.cpu === template.cpu ? [] : [`${worker.cpu} MHz instead of ${template.cpu} MHz`]),
    ...(worker.mem === template.mem ? [] : [`${inMiB(worker.mem)} of memory instead of ${inMiB(template.mem)}`]),
  ];
  const marked = now !== undefined && was !== undefined && was !== now;
  if (own !== undefined ? !marked : !marked && differences.length === 0) return undefined;
  return `it was made from a former definition of the group: ${differences.length > 0 ? differences.join(", ") : "another image or disk"}`;
}

const inMiB = (bytes: number): string => formatSizeMiB(Math.round(bytes / mebibyte));
