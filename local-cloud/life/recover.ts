import { audit, type World } from "../api/world";
import { settleServerClone } from "./clones";
import { beginDrive, beginSnapshot, beginSnapshotDelete, resumeDelete, resumeResize } from "./drives";
import { bootUp, lendAddresses } from "./power";
import { afterRestart } from "./power-rules";

/** Goes on with what a stop or a crash of the cloud interrupted: as after the loss of a host, servers that ran boot again. */
export function recover(world: World): { booting: number; drives: number } {
  const { store } = world;
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
      booting++;
      lendAddresses(world, server);
      bootUp(world, server);
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
