import { notExist } from "../api-error";
import { commonFilters, commonOrder, listOf, pick, type View } from "../api/envelope";
import { isObject, objectsOf, Reader } from "../api/read-body";
import { created, noContent, ok, type Router } from "../api/router";
import { aclView, driveView, ipView, ref, serverView, tagView, vlanView } from "../api/views";
import type { World } from "../api/world";
import { newUuid } from "../model/ids";
import type { AclRow, TagRow } from "../model/rows";
import { need, needOwn, param } from "./common";
import { readTags } from "./server-body";

interface Tagged {
  readonly uuid: string;
  tags: string[];
}

/** Kinds that carry tags, with the short rows that `/tags/{uuid}/{kind}/` lists. */
const KINDS = {
  servers: ["name", "owner", "resource_uri", "runtime", "status", "uuid"],
  drives: ["owner", "resource_uri", "status", "uuid"],
  ips: ["owner", "resource_uri", "server", "uuid"],
  vlans: ["owner", "resource_uri", "uuid"],
} as const;

export function tagRoutes(world: World, router: Router): void {
  const { store } = world;
  const find = (uuid: string): Tagged => {
    const row = store.servers.get(uuid) ?? store.drives.get(uuid) ?? store.ips.get(uuid) ?? store.vlans.get(uuid) ?? store.snapshots.get(uuid);
    if (row === undefined) throw notExist(uuid, "resources");
    return row;
  };
  const tables = [store.servers, store.drives, store.ips, store.vlans, store.snapshots] as const;
  /** The list of a tag replaces the one before. */
  const assign = (tag: string, uuids: readonly string[]): void => {
    const wanted = uuids.map(find);
    for (const table of tables) for (const row of table.all()) if (row.tags.includes(tag) && !uuids.includes(row.uuid)) row.tags = row.tags.filter((t) => t !== tag);
    for (const row of wanted) if (!row.tags.includes(tag)) row.tags = [...row.tags, tag];
    store.touch();
  };
  const list = { view: (t: TagRow) => tagView(world, t), filters: commonFilters, order: commonOrder };
  for (const path of ["/tags/", "/tags/detail/"]) router.on("GET", path, (c) => ok(listOf({ ...list, rows: store.tags.listed(world.clock.now(), world.habits.listLagMs) }, c.query)));
  router.on("POST", "/tags/", (c) => {
    const plans = objectsOf(c.body).map((body) => {
      const r = new Reader(body);
      r.requires("name");
      const plan = { name: r.string("name", ""), meta: r.meta("meta", {}), resources: r.refs("resources") };
      r.done();
      plan.resources.forEach(find);
      return plan;
    });
    return created(plans.map((p) => {
      const row = store.tags.add({ uuid: newUuid(), owner: store.account.uuid, createdMs: world.clock.now(), name: p.name, meta: p.meta });
      assign(row.uuid, p.resources);
      return tagView(world, row);
    }));
  });
  router.on("GET", "/tags/{}/", (c) => ok(tagView(world, need(world, store.tags, param(c)))));
  router.on("PUT", "/tags/{}/", (c) => {
    const row = needOwn(world, store.tags, param(c));
    const r = new Reader(isObject(c.body) ? c.body : {});
    r.requires("name");
    const change = { name: r.string("name", row.name), meta: r.meta("meta", row.meta) };
    const resources = r.has("resources") ? r.refs("resources") : undefined;
    r.done();
    if (resources !== undefined) assign(row.uuid, resources);
    Object.assign(row, change);
    store.touch();
    return ok(tagView(world, row));
  });
  router.on("DELETE", "/tags/{}/", (c) => {
    const row = needOwn(world, store.tags, param(c), "DELETE");
    assign(row.uuid, []);
    for (const table of [store.acls, store.keypairs]) for (const other of table.all()) other.tags = other.tags.filter((t) => t !== row.uuid);
    store.tags.remove(row.uuid);
    return noContent;
  });
  const rows = (kind: keyof typeof KINDS): { row: Tagged; view: View }[] =>
    kind === "servers" ? [...store.servers.all()].map((row) => ({ row, view: serverView(world, row) }))
    : kind === "drives" ? [...store.drives.all()].map((row) => ({ row, view: driveView(world, row) }))
    : kind === "ips" ? [...store.ips.all()].map((row) => ({ row, view: ipView(world, row) }))
    : [...store.vlans.all()].map((row) => ({ row, view: vlanView(world, row) }));
  for (const kind of Object.keys(KINDS) as (keyof typeof KINDS)[])
    for (const tail of ["", "detail/"])
      router.on("GET", `/tags/{}/${kind}/${tail}`, (c) => {
        const tag = need(world, store.tags, param(c)).uuid;
        const found = rows(kind).filter((x) => x.row.tags.includes(tag));
        // the recordings show the reference of these rows as an object
        return ok(listOf({ rows: found, view: (x) => ({ ...pick(x.view, tail === "" ? KINDS[kind] : undefined), resource_uri: ref(kind, x.row.uuid) }) }, c.query));
      });
}

const PERMISSIONS = ["LIST", "EDIT", "CLONE", "START", "STOP", "OPEN_VNC", "ATTACH", "DELETE"];

/** Minimal: they can be made, listed and deleted, and show as grantees of what carries their tags. */
export function aclRoutes(world: World, router: Router): void {
  const { store } = world;
  for (const path of ["/acls/", "/acls/detail/"]) router.on("GET", path, (c) => ok(listOf({ rows: [...store.acls.all()], view: aclView, filters: commonFilters, order: commonOrder }, c.query)));
  router.on("POST", "/acls/", (c) => {
    const rows = objectsOf(c.body).map((body): AclRow => {
      const r = new Reader(body);
      r.requires("name");
      const row: AclRow = {
        uuid: newUuid(), owner: store.account.uuid, createdMs: world.clock.now(), name: r.string("name", ""), meta: r.meta("meta", {}), tags: readTags(world, r, []),
        rules: r.readers("rules").map((x) => (x.requires("permission"), { permission: x.choice("permission", "LIST", PERMISSIONS) })),
        grantees: r.readers("grantees").map((g) => ({ email: g.nullableString("email", null), uuid: g.string("uuid", newUuid()) })),
      };
      r.done();
      return row;
    });
    return created(rows.map((row) => aclView(store.acls.add(row))));
  });
  router.on("GET", "/acls/{}/", (c) => ok(aclView(need(world, store.acls, param(c)))));
  router.on("DELETE", "/acls/{}/", (c) => (store.acls.remove(needOwn(world, store.acls, param(c), "DELETE").uuid), noContent));
}
