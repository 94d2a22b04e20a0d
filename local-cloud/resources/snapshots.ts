import { forbidden, invalid, notExist } from "../api-error";
import { commonFilters, commonOrder, listOf } from "../api/envelope";
import { isObject, objectsOf, Reader } from "../api/read-body";
import { accepted, created, noContent, ok, type Call, type Reply, type Router } from "../api/router";
import { driveView, ref, snapshotView } from "../api/views";
import { audit, type World } from "../api/world";
import { cloneDrive } from "../life/clones";
import { beginSnapshot, beginSnapshotDelete } from "../life/drives";
import { newUuid } from "../model/ids";
import type { SnapshotRow } from "../model/rows";
import { need, needOwn, param, uuidsOf } from "./common";
import { readTags } from "./server-body";

const MOST_PER_DRIVE = 90;

export function snapshotRoutes(world: World, router: Router): void {
  const { store } = world;
  const list = (c: Call): Reply =>
    ok(listOf({
      rows: store.snapshots.listed(world.clock.now(), world.habits.listLagMs), view: (s) => snapshotView(world, s), order: commonOrder,
      filters: { ...commonFilters, drive: (s: SnapshotRow, v) => s.drive === v },
    }, c.query));
  router.on("GET", "/snapshots/", list);
  router.on("GET", "/snapshots/detail/", list);
  router.on("POST", "/snapshots/", (c) => {
    const rows = objectsOf(c.body).map((body): SnapshotRow => {
      const r = new Reader(body);
      r.requires("drive");
      const drive = r.ref("drive") ?? "";
      const now = world.clock.now();
      const stamp = new Date(now).toISOString();
      const row: SnapshotRow = {
        uuid: newUuid(), owner: store.account.uuid, createdMs: now, drive, name: r.string("name", `${drive}__${stamp.slice(0, 10)}__${stamp.slice(11, 19).replaceAll(":", "_")}`),
        meta: r.meta("meta", {}), tags: readTags(world, r, []), status: "creating", deleting: false,
      };
      r.done();
      const source = needOwn(world, store.drives, drive, "CLONE");
      if (source.deleting) throw notExist(drive, "drive");
      if (source.status !== "ready") throw forbidden(`Cannot snapshot drive ${drive} in state '${source.status}'`);
      if ([...store.snapshots.all()].filter((s) => s.drive === drive).length >= MOST_PER_DRIVE) throw invalid("drive", `a drive has at most ${MOST_PER_DRIVE} snapshots`);
      return row;
    });
    for (const row of rows) {
      store.snapshots.add(row);
      audit(world, "create", "Snapshots", row.uuid);
      beginSnapshot(world, row);
    }
    return created(rows.map((r) => snapshotView(world, r)));
  });
  router.on("DELETE", "/snapshots/", (c) => {
    for (const uuid of uuidsOf(c.body)) beginSnapshotDelete(world, needOwn(world, store.snapshots, uuid, "DELETE"));
    return noContent;
  });
  router.on("GET", "/snapshots/{}/", (c) => ok(snapshotView(world, need(world, store.snapshots, param(c)))));
  router.on("PUT", "/snapshots/{}/", (c) => {
    const row = needOwn(world, store.snapshots, param(c));
    const r = new Reader(isObject(c.body) ? c.body : {});
    r.requires("drive");
    const change = { name: r.string("name", row.name), meta: r.meta("meta", row.meta), tags: readTags(world, r, row.tags) };
    r.done();
    Object.assign(row, change);
    store.touch();
    return ok(snapshotView(world, row));
  });
  router.on("DELETE", "/snapshots/{}/", (c) => {
    const row = needOwn(world, store.snapshots, param(c), "DELETE");
    if (row.deleting) throw forbidden(`Cannot delete snapshot ${row.uuid} in state 'deleting'`);
    beginSnapshotDelete(world, row);
    return noContent;
  });
  router.on("POST", "/snapshots/{}/action/?do=clone", (c) => {
    const row = needOwn(world, store.snapshots, param(c), "CLONE");
    if (row.status !== "available" || row.deleting) throw forbidden(`Cannot clone snapshot ${row.uuid} in state '${row.status}'`);
    const source = need(world, store.drives, row.drive);
    const r = new Reader(isObject(c.body) ? c.body : {});
    const over = { name: r.string("name", row.name), media: r.choice("media", source.media, ["disk", "cdrom"] as const) };
    r.done();
    const drive = cloneDrive(world, { ...source, uuid: row.uuid, tags: [], meta: {} }, over);
    // the recordings show the reference itself as an object here
    return accepted({ ...driveView(world, drive), resource_uri: ref("drives", drive.uuid) });
  });
}
