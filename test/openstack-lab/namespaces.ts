import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApplianceImage } from "./appliance-image";
import type { LabSettings } from "./config-control";
import type { Places } from "./places";

export const LOCKED = 75;

/** First process of the lab: takes the lock that every survivor would hold on to, says which process it is, makes the namespaces. */
const OUTER = `
exec 9>>"$LIFE_LOCK"
flock -n 9 || exit ${LOCKED}
echo $$ > "$PID_FILE.new"
mv "$PID_FILE.new" "$PID_FILE"
exec unshare --mount --net --pid --uts --ipc --fork --kill-child --mount-proc -- sh -c "$INNER" elastigrid-openstack-lab "$@"
`;

/**
 * Pid 1 of the lab: dresses the tree (read-only but for what is mounted here), buries whatever loses its parent, and
 * ends, with everything, as soon as the supervisor does.
 */
const INNER = `
set -e
cd /
mount --bind "$TREE" "$TREE"
mount -o remount,bind,ro "$TREE"
for d in dev run tmp var/log var/tmp; do mount -t tmpfs -o mode=755 lab "$TREE/$d"; done
chmod 1777 "$TREE/tmp" "$TREE/var/tmp"
mount -t proc proc "$TREE/proc"
mount -t sysfs sysfs "$TREE/sys"
mkdir "$TREE/dev/pts" "$TREE/dev/shm" "$TREE/dev/net" "$TREE/run/lock" "$TREE/run/netns"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$TREE/dev/pts"
mount -t tmpfs -o mode=1777 lab "$TREE/dev/shm"
for d in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 net/tun:10:200; do
  IFS=: read -r name major minor <<END
$d
END
  mknod -m 666 "$TREE/dev/$name" c "$major" "$minor"
done
ln -s pts/ptmx "$TREE/dev/ptmx"
ln -s /proc/self/fd "$TREE/dev/fd"
ln -s /proc/self/fd/0 "$TREE/dev/stdin"
ln -s /proc/self/fd/1 "$TREE/dev/stdout"
ln -s /proc/self/fd/2 "$TREE/dev/stderr"
mount --bind "$LAB_HOME" "$TREE/lab"
"$@" </dev/null &
set +e
wait $!
exit $?
`;

export interface SupervisorConfig {
  readonly home: string;
  readonly tree: string;
  readonly settings: LabSettings;
  readonly appliance: ApplianceImage;
}

export interface StartedLab {
  /** Resolves with the exit code when the first process ends; LOCKED: another lab lives. */
  readonly ended: Promise<number>;
  /** Lets this program end without the lab. */
  detach(): void;
}

/** Starts the supervisor in namespaces of its own. It outlives this program; all of the lab dies with it. */
export async function startNamespaces(places: Places, config: SupervisorConfig): Promise<StartedLab> {
  for (const folder of [places.run, places.logs]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const log = await open(places.supervisorLog, "a", 0o600);
  try {
    const main = join(__dirname, "supervisor.js");
    const child = spawn("sh", ["-c", OUTER, "lab", process.execPath, "--max-old-space-size=128", main, JSON.stringify(config)], {
      stdio: ["ignore", log.fd, log.fd],
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin", INNER, TREE: config.tree, LAB_HOME: places.home, LIFE_LOCK: places.lifeLock, PID_FILE: places.pidFile,
      },
      cwd: "/",
      detached: true,
    });
    const ended = new Promise<number>((resolve, reject) => {
      child.on("error", (e) => reject(new Error(`cannot start the lab: ${e.message}`)));
      child.on("close", (code) => resolve(code ?? 1));
    });
    ended.catch(() => undefined); // whoever waits is told
    return { ended, detach: () => child.unref() };
  } finally {
    await log.close();
  }
}

/** Number of the lab's first process on this computer, if it lives; checked, because numbers are used again. */
export async function outerPid(places: Places): Promise<number | undefined> {
  if (!existsSync(places.pidFile)) return undefined;
  const pid = Number((await readFile(places.pidFile, "utf8")).trim());
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch((e: NodeJS.ErrnoException) => {
    if (e.code === "ENOENT" || e.code === "ESRCH") return "";
    throw e;
  });
  return commandLine.includes("elastigrid-openstack-lab") && commandLine.includes(JSON.stringify(places.home)) ? pid : undefined;
}

/** Number, on this computer, of pid 1 of the lab: whoever wants to enter its namespaces names it. */
export async function innerPid(places: Places): Promise<number | undefined> {
  const outer = await outerPid(places);
  if (outer === undefined) return undefined;
  const children = (await readFile(`/proc/${outer}/task/${outer}/children`, "utf8")).trim();
  return children === "" ? undefined : Number(children.split(" ")[0]);
}
