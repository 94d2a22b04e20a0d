import { forbidden, invalid, notExist } from "../api-error";
import { commonFilters, commonOrder, listOf, pick, type View } from "../api/envelope";
import { isObject, objectsOf, Reader, type Body } from "../api/read-body";
import { accepted, created, noContent, ok, type Call, type Reply, type Router } from "../api/router";
import { cloneSources, driveView, libraryAsDriveView, libraryView } from "../api/views";
import { audit, type World } from "../api/world";
import { cloneDrive, driveSource } from "../life/clones";
import { beginDelete, beginDrive, beginResize, deletionProblem, requireNotRunning, roundedSize } from "../life/drives";
import type { LibraryRow } from "../library";
import { newUuid } from "../model/ids";
import type { DriveRow } from "../model/rows";
import { STORAGE } from "./capabilities";
import { need, needOwn, param, uuidsOf } from "./common";
import { readTags } from "./server-body";

const SHORT = ["owner", "resource_uri", "status", "uuid"];
const MEDIA = ["disk", "cdrom"] as const;

export function driveRoutes(world: World, router: Router): void {
  const { store, habits } = world;
  const list = (call: Call, shortKeys?: readonly string[]): Reply => {
    const sources = cloneSources(store);
    return ok(listOf({ rows: store.drives.listed(world.clock.now(), habits.listLagMs), view: (d) => driveView(world, d, sources), shortKeys, filters: commonFilters, order: commonOrder }, call.query));
  };
  const own = (call: Call, permission?: string): DriveRow => needOwn(world, store.drives, param(call), permission);

  router.on("GET", "/drives/", (c) => list(c, SHORT));
  router.on("GET", "/drives/detail/", (c) => list(c));
  router.on("POST", "/drives/", (c) => created(createDrives(world, objectsOf(c.body))));
  router.on("DELETE", "/drives/", (c) => {
    const rows = uuidsOf(c.body).map((u) => needOwn(world, store.drives, u, "DELETE"));
    for (const row of rows) requireDeletable(world, row);
    for (const row of rows) beginDelete(world, row);
    return noContent;
  });
  router.on("GET", "/drives/{}/", (c) => {
    const row = store.drives.get(param(c));
    const lib = world.library.get(param(c));
    const view = row === undefined && lib !== undefined ? libraryAsDriveView(lib) : driveView(world, need(world, store.drives, param(c)));
    return ok(pick(view, c.query.get("fields")?.split(",")));
  });
  router.on("PUT", "/drives/{}/", (c) => ok(updateDrive(world, own(c), c.body)));
  router.on("DELETE", "/drives/{}/", (c) => {
    const row = own(c, "DELETE");
    requireDeletable(world, row);
    beginDelete(world, row);
    return noContent;
  });
  router.on("POST", "/drives/{}/action/?do=clone", (c) => accepted({ objects: [cloneFromBody(world, param(c), c.body)] }));
  router.on("POST", "/drives/{}/action/?do=resize", (c) => accepted({ objects: [resize(world, own(c), c.body)] }));
  const groups = (): string[] => [...store.drives.all()].map((d) => d.uuid);
  router.on("GET", "/drives/availability_groups/", () => ok(groups().length > 0 ? [groups()] : []));
  router.on("GET", "/drives/availability_groups/{}/", (c) => (own(c), ok(groups())));

  const shelf = (call: Call): Reply =>
    ok(listOf({
      rows: [...world.library.values()], view: libraryView, order: commonOrder,
      filters: { ...commonFilters, ...exact("arch", "distribution", "image_type", "os", "version"), category: (r: LibraryRow, v) => r.category.includes(v) },
    }, call.query));
  router.on("GET", "/libdrives/", shelf);
  router.on("GET", "/libdrives/detail/", shelf);
  const lib = (call: Call): LibraryRow => {
    const row = world.library.get(param(call));
    if (row === undefined) throw notExist(param(call));
    return row;
  };
  router.on("GET", "/libdrives/{}/", (c) => ok(libraryView(lib(c))));
  router.on("POST", "/libdrives/{}/action/?do=clone", (c) => accepted({ objects: [cloneFromBody(world, lib(c).uuid, c.body)] }));
}

const exact = <K extends keyof LibraryRow>(...keys: K[]): Record<string, (r: LibraryRow, v: string) => boolean> =>
  Object.fromEntries(keys.map((k) => [k, (r: LibraryRow, v: string) => String(r[k] ?? "").toLowerCase() === v.toLowerCase()]));

