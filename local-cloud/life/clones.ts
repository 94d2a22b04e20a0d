import { ApiError, forbidden, notExist } from "../api-error";
import { audit, finishJob, type World } from "../api/world";
import { newMac, newPassword, newUuid } from "../model/ids";
import type { DriveRow, ServerRow } from "../model/rows";
import { beginDrive, newJob, path } from "./drives";
import { beginStart } from "./power";

/** Clones of drives and of whole servers, with the jobs that tell their progress. */

/** Names of clones by the account's strategy (section 21). */
export function cloneName(strategy: unknown, source: string, taken: (name: string) => boolean, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString();
  const numbered = (base: string): string => {
    for (let n = 1; ; n++) if (!taken(`${base}_${n}`)) return `${base}_${n}`;
  };
  if (strategy === "COUNTER") return numbered(source.replace(/_\d+$/, ""));
  if (strategy !== "DATE" && strategy !== "TIMESTAMP") return source;
  const wanted = `${source}-${strategy === "DATE" ? stamp.slice(0, 10) : stamp.slice(0, 19).replace("T", " ")}`;
  return taken(wanted) ? numbered(wanted) : wanted;
}

type DriveSource = Pick<DriveRow, "uuid" | "name" | "size" | "media" | "storage_type" | "allow_multimount" | "affinities" | "iops" | "meta" | "tags" | "licenses">;

/** What a clone can begin from: an own drive, or one of the library. */
export function driveSource(world: World, uuid: string): DriveSource {
  const own = world.store.drives.get(uuid);
  if (own !== undefined) {
    if (own.deleting) throw notExist(uuid);
    if (own.status !== "ready") throw forbidden(`Cannot clone drive ${uuid} in state '${own.status}'`);
    if (own.storage_type === "local_nvme") throw forbidden(`Cannot clone drive ${uuid}: it is ephemeral`);
    return own;
  }
  const lib = world.library.get(uuid);
  if (lib === undefined) throw notExist(uuid);
  const facts = { arch: lib.arch, category: lib.category.join(","), description: lib.description, distribution: lib.distribution ?? "", image_type: lib.image_type, install_notes: lib.install_notes, os: lib.os, paid: String(lib.paid), version: lib.version ?? "" };
  return { uuid, name: lib.name, size: lib.size, media: lib.media, storage_type: "dssd", allow_multimount: false, affinities: [], iops: null, meta: facts, tags: [], licenses: lib.licenses };
}

export function cloneDrive(world: World, source: DriveSource, over: Partial<DriveRow>): DriveRow {
  const { store } = world;
  const uuid = newUuid();
  const job = newJob(world, "drive_clone", [path("drives", source.uuid), path("drives", uuid)]);
  const drive = store.drives.add({
    allow_multimount: source.allow_multimount, affinities: source.affinities, iops: source.iops, media: source.media, meta: { ...source.meta }, name: source.name, size: source.size,
    storage_type: source.storage_type, tags: [...source.tags], licenses: source.licenses, ...over,
    uuid, owner: store.account.uuid, createdMs: world.clock.now(), jobs: [job.uuid], status: "cloning_dst", cloneFrom: source.uuid, newSize: null, deleting: false,
  });
  audit(world, "clone_dst", "Drives", uuid);
  beginDrive(world, drive);
  return drive;
}

export interface CloneWishes {
  readonly name?: string;
  readonly randomVncPassword: boolean;
  readonly autoStart?: boolean;
  readonly extraTag?: string;
}

/**
 * A copy of a server: disks are cloned, cdroms shared, static addresses become DHCP, MACs are new; all else is the same,
 * also meta, tags and keys.
 */
export function cloneServer(world: World, source: ServerRow, wishes: CloneWishes): ServerRow {
  const { store } = world;
  const taken = (name: string): boolean => [...store.servers.all()].some((s) => s.name === name);
  const name = wishes.name ?? cloneName(store.account.profile.clone_naming, source.name, taken, world.clock.now());
  for (const d of source.drives) if (store.drives.get(d.drive)?.media === "disk") driveSource(world, d.drive);
  const made: DriveRow[] = [];
  const drives = source.drives.map((d) => {
    const own = store.drives.get(d.drive);
    if (own?.media !== "disk") return { ...d };
    const copy = cloneDrive(world, own, { name: `${name}-${own.name}` });
    made.push(copy);
    return { ...d, drive: copy.uuid };
  });
  const uuid = newUuid();
  const job = newJob(world, "server_clone", [path("servers", source.uuid), path("servers", uuid)], made.flatMap((d) => d.jobs));
  const server = store.servers.add({
    ...structuredClone(source), uuid, owner: store.account.uuid, createdMs: world.clock.now(), name, drives, jobs: [job.uuid], status: made.length > 0 ? "cloning" : "stopped", activeSinceMs: null,
    vnc_password: wishes.randomVncPassword ? newPassword() : source.vnc_password, auto_start: wishes.autoStart ?? source.auto_start, cloneJob: job.uuid,
    tags: wishes.extraTag === undefined ? [...source.tags] : [...source.tags, wishes.extraTag],
    nics: source.nics.map((n) => ({ ...n, mac: newMac(), ip_v4_conf: n.ip_v4_conf?.conf === "static" ? { conf: "dhcp" as const, ip: null } : n.ip_v4_conf })),
  });
  store.indexServer(server);
  audit(world, "clone_src", "Servers", source.uuid);
  audit(world, "clone_dst", "Servers", uuid);
  if (made.length === 0) world.tasks.run(`clone ${uuid}`, async () => {
    await world.tasks.sleep(1);
    settleServerClone(world, server);
  });
  return server;
}

/** Called whenever one of its drives is done: the clone is stopped once all are, and starts if it is told to. */
export function settleServerClone(world: World, server: ServerRow): void {
  const drives = server.drives.map((d) => world.store.drives.get(d.drive)).filter((d) => d !== undefined);
  const job = server.cloneJob === null ? undefined : world.store.jobs.get(server.cloneJob);
  const open = drives.filter((d) => d.status === "cloning_dst").length;
  if (job !== undefined && drives.length > 0) job.progress = Math.floor((100 * (drives.length - open)) / drives.length);
  if (open > 0 || server.cloneJob === null) return;
  const failed = drives.some((d) => d.status === "unavailable");
  server.cloneJob = null;
  server.status = "stopped";
  finishJob(world, job, failed ? "failed" : "success");
  world.store.touch();
  if (!server.auto_start || failed) return;
  try {
    beginStart(world, server);
  } catch (e) {
    // nobody waits for an answer: the audit log is where the service says why a start came to nothing
    if (!(e instanceof ApiError)) throw e;
    audit(world, "boot", "Servers", server.uuid, e.message);
  }
}
