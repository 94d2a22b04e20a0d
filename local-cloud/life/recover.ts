import { ApiError } from "../api-error";
import { audit, type World } from "../api/world";
import { settleServerClone } from "./clones";
import { beginDrive, beginSnapshot, beginSnapshotDelete, resumeDelete, resumeResize } from "./drives";
import { bootUp, lendAddresses } from "./power";
import { afterRestart } from "./power-rules";

/** Goes on with what a stop or a crash of the cloud interrupted: as after the loss of a host, servers that ran boot again. */
export function recover(world: World): { booting: number; drives: number } {
  const { store } = world;
  dropForeignAddresses(world);
  let booting = 0;
  let drives = 0;
  for (const drive of [...store.drives.all()]) {
    if (drive.deleting) resumeDelete(world, drive);
    else if (drive.status === "creating" || drive.status === "cloning_dst") beginDrive(world, drive);
    else if (drive.status === "resizing") resumeResize(world, drive);
    else continue;
    drives++;
  }
  for (const snapshot of [...store.snapshots.all()]) {
    if (snapshot.deleting) beginSnapshotDelete(world, snapshot);
    else if (snapshot.status === "creating") beginSnapshot(world, snapshot);
  }
  for (const server of [...store.servers.all()]) {
    const what = afterRestart(server.status);
    if (what === "boot") {
      try {
        lendAddresses(world, server);
        bootUp(world, server);
        booting++;
      } catch (e) {
        if (!(e instanceof ApiError)) throw e;
        server.status = "stopped";
        server.activeSinceMs = null;
        audit(world, "boot", "Servers", server.uuid, e.message);
      }
    } else if (what === "stopped") {
      for (const nic of server.nics) store.takeBack(nic.mac);
      server.status = "stopped";
      server.activeSinceMs = null;
      audit(world, "stop", "Servers", server.uuid);
    }
    if (server.cloneJob !== null) settleServerClone(world, server);
  }
  return { booting, drives };
}

/** The back end may offer other addresses than in the last run: lent ones are lent anew, subscribed ones cannot be moved. */
function dropForeignAddresses(world: World): void {
  const offered = new Set(world.backend.publicAddresses());
  for (const ip of [...world.store.ips.all()]) {
    if (offered.has(ip.uuid) || ip.owner !== world.store.account.uuid) continue;
    if (ip.lent !== null) world.store.takeBack(ip.lent.mac);
    else world.log(`address ${ip.uuid} is subscribed but not reachable in this run: another local-cloud may hold its network`);
  }
}
