import { MARK } from "./marks";
import type { Meta } from "./wire";

/**
 * Who belongs to a worker pool, from the objects alone: no tag, no list kept anywhere.
 *
 * A clone copies its source's meta. The template carries `elastigrid-pool` (the pool's identity, which stays when the
 * template has to be made anew) and `elastigrid-template` (its own uuid, set by a PUT right after it was created).
 * Everything else that carries the pool's mark and another `elastigrid-template` is a member. A server with the pool's
 * mark but without `elastigrid-template` is a template whose creation was interrupted: neither template nor member.
 */
export interface PoolMarked {
  readonly uuid: string;
  readonly meta?: Readonly<Meta>;
}

/** Identity of a pool: the same for every template it ever has. */
export const poolIdOf = (gridUid: string, logicalName: string): string => `${gridUid}/${logicalName}`;

export const poolOf = (server: PoolMarked): string | undefined => server.meta?.[MARK.pool];

/** The stopped server that workers are cloned from; `poolId` asks for the template of that pool only. */
export const isTemplate = (server: PoolMarked, poolId?: string): boolean =>
  server.meta?.[MARK.template] === server.uuid && (poolId === undefined || poolOf(server) === poolId);

/** A worker: a clone of this pool's template, of the present one or of an earlier one. Callers look only at own servers (`listOwn`). */
export const isMember = (server: PoolMarked, poolId: string): boolean => {
  const template = server.meta?.[MARK.template];
  return poolOf(server) === poolId && template !== undefined && template !== server.uuid;
};

/** Nothing may be cloned from it any more: the pool is being deleted. */
export const isClosing = (template: PoolMarked): boolean => template.meta?.[MARK.closing] === "true";
