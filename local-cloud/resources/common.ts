import { forbidden, notExist } from "../api-error";
import type { Call } from "../api/router";
import { objectsOf, refOf } from "../api/read-body";
import type { World } from "../api/world";
import type { Row } from "../model/rows";
import { FOREIGN_OWNER } from "../seed";

export const param = (call: Call, i = 0): string => call.params[i] ?? "";

/** The object, readable: those that an ACL shares show, other people's are 403, not 404. */
export function need<R extends Row>(world: World, table: { get(uuid: string): R | undefined }, uuid: string): R {
  const row = table.get(uuid);
  if (row === undefined) throw notExist(uuid);
  if (row.owner !== world.store.account.uuid && row.owner !== FOREIGN_OWNER) throw forbidden(`user ${world.store.account.uuid} lacks permissions [LIST] on resources [${uuid}]`);
  return row;
}

/** The object, ours to change. */
export function needOwn<R extends Row>(world: World, table: { get(uuid: string): R | undefined }, uuid: string, permission = "EDIT"): R {
  const row = need(world, table, uuid);
  if (row.owner !== world.store.account.uuid) throw forbidden(`user ${world.store.account.uuid} lacks permissions [${permission}] on resources [${uuid}]`);
  return row;
}

/** uuids of a bulk delete. */
export const uuidsOf = (body: unknown): string[] => objectsOf(body).map((o) => refOf(o) ?? "").filter((u) => u !== "");
