import { forbidden, invalid } from "../api-error";
import { commonFilters, commonOrder, listOf, pick, type View } from "../api/envelope";
import { isObject, objectsOf, Reader, type Body } from "../api/read-body";
import { accepted, created, noContent, ok, type Call, type Reply, type Router } from "../api/router";
import { cloneSources, serverRuntime, serverView, tagView } from "../api/views";
import { audit, type World } from "../api/world";
import { cloneServer } from "../life/clones";
import { beginDelete, deletionProblem, listedUntil } from "../life/drives";
import { dropUnpaid } from "../life/money";
import { beginShutdown, beginStart, beginStop, requireState } from "../life/power";
import { newUuid } from "../model/ids";
import type { ServerRow } from "../model/rows";
import { need, needOwn, param, uuidsOf } from "./common";
import { readDrives, readNics, readPlain, readTags, requireCore } from "./server-body";

const SHORT = ["name", "owner", "resource_uri", "runtime", "status", "uuid"];
const MOST_CLONES = 500;

export function serverRoutes(world: World, router: Router): void {
  const { store, habits } = world;
  const list = (call: Call, shortKeys?: readonly string[]): Reply =>
    ok(listOf({ rows: store.servers.listed(world.clock.now(), habits.listLagMs), view: (s) => serverView(world, s), shortKeys, filters: commonFilters, order: commonOrder }, call.query));
  const own = (call: Call, permission?: string): ServerRow => needOwn(world, store.servers, param(call), permission);

  router.on("GET", "/servers/", (c) => list(c, SHORT));
  router.on("GET", "/servers/detail/", (c) => list(c));
  router.on("POST", "/servers/", (c) => created(createServers(world, objectsOf(c.body))));
  router.on("DELETE", "/servers/", (c) => {
    const rows = uuidsOf(c.body).map((u) => needOwn(world, store.servers, u, "DELETE"));
    for (const row of rows) requireState("delete", row);
    for (const row of rows) deleteServer(world, row, c.query.get("recurse"));
    return noContent;
  });
  router.on("GET", "/servers/{}/", (c) => ok(pick(serverView(world, need(world, store.servers, param(c))), c.query.get("fields")?.split(","))));
  router.on("PUT", "/servers/{}/", (c) => ok(updateServer(world, own(c), c.body)));
  router.on("DELETE", "/servers/{}/", (c) => (deleteServer(world, own(c, "DELETE"), c.query.get("recurse")), noContent));
  router.on("GET", "/servers/{}/runtime/", (c) => ok(serverRuntime(world, need(world, store.servers, param(c)))));

  const action = (name: string, does: (server: ServerRow, call: Call) => View | void | Promise<View | void>): void =>
    router.on("POST", `/servers/{}/action/?do=${name}`, async (c) => {
      const server = own(c, name.toUpperCase());
      const more = await does(server, c);
      return accepted({ action: name, ...more, result: "success", uuid: server.uuid });
    });
  const isGuest = (call: Call): boolean => world.guestEndpoint !== world.endpoint && call.host === new URL(world.guestEndpoint).host;
  action("start", (s) => beginStart(world, s));
  action("stop", (s) => beginStop(world, s));
  action("shutdown", (s) => beginShutdown(world, s));
  for (const kind of ["vnc", "console"] as const) {
    action(`open_${kind}`, async (s, c) => {
      requireState(`open_${kind}`, s);
      audit(world, `open_${kind}`, "Servers", s.uuid);
      return { [`${kind}_url`]: await world.consoles.open(s.uuid, kind, s.vnc_password, isGuest(c)) };
    });
    action(`close_${kind}`, (s) => {
      world.consoles.close(s.uuid, kind);
      audit(world, `close_${kind}`, "Servers", s.uuid);
    });
  }
  router.on("POST", "/servers/{}/action/?do=clone", (c) => {
    const source = own(c, "CLONE");
    requireState("clone", source);
    const r = new Reader(isObject(c.body) ? c.body : {});
    const name = r.nullableString("name", null);
    const randomVncPassword = r.bool("random_vnc_password", false);
    r.done();
    return accepted(serverView(world, cloneServer(world, source, { ...(name === null ? {} : { name }), randomVncPassword })));
  });
  if (habits.bulkClone) router.on("POST", "/servers/{}/action/?do=bulk_clone_start", (c) => accepted(bulkClone(world, own(c, "CLONE"), c.body)));

  // every server of this computer shares the one host
  const group = (): string[] => [...store.servers.all()].filter((s) => s.status === "running").map((s) => s.uuid);
  router.on("GET", "/servers/availability_groups/", () => ok(group().length > 0 ? [group()] : []));
  router.on("GET", "/servers/availability_groups/{}/", (c) => ok(need(world, store.servers, param(c)).status === "running" ? group() : []));
}

