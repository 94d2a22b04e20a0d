/**
 * Turns a fresh set of namespaces into a booting computer: root file system, /proc, /dev, seed, then systemd. Runs as
 * pid 1 of the guest, waits for a line that says its network cards are in, and says "init" just before it becomes init.
 */
export const guestInitScript = `
set -eu
umask 022
read -r _go
printf '%s' "$HOST_NAME" > /proc/sys/kernel/hostname
R=$RUN_DIR/root
rm -rf "$DRIVE/work/work/incompat"
mount -t overlay elastigrid -o "lowerdir=$TREE,upperdir=$DRIVE/upper,workdir=$DRIVE/work,index=off,metacopy=off,volatile" "$R"
mount -t proc -o nosuid,noexec,nodev proc "$R/proc"
mount -t sysfs -o ro,nosuid,noexec,nodev sysfs "$R/sys"
mount -t cgroup2 -o nosuid,noexec,nodev cgroup2 "$R/sys/fs/cgroup"
# One kernel for all: nothing but the guest's own network settings may be written.
mount --bind "$R/proc/sys" "$R/proc/sys"
mount --bind "$R/proc/sys/net" "$R/proc/sys/net"
mount -o remount,ro,bind "$R/proc/sys"
mount -t tmpfs -o mode=755,nosuid,size=4m tmpfs "$R/dev"
mkdir "$R/dev/pts" "$R/dev/shm" "$R/dev/mqueue"
for d in null zero full random urandom tty; do : > "$R/dev/$d"; mount --bind "/dev/$d" "$R/dev/$d"; done
[ ! -e "$R/proc/sysrq-trigger" ] || mount --bind /dev/null "$R/proc/sysrq-trigger"
: > "$R/dev/console"; mount --bind "$CONSOLE" "$R/dev/console"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$R/dev/pts"
ln -s pts/ptmx "$R/dev/ptmx"; ln -s /proc/self/fd "$R/dev/fd"
ln -s fd/0 "$R/dev/stdin"; ln -s fd/1 "$R/dev/stdout"; ln -s fd/2 "$R/dev/stderr"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$R/dev/shm"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$R/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$R/tmp"
mkdir -p "$R/run/lock"
# Where this computer keeps memory in version 1, HTCondor limits its jobs by that: its service sees version 1 alone, systemd version 2.
binds=
for c in $CGROUPS_V1; do
  folder=\${c%%=*}
  mkdir -p "$R/run/cgroup-v1/$folder"
  mount -t cgroup -o "nosuid,noexec,nodev,\${c#*=}" cgroup "$R/run/cgroup-v1/$folder"
  binds="$binds /run/cgroup-v1/$folder:/sys/fs/cgroup/$folder"
done
if [ -n "$binds" ]; then
  mkdir -p "$R/run/systemd/system/condor.service.d"
  printf '[Service]\\nTemporaryFileSystem=/sys/fs/cgroup\\nBindPaths=%s\\n' "$binds" > "$R/run/systemd/system/condor.service.d/10-cgroup-v1.conf"
fi
# Without a seed the guest asks its network for its user data.
if [ -d "$RUN_DIR/seed" ]; then
  mkdir -p "$R/var/lib/cloud/seed/nocloud"
  cp "$RUN_DIR/seed/user-data" "$RUN_DIR/seed/meta-data" "$R/var/lib/cloud/seed/nocloud/"
  chmod 600 "$R"/var/lib/cloud/seed/nocloud/*
fi
mkdir "$R/run/.old"
cd "$R"
pivot_root . run/.old
cd /
umount -l /run/.old
rmdir /run/.old
# Cables carry long before the guest asks for an address: a bridge drops what comes while it takes a new cable into
# service, and a lost question for an address is repeated only 4 s later.
for c in /sys/class/net/eth*; do [ ! -e "$c" ] || /usr/sbin/ip link set "\${c##*/}" addrgenmode none up; done
echo init
exec </dev/null >/dev/console 2>&1
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=lxc container_uuid="$UUID" TERM=dumb LANG=C.UTF-8 \\
  setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-mknod,-syslog,-wake_alarm \\
  /sbin/init systemd.unified_cgroup_hierarchy=1 systemd.show_status=1 systemd.log_color=0 \\
  systemd.journald.forward_to_console=1 systemd.journald.max_level_console=warning
`;

/** Joins the guest's cgroups, then makes its namespaces; the cgroups are given as arguments. */
export const guestOuterScript = `
set -eu
for c in "$@"; do echo 0 > "$c/cgroup.procs"; done
exec unshare --mount --uts --ipc --pid --cgroup --net --fork --kill-child sh -c "$GUEST_INIT" guest-init
`;
