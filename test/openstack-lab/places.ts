import { join } from "node:path";
import { cacheFolder } from "../../local-cloud/cache";

/** Where the lab's files are. Inside the lab `home` is mounted as `/lab`, so its services see fixed paths. */
export interface Places {
  readonly home: string;
  /** The Debian trees, one per list of packages. */
  readonly trees: string;
  /** Databases, images, keys: what a fresh cloud begins without. */
  readonly state: string;
  /** Databases as they are after set-up, to begin the next fresh cloud with. */
  readonly seeds: string;
  readonly etc: string;
  readonly logs: string;
  /** What belongs to one run: control socket, pid file, the programs that are run instead of the packaged ones. */
  readonly run: string;
  readonly socket: string;
  readonly pidFile: string;
  readonly supervisorLog: string;
  /** Held as long as anything of the lab lives. */
  readonly lifeLock: string;
  /** Held by a command that changes the lab. */
  readonly commandLock: string;
  readonly secrets: string;
  /** What Glance has as the appliance image: for whoever uploads one. */
  readonly imageFile: string;
  readonly openrc: string;
  readonly openrcAdmin: string;
  readonly cloudsYaml: string;
}

/** Longest path of a unix socket, less the closing zero. */
const SOCKET_PATH_BYTES = 107;

export const labHome = (env: NodeJS.ProcessEnv = process.env): string => env["ELASTIGRID_LAB_HOME"] || join(cacheFolder(env), "openstack-lab");

export function placesOf(home: string): Places {
  const run = join(home, "run");
  const socket = join(run, "control.sock");
  if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES) {
    throw new Error(`the path ${socket} is too long for a unix socket (${SOCKET_PATH_BYTES} bytes at most): set XDG_CACHE_HOME or ELASTIGRID_LAB_HOME to a shorter folder`);
  }
  return {
    home, run, socket,
    trees: join(home, "trees"),
    state: join(home, "state"),
    seeds: join(home, "seeds"),
    etc: join(home, "etc"),
    logs: join(home, "logs"),
    pidFile: join(run, "lab.pid"),
    supervisorLog: join(home, "logs", "supervisor.log"),
    lifeLock: join(home, "life.lock"),
    commandLock: join(home, "command.lock"),
    secrets: join(home, "state", "secrets.json"),
    imageFile: join(home, "elastigrid-appliance.img"),
    openrc: join(home, "openrc"),
    openrcAdmin: join(home, "openrc-admin"),
    cloudsYaml: join(home, "clouds.yaml"),
  };
}

/** Where a file of the lab is for those who live in its tree. */
export const inLab = (...path: readonly string[]): string => join("/lab", ...path);