function readSize(r: Reader, storage: string, otherwise: number): number {
  const limits = STORAGE[storage] ?? STORAGE.dssd;
  return roundedSize(r.int("size", otherwise, limits));
}

const readStorage = (r: Reader, otherwise: string): string => r.choice("storage_type", otherwise, Object.keys(STORAGE));

function createDrives(world: World, bodies: readonly Body[]): View[] {
  if (bodies.length === 0) throw invalid("objects", "nothing to create");
  const rows = bodies.map((body): DriveRow => {
    const r = new Reader(body);
    r.requires("name", "size", "media");
    const storage = readStorage(r, "dssd");
    const row: DriveRow = {
      uuid: newUuid(), owner: world.store.account.uuid, createdMs: world.clock.now(), name: r.string("name", ""), size: readSize(r, storage, 0), media: r.choice("media", "disk", MEDIA), storage_type: storage,
      allow_multimount: r.bool("allow_multimount", false), affinities: r.list("affinities"), iops: r.has("iops") && r.body.iops !== null ? r.int("iops", 0, { min: 1 }) : null,
      meta: r.meta("meta", {}), tags: readTags(world, r, []), licenses: [], jobs: [], status: "creating", cloneFrom: null, newSize: null, deleting: false,
    };
    r.done();
    return row;
  });
  for (const row of rows) {
    world.store.drives.add(row);
    audit(world, "create", "Drives", row.uuid);
    beginDrive(world, row);
  }
  return rows.map((row) => driveView(world, row));
}

/** On a running server only name, meta, tags and allow_multimount take effect; the rest is ignored silently. */
function updateDrive(world: World, drive: DriveRow, body: unknown): View {
  if (!isObject(body)) throw invalid(null, "the body must be an object");
  if (drive.deleting) throw notExist(drive.uuid);
  const r = new Reader(body);
  r.requires("name", "size", "media");
  const size = readSize(r, drive.storage_type, drive.size);
  const change = {
    name: r.string("name", drive.name), meta: r.meta("meta", drive.meta), tags: readTags(world, r, drive.tags), allow_multimount: r.bool("allow_multimount", drive.allow_multimount),
  };
  const media = r.choice("media", drive.media, MEDIA);
  r.done();
  const on = world.store.usersOf(drive.uuid).some((s) => world.store.servers.get(s)?.status !== "stopped");
  if (!on && size !== drive.size) {
    requireResizable(drive, size);
    beginResize(world, drive, size);
  }
  Object.assign(drive, change, on ? {} : { media });
  world.store.touch();
  audit(world, "update", "Drives", drive.uuid);
  return driveView(world, drive);
}

function requireResizable(drive: DriveRow, size: number): void {
  if (drive.status !== "ready") throw forbidden(`Cannot resize drive ${drive.uuid} in state '${drive.status}'`);
  // the service's view of shrinking is not known; a refusal loses no data
  if (size < drive.size) throw invalid("size", `a drive cannot shrink (it has ${drive.size} bytes)`);
}

/** The action takes a full definition and refuses a drive of a running server. */
function resize(world: World, drive: DriveRow, body: unknown): View {
  const r = new Reader(isObject(body) ? body : {});
  r.requires("name", "media", "size");
  const size = readSize(r, drive.storage_type, drive.size);
  r.done();
  if (drive.deleting) throw notExist(drive.uuid);
  requireNotRunning(world, drive, "resize");
  requireResizable(drive, size);
  beginResize(world, drive, size);
  return driveView(world, drive);
}

function requireDeletable(world: World, drive: DriveRow): void {
  const problem = deletionProblem(drive, cloneSources(world.store));
  if (problem !== undefined) throw forbidden(problem);
  requireNotRunning(world, drive, "delete");
}

function cloneFromBody(world: World, uuid: string, body: unknown): View {
  const own = world.store.drives.get(uuid);
  if (own !== undefined) needOwn(world, world.store.drives, uuid, "CLONE");
  const source = driveSource(world, uuid);
  const r = new Reader(isObject(body) ? body : {});
  const storage = readStorage(r, source.storage_type);
  const size = readSize(r, storage, source.size);
  if (size < source.size) r.fail("size", `must not be smaller than the source (${source.size})`);
  const over: Partial<DriveRow> = { name: r.string("name", source.name), media: r.choice("media", source.media, MEDIA), size, storage_type: storage };
  if (r.has("affinities")) over.affinities = r.list("affinities");
  if (r.has("meta")) over.meta = { ...source.meta, ...r.meta("meta", {}) };
  if (r.has("tags")) over.tags = readTags(world, r, []);
  r.done();
  return driveView(world, cloneDrive(world, source, over));
}