function createServers(world: World, bodies: readonly Body[]): View[] {
  if (bodies.length === 0) throw invalid("objects", "nothing to create");
  // everything is read before anything is made: a bad one in the middle makes none
  const rows = bodies.map((body): ServerRow => {
    const r = new Reader(body);
    requireCore(r);
    const plain = readPlain(world, r, undefined);
    const meta = r.meta("meta", {});
    const tags = readTags(world, r, []);
    const nics = readNics(world, r, undefined, []);
    const drives = readDrives(world, r, undefined, []);
    r.done();
    return { ...plain, meta, tags, nics, drives, uuid: newUuid(), owner: world.store.account.uuid, createdMs: world.clock.now(), jobs: [], status: "stopped", activeSinceMs: null, cloneJob: null };
  });
  requireApart(world, rows);
  for (const row of rows) {
    world.store.servers.add(row);
    world.store.indexServer(row);
    audit(world, "create", "Servers", row.uuid);
  }
  return rows.map((row) => serverView(world, row));
}

/** Servers made in one call may not share a disk or address either. */
function requireApart(world: World, rows: readonly ServerRow[]): void {
  const seen = new Set<string>();
  for (const row of rows) {
    const things = [...row.drives.map((d) => d.drive).filter((d) => world.store.drives.get(d)?.media === "disk" && !world.store.drives.get(d)?.allow_multimount), ...row.nics.map((n) => n.ip_v4_conf?.ip ?? "").filter((ip) => ip !== "")];
    for (const thing of things) if (seen.has(thing)) throw forbidden(`${thing} cannot serve two servers`);
    else seen.add(thing);
  }
}

/** Required fields plus what changes; a running server takes only name, meta and tags and ignores the rest silently. */
function updateServer(world: World, server: ServerRow, body: unknown): View {
  if (!isObject(body)) throw invalid(null, "the body must be an object");
  const r = new Reader(body);
  requireCore(r);
  const on = server.status !== "stopped";
  const plain = readPlain(world, r, server);
  const meta = r.meta("meta", server.meta);
  const tags = readTags(world, r, server.tags);
  const all = !on || world.habits.hotplug;
  const drives = all ? readDrives(world, r, server.uuid, server.drives) : server.drives;
  const nics = all ? readNics(world, r, server.uuid, server.nics) : server.nics;
  r.done();
  if (!on) Object.assign(server, plain);
  const before = thingsOf(server);
  Object.assign(server, { name: plain.name, meta, tags, drives, nics });
  world.store.indexServer(server);
  dropUnpaid(world, before);
  audit(world, "update", "Servers", server.uuid);
  return serverView(world, server);
}

const thingsOf = (server: ServerRow): string[] => server.nics.flatMap((n) => [n.vlan, n.ip_v4_conf?.conf === "static" ? n.ip_v4_conf.ip : null]).filter((x) => x !== null);

/** Drives stay unless `recurse` names them; those that another server holds stay anyway. */
function deleteServer(world: World, server: ServerRow, recurse: string | null): void {
  requireState("delete", server);
  if (recurse !== null && !["all_drives", "disks", "cdroms"].includes(recurse)) throw invalid("recurse", "must be all_drives, disks or cdroms");
  const sources = cloneSources(world.store);
  const going = server.drives
    .map((d) => world.store.drives.get(d.drive))
    .filter((d) => d !== undefined)
    .filter((d) => recurse === "all_drives" || (recurse === "disks" && d.media === "disk") || (recurse === "cdroms" && d.media === "cdrom"))
    .filter((d) => world.store.usersOf(d.uuid).every((s) => s === server.uuid));
  for (const d of going) {
    const problem = deletionProblem(d, sources);
    if (problem !== undefined) throw forbidden(problem);
  }
  const things = thingsOf(server);
  world.store.unindexServer(server.uuid);
  world.store.servers.remove(server.uuid, listedUntil(world));
  world.lastStatus.delete(server.uuid);
  world.consoles.close(server.uuid);
  audit(world, "delete", "Servers", server.uuid);
  for (const d of going) beginDelete(world, d);
  dropUnpaid(world, things);
}

/**
 * `{"count": N, "auto_start": true}`: N clones at once, marked by a tag of their own, which is the answer.
 * Only the ancestor thesis attests this action; the shape of the answer (a tag, as GET shows it) is ours.
 */
function bulkClone(world: World, source: ServerRow, body: unknown): View {
  requireState("bulk_clone_start", source);
  const r = new Reader(isObject(body) ? body : {});
  r.requires("count");
  const count = r.int("count", 0, { min: 1, max: MOST_CLONES });
  const autoStart = r.bool("auto_start", true);
  const name = r.nullableString("name", null);
  r.done();
  const tag = world.store.tags.add({ uuid: newUuid(), owner: world.store.account.uuid, createdMs: world.clock.now(), name: `clones of ${source.name}`, meta: {} });
  for (let i = 0; i < count; i++) cloneServer(world, source, { ...(name === null ? {} : { name }), randomVncPassword: false, autoStart, extraTag: tag.uuid });
  return tagView(world, tag);
}
