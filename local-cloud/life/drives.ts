import { forbidden } from "../api-error";
import { API } from "../api/views";
import { audit, finishJob, type World } from "../api/world";
import { newUuid } from "../model/ids";
import type { DriveRow, JobRow, SnapshotRow } from "../model/rows";
import { settleServerClone } from "./clones";

/** Life of drives: what goes on after the answer, and what comes after it. Rows tell all, so that it goes on after a crash. */

/** The service rounds sizes up to a multiple of this many bytes. */
export const SIZE_STEP = 16_384;
export const roundedSize = (bytes: number): number => Math.ceil(bytes / SIZE_STEP) * SIZE_STEP;

export const path = (kind: string, uuid: string): string => `${API}/${kind}/${uuid}/`;

export function newJob(world: World, operation: string, resources: string[], children: string[] = []): JobRow {
  const now = world.clock.now();
  return world.store.jobs.add({ uuid: newUuid(), owner: world.store.account.uuid, createdMs: now, modifiedMs: now, operation, state: "started", progress: 0, resources, children });
}

/** The contents are being made: empty, or a copy. */
export function beginDrive(world: World, drive: DriveRow): void {
  const copying = drive.status === "cloning_dst";
  world.tasks.run(`making of drive ${drive.uuid}`, async () => {
    const planted = copying ? takePlanted(world, drive) : false;
    let failure: string | undefined = planted ? "planted fault" : undefined;
    try {
      const made = failure === undefined ? world.backend.createDrive(drive.uuid, drive.cloneFrom ?? undefined) : Promise.resolve();
      await Promise.all([world.tasks.sleep(copying ? world.delays.driveCloneMs : world.delays.driveCreateMs), made]);
    } catch (e) {
      failure = e instanceof Error ? e.message : String(e);
    }
    if (world.store.drives.get(drive.uuid) === drive && !world.closing) settleDrive(world, drive, failure);
  });
}

function takePlanted(world: World, drive: DriveRow): boolean {
  const at = world.planted.clones.findIndex((c) => c.uuid === undefined || c.uuid === drive.cloneFrom || c.uuid === drive.uuid);
  return at >= 0 && world.planted.clones.splice(at, 1).length === 1;
}

function settleDrive(world: World, drive: DriveRow, failure: string | undefined): void {
  if (failure !== undefined) audit(world, drive.cloneFrom === null ? "create" : "clone_dst", "Drives", drive.uuid, failure);
  drive.status = failure === undefined ? "ready" : "unavailable";
  drive.cloneFrom = null;
  for (const job of drive.jobs) finishJob(world, world.store.jobs.get(job), failure === undefined ? "success" : "failed");
  world.store.touch();
  for (const uuid of world.store.usersOf(drive.uuid)) {
    const server = world.store.servers.get(uuid);
    if (server?.status === "cloning") settleServerClone(world, server);
  }
}

/** The new size shows when it is done. */
export function beginResize(world: World, drive: DriveRow, size: number): void {
  drive.status = "resizing";
  drive.newSize = size;
  world.store.touch();
  resumeResize(world, drive);
}

export function resumeResize(world: World, drive: DriveRow): void {
  world.tasks.run(`resize of drive ${drive.uuid}`, async () => {
    await world.tasks.sleep(world.delays.driveResizeMs);
    if (drive.status !== "resizing") return;
    drive.size = drive.newSize ?? drive.size;
    drive.newSize = null;
    drive.status = "ready";
    world.store.touch();
  });
}

const running = (world: World, drive: string): string | undefined => world.store.usersOf(drive).find((s) => world.store.servers.get(s)?.status !== "stopped");

export function requireNotRunning(world: World, drive: DriveRow, action: string): void {
  const server = running(world, drive.uuid);
  const status = server === undefined ? undefined : world.store.servers.get(server)?.status;
  if (status !== undefined) throw forbidden(`Cannot ${action} drive ${drive.uuid}: it is mounted on guest ${server} in state '${status === "running" ? "started" : status}'`);
}

/** Why a drive cannot go now; undefined when it can. */
export function deletionProblem(drive: DriveRow, sources: ReadonlySet<string>): string | undefined {
  const state = drive.deleting ? "deleting" : drive.status !== "ready" && drive.status !== "unavailable" ? drive.status : sources.has(drive.uuid) ? "cloning_src" : undefined;
  return state === undefined ? undefined : `Cannot delete drive ${drive.uuid} in state '${state}'`;
}

/** Leaves the definitions of stopped servers at once, is readable for a while, then gone with its snapshots. */
export function beginDelete(world: World, drive: DriveRow): void {
  for (const uuid of world.store.usersOf(drive.uuid)) {
    const server = world.store.servers.get(uuid);
    if (server === undefined) continue;
    server.drives = server.drives.filter((d) => d.drive !== drive.uuid);
    world.store.indexServer(server);
  }
  drive.deleting = true;
  audit(world, "delete", "Drives", drive.uuid);
  resumeDelete(world, drive);
}

export function resumeDelete(world: World, drive: DriveRow): void {
  for (const s of world.store.snapshots.all()) if (s.drive === drive.uuid && !s.deleting) beginSnapshotDelete(world, s);
  world.tasks.run(`removal of drive ${drive.uuid}`, async () => {
    await Promise.all([world.tasks.sleep(world.delays.deleteMs), world.backend.deleteDrive(drive.uuid)]);
    world.store.drives.remove(drive.uuid, listedUntil(world));
  });
}

export const listedUntil = (world: World): number => (world.habits.listLagMs > 0 ? world.clock.now() + world.habits.listLagMs : 0);

/** A snapshot is a copy of its own, so that clones of it show the drive as it was. */
export function beginSnapshot(world: World, snapshot: SnapshotRow): void {
  world.tasks.run(`snapshot ${snapshot.uuid}`, async () => {
    await Promise.all([world.tasks.sleep(world.delays.snapshotMs), world.backend.createDrive(snapshot.uuid, snapshot.drive)]);
    snapshot.status = "available";
    world.store.touch();
  });
}

export function beginSnapshotDelete(world: World, snapshot: SnapshotRow): void {
  snapshot.deleting = true;
  world.store.touch();
  world.tasks.run(`removal of snapshot ${snapshot.uuid}`, async () => {
    await Promise.all([world.tasks.sleep(world.delays.deleteMs), world.backend.deleteDrive(snapshot.uuid)]);
    world.store.snapshots.remove(snapshot.uuid, listedUntil(world));
  });
}
