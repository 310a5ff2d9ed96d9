import { FENCE_AGENT } from './cluster-configuration.js';

/** The console shows a line that begins with this when a node could not be started. */
export const NODE_FAILED = 'NODE-FAILED';
/** The same when a node has let go of the root and has left the cluster. */
export const NODE_LEFT = 'NODE-LEFT';

/** Applets of busybox that the scripts call. */
export const RAMDISK_APPLETS: readonly string[] = [
  ...['chroot', 'cp', 'dmesg', 'grep', 'ifconfig', 'insmod', 'ln', 'mkdir', 'mount', 'mv', 'pidof'],
  ...['poweroff', 'rm', 'sed', 'sh', 'sleep', 'sync', 'tail'],
];
/** … those of the daemons' folder, where cat and ls are for whoever looks into it. */
export const DAEMON_APPLETS: readonly string[] = [
  ...['cat', 'chroot', 'dmesg', 'losetup', 'ls', 'pidof', 'poweroff', 'rm', 'sh', 'sleep', 'sync', 'tail'],
  'umount',
];

/** A fifo of the ramdisk, which is only waited at. */
export const PAUSE = '/pause';
/** Fifos of the daemons' folder, at which the two wait: corosync before it looks for others, and dlm_controld before all. */
export const GATES = { corosync: '/gate-corosync', lockManager: '/gate-dlm' } as const;

/** Where /init reads what depends on the cluster; the values are single-quoted there. */
export const INIT_SETTINGS = '/etc/ramdisk.conf';

/**
 * The first program of a node (initramfs, busybox sh). Nothing in it depends on the cluster: that is in
 * `/etc/ramdisk.conf`, `/etc/nodes`, `/etc/own-paths` and `/modules/load`. To start a program takes some 10 ms in
 * User-Mode Linux, so what the shell can do by itself it does; but it reads a byte at a time, 30 ms for a kilobyte.
 *
 * What it does about order is what makes the difference between a cluster and two that share a disk: a node that joins
 * waits until corosync counts members before dlm_controld goes beyond reading its settings, and the root is mounted only when
 * DLM knows this node.
 * The daemons run from the ramdisk, which stays in memory, and not from the filesystem that they serve.
 */
export function nodeInit(): string {
  return `#!/bin/sh
# Starts a node of the cluster: kernel modules, network, membership, locks, the shared root, and then its init.
#
# The kernel's command line says:
#   node=N             number of this node
#   cluster=new|join   new: no other node is up; join: wait for those that are
#   meet=N,N           those that are; by default any
#   root=DEVICE        the shared root
#   init=PROGRAM       first program of the root
#   fence=FOLDER       folder of the host where it is asked to end a node that went silent
#   rescue             a shell when something fails, instead of the end

PATH=/bin:/sbin:/usr/bin:/usr/sbin
export PATH
. ${INIT_SETTINGS}
init=/sbin/init
cluster=new
meet=
fence=
rescue=
number=
name=
hotplug=
settings=
daemons=/run/cluster

say() {
  read -r now rest < /proc/uptime
  echo "ramdisk[$now]: $*"
}

fail() {
  say "failed: $*"
  log=$daemons/var/log/corosync/corosync.log
  [ ! -s $log ] || tail -n 20 $log
  dmesg | tail -n 20
  echo "${NODE_FAILED} \${name:-$number}: $*"
  if [ -n "$rescue" ]; then
    # Whoever looks at its settings could let it go on, whether there is a cluster or not.
    [ ! -e "$settings.kept" ] || kill -KILL $(pidof \${dlm_controld##*/})
    exec sh < /dev/console > /dev/console 2>&1
  fi
  sync
  poweroff -f
  exit 1
}

# wait_for SECONDS PAUSE COMMAND...: until the command succeeds, with so many hundredths of a second in between. Without a program
# that sleeps: nobody writes to the fifo. A shell that takes no fractions says so with 2.
wait_for() {
  read -r now rest < /proc/uptime
  limit=$((\${now%.*} + $1))
  pause=0.0$2
  shift 2
  until "$@"; do
    read -r now rest < /proc/uptime
    [ \${now%.*} -le $limit ] || return 1
    read -r -t $pause nothing <> ${PAUSE} 2> /dev/null
    [ $? != 2 ] || sleep $pause
  done
}

# mount_all LINE...: as in fstab(5), in this order, by one program
mount_all() {
  for line; do echo "$line"; done > /etc/fstab
  mount -a
}

mount_kernel_filesystems() {
  mount_all "proc /proc proc" "sysfs /sys sysfs" "devtmpfs /dev devtmpfs" "tmpfs /run tmpfs mode=755" ||
    fail "the kernel's own filesystems"
  mkdir -p /dev/pts /dev/shm /dev/misc /run/lock $daemons
  mount_all "devpts /dev/pts devpts mode=620,gid=5" "tmpfs /dev/shm tmpfs mode=1777" \\
    "tmpfs /run/lock tmpfs mode=1777,nosuid,nodev,noexec,size=5m" || fail "mount below /dev and /run"
  # The kernel starts it for each device that it finds, and the ramdisk has none.
  [ ! -e /proc/sys/kernel/hotplug ] || { read -r hotplug && echo; } < /proc/sys/kernel/hotplug > /proc/sys/kernel/hotplug
}

read_command_line() {
  read -r line < /proc/cmdline
  set -f
  for word in $line; do
    case $word in
      node=*) number=\${word#node=} ;;
      cluster=*) cluster=\${word#cluster=} ;;
      meet=*) meet=\${word#meet=} ;;
      # User-Mode Linux itself adds root=98:0 where no root is named.
      root=/*) root_device=\${word#root=} ;;
      init=*) init=\${word#init=} ;;
      fence=*) fence=\${word#fence=} ;;
      rescue) rescue=yes ;;
    esac
  done
  set +f
  [ -n "$number" ] || fail "the kernel's command line has no node=N"
  while read -r this address name; do
    [ "$this" != "$number" ] || break
  done < /etc/nodes
  [ -n "$address" ] || fail "the cluster has no node $number"
  case $cluster in new | join) ;; *) fail "cluster=$cluster is neither new nor join" ;; esac
  echo "$name" > /proc/sys/kernel/hostname
}

load_modules() {
  while read -r module; do
    insmod "/modules/$module" || fail "insmod $module"
  done < /modules/load
  ln -sf ../dlm-control ../dlm-monitor ../dlm_plock /dev/misc
  say "modules loaded"
}

start_network() {
  # Of what corosync tells dlm_controld: where ten are all, corosync asks again and again whether there is room.
  [ ! -e /proc/sys/net/unix/max_dgram_qlen ] || echo 512 > /proc/sys/net/unix/max_dgram_qlen
  ifconfig lo 127.0.0.1 up
  ifconfig "$interface" "$address" netmask "$netmask" up || fail "the network interface $interface"
  say "network up: $interface $address"
}

# In the ramdisk's own memory, which stays. Mounted apart, as the root to which a node goes back in the end has to be.
make_home_of_daemons() {
  mount_all "configfs /sys/kernel/config configfs" "/cluster $daemons none bind" "/dev $daemons/dev none rbind" \\
    "proc $daemons/proc proc" "/sys $daemons/sys none rbind" || fail "the folder of the daemons"
  fencing=0
  if [ -n "$fence" ]; then
    mount -t hostfs -o "$fence" none $daemons/fence || fail "the folder $fence of the host"
    fencing=1
  fi
}

in_daemons() {
  LD_LIBRARY_PATH=$library_path chroot $daemons "$@"
}

# start_daemon LIMIT PROGRAM...: with a stack of so many KiB. A name that begins with @ tells systemd to let the process
# live when the node goes down. Without the trap dlm_controld dies of a dlm_tool that ends before it has its answer.
start_daemon() {
  in_daemons /bin/sh -c 'ulimit -s "$0"; trap "" PIPE; export MALLOC_ARENA_MAX=1; program=$1; shift
    exec -a "@\${program##*/}" "$program" "$@"' "$@" < /dev/null
}

# Before, it takes connections, and tells dlm_controld to try again, which it does after a second.
corosync_answers() {
  grep -q ' ready to provide service' $corosync_log 2> /dev/null
}

# What it says last before it reads the number of its ring, and then looks for others.
corosync_waits() {
  grep -q 'network interface .* is now up' $corosync_log 2> /dev/null
}

# Corosync reads the number of its ring from a fifo then: it has started, and listens, but looks for nobody.
close_gate() {
  mv $daemons${GATES.corosync} "$ring" || fail "the fifo for corosync"
  gate=closed
}

# The fifo goes first: corosync keeps the number of its ring in a file of this name from then on. Eight bytes of zero are a
# ring that there has never been.
open_gate() {
  exec 8<> "$ring"
  rm "$ring"
  printf '\\0\\0\\0\\0\\0\\0\\0\\0' >&8
  exec 8>&-
}

# Dlm_controld reads its settings before it does anything else. They come from a fifo, so that it can be loaded, which takes most of
# its start, while the processor waits for corosync, and for other nodes.
close_lock_gate() {
  settings=$daemons/etc/dlm/dlm.conf
  mv $settings $settings.kept && mv $daemons${GATES.lockManager} $settings || fail "the fifo for dlm_controld"
}

open_lock_gate() {
  exec 8<> $settings
  mv $settings.kept $settings || fail "the settings of dlm_controld"
  while read -r line; do echo "$line"; done < $settings >&8
  exec 8>&-
}

# Looks whom corosync has counted last, as it says before it is ready, in several lines where they are many; to ask it takes
# four times as long. Two nodes that both join, and see each other only, are no cluster: so it is told which nodes are.
has_members() {
  members=$(sed -n '/ Sync members\\[/{s/.*//;h};/ Members\\[/{s/.*: //;s/\\\\$//;H};/ ready to provide service/{g;s/\\n/ /g;p}' \\
    $corosync_log 2> /dev/null)
  for member in \${members##*
}; do
    [ "$member" = "$number" ] && continue
    case ,\${meet:-$member}, in *,$member,*) return 0 ;; esac
  done
  return 1
}

# The host has a node wait by a file, and removes it.
is_free() {
  [ ! -e "$daemons/fence/$1" ]
}

# The host starts all nodes at once. The first takes no notice of the others; these start as far as they come without it, and
# look for it when it has its locks, one when the one before is a member: where one comes while another is taken in, corosync
# can lose its token, and finds out in two seconds. Their lock managers start when all are members, as what each that comes
# costs all of them is paid once then. They have waited, so they look again whether there is a cluster.
join_cluster() {
  corosync_log=$daemons/var/log/corosync/corosync.log
  ring=$daemons/var/lib/corosync/ringid_$number
  gate=open
  is_free hold || close_gate
  close_lock_gate
  start_daemon 8192 $dlm_controld --enable_fencing $fencing &
  starting=$!
  # Of the stack of each thread corosync locks all in memory: hundreds of MiB without a limit.
  start_daemon 256 $corosync || fail corosync
  if [ $gate = closed ]; then
    wait_for 10 5 corosync_waits || say "corosync does not wait"
    wait_for 600 1 is_free hold || fail "the host does not let it look for others"
    open_gate
  fi
  if [ $cluster = new ]; then
    wait_for 30 3 corosync_answers || fail "corosync does not answer"
    say "corosync up"
  else
    wait_for 60 1 has_members || fail "no member of the cluster is to be seen"
    say "joined the membership"
    wait_for 120 1 is_free hold-locks || say "the host has not let its lock manager start: it starts all the same"
    wait_for 60 1 has_members || fail "the cluster is not to be seen any more"
  fi
  open_lock_gate
  wait $starting || fail dlm_controld
  wait_for 30 1 [ -d "/sys/kernel/config/dlm/cluster/comms/$number" ] || fail "dlm_controld does not come up"
  say "dlm_controld up, fencing $([ $fencing = 1 ] && echo "by the host" || echo off)"
}

# What ends all processes when the system goes down lets the daemons live, and who watches them.
name_daemons() {
  mkdir /run/sendsigs.omit.d
  pids=$(pidof \${corosync##*/} \${dlm_controld##*/})
  case $pids in *' '*) ;; *) fail "a daemon of the cluster has ended" ;; esac
  LD_LIBRARY_PATH=$library_path exec chroot $daemons /bin/sh /sbin/watch $pids < /dev/null &
  for pid in $pids $!; do echo "$pid"; done > /run/sendsigs.omit.d/cluster
}

# dlm_controld sets the number when it starts the lockspace of the root in the kernel.
in_lockspace() {
  for id in /sys/kernel/dlm/*/id; do
    [ ! -e "$id" ] || read -r id < "$id" || continue
    case $id in [1-9]*) return 0 ;; esac
  done
  return 1
}

# GFS2 waits for half a second before it looks at the locks: enough to name the daemons and to tidy up in.
mount_root() {
  mount -t gfs2 -o noatime,nodiratime,acl "$root_device" /root &
  mounting=$!
  wait_for 2 1 in_lockspace && say "joined the lockspace"
  name_daemons
  rm -rf /modules
  wait $mounting || fail "mount $root_device"
  [ -x "/root$init" ] || [ -L "/root$init" ] || fail "the root has no $init"
  say "root mounted"
}

make_folders() {
  for folder in dev proc run sys tmp; do [ -d /root/$folder ] || mkdir /root/$folder; done
}

# copy_own PATH: to a name of its own first, so that it is there as a whole or not at all
copy_own() {
  [ ! -e "$own$1.new" ] || rm -rf "$own$1.new"
  folder=$own\${1%/*}
  [ -d "$folder" ] || mkdir -p "$folder"
  cp -a "/root$1" "$own$1.new" && mv "$own$1.new" "$own$1"
}

# Paths of the root that each node has for itself: at its first start it gets what the shared root has there.
own_mounts() {
  own=/root/cluster/$name
  while read -r path; do
    if [ -L "/root$path" ] || [ ! -e "/root$path" ]; then continue; fi
    [ -e "$own$path" ] || copy_own "$path" || fail "the node's own $path"
    set -- "$@" "$own$path /root$path none bind"
  done < /etc/own-paths
  mkdir /run/node
  echo "$name" > /run/node/hostname
  [ ! -f /root/etc/hostname ] || set -- "$@" "/run/node/hostname /root/etc/hostname none bind"
  # A node's inittab is another than that of a host which boots the same root by itself.
  [ ! -f /root/etc/inittab.ssi ] || set -- "$@" "/root/etc/inittab.ssi /root/etc/inittab none bind"
  mount_all "$@" "tmpfs /root/tmp tmpfs mode=1777" || fail "what the node has for itself"
}

# The ramdisk stays below the root, as the daemons run from it.
hand_over() {
  say "handing over to $init"
  [ -z "$hotplug" ] || echo "$hotplug" > /proc/sys/kernel/hotplug
  cd /root || fail "the root is not there"
  mount_all "/run /root/run none move" "/dev /root/dev none move" "/sys /root/sys none move" \\
    "/proc /root/proc none move" ". / none move" || fail "the root can't take the place of the ramdisk"
  # There is no policy to load, for which sysvinit would look, and complain.
  export SELINUX_INIT=NO
  exec chroot . "$init" "$@"
}

mount_kernel_filesystems
read_command_line
say "$name starts, cluster=$cluster"
load_modules
start_network
make_home_of_daemons
join_cluster
mount_root
make_folders
own_mounts
hand_over "$@"
`;
}

/** Seconds after which a node that was to be fenced, and of which the host says nothing, counts as not fenced. */
const FENCE_SECONDS = 15;

/**
 * The fence agent of dlm_controld. It asks the host, over a folder that both see, to end a node: it makes `req.N`, and
 * the host, once no process of the node is left, makes `ack.N`. dlm_controld names the node on standard input, in a
 * line `node=N`.
 */
export function fenceAgent(): string {
  return `#!/bin/sh
# ${FENCE_AGENT}: asks the host to end a node
number=
while read -r line; do
  case $line in
    node=* | nodeid=* | port=*) number=\${line#*=} ;;
  esac
done
case $number in '' | *[!0-9]*) echo "no node to fence" >&2; exit 1 ;; esac
rm -f "/fence/ack.$number"
echo fence > "/fence/req.$number" || exit 1
left=${FENCE_SECONDS * 4}
while [ $left -gt 0 ]; do
  [ ! -e "/fence/ack.$number" ] || exit 0
  left=$((left - 1))
  sleep 0.25
done
exit 1
`;
}

/**
 * What the root runs on shutdown once it has pivoted to the folder of the daemons, with the root below /root: makes
 * sysvinit, which still runs from the root, go over to /sbin/init of this folder.
 */
export function leaveScript(): string {
  return `#!/bin/sh
# The last that runs as a child of the root's init.
cd /
chroot /root /sbin/telinit u
# Init ends whoever it waits for when it goes over.
sleep 30
echo "init does not let go of the root"
sync
poweroff -f
`;
}

/** In the daemons' folder, once they are to end. */
const LEAVING = '/leaving';

/**
 * Ends the node when one of the cluster's daemons has ended. Its kernel goes on without them for a while, but no one tells it
 * of the others any more, and they take its journal, and the root, for free: so it must not go on, and is off within a second.
 */
export function watchScript(): string {
  return `#!/bin/sh
# watch PID...: ends the node when one of the cluster's daemons has ended.
while [ ! -e ${LEAVING} ]; do
  for pid; do
    if [ ! -d "/proc/$pid" ] && [ ! -e ${LEAVING} ]; then
      # Whatever becomes of what is said.
      { sleep 0.5; poweroff -n -f; } &
      {
        tail -n 20 /var/log/corosync/corosync.log /var/log/dlm_controld/dlm_controld.log
        dmesg | tail -n 10
        echo "a daemon of the cluster has ended: this node goes off"
      } > /dev/console 2>&1
      poweroff -n -f
    fi
  done
  read -r -t 0.3 nothing <> ${PAUSE} 2> /dev/null
  [ $? != 2 ] || sleep 0.3
done
`;
}

/** Tenths of a second: for the root to be unmounted, and for each of the daemons to end. */
const UNMOUNT_TENTHS = 100;
const DAEMON_TENTHS = 50;

/**
 * The last program of a node, as process 1: unmounts the root, so that DLM lets the node out of the lockspace and its
 * journal is clean, and takes it out of the membership. The daemons have /proc, /sys and /dev of their own in their
 * folder: without these DLM could not leave.
 */
export function lastInit(): string {
  return `#!/bin/sh
# Takes the node out of the cluster and off. A node always goes off, also for a reboot: only the host knows whether
# another one is up then, and with what words a node has to be started.
PATH=/bin:/sbin:/usr/bin:/usr/sbin
exec < /dev/console > /dev/console 2>&1
cd /
read -r name < /proc/sys/kernel/hostname

# wait_while TENTHS COMMAND...
wait_while() {
  left=$1
  shift
  while "$@"; do
    left=$((left - 1))
    [ $left -gt 0 ] || return 1
    sleep 0.1
  done
}

# Both have a folder for each filesystem that is mounted and each lockspace that the node is in.
holds_root() {
  for folder in /sys/fs/gfs2/* /sys/kernel/dlm/*; do
    [ ! -d "$folder" ] || return 0
  done
  return 1
}
runs() { pidof "$1" > /dev/null; }

# With all that is mounted in it, at once. What is still in use somewhere goes when it is not any more.
umount -l /root
for loop in /sys/block/loop*/loop; do
  [ ! -d "$loop" ] || { loop=\${loop%/loop} && losetup -d "/dev/\${loop##*/}"; }
done
if ! wait_while ${UNMOUNT_TENTHS} holds_root; then
  # For the others this is a crash.
  echo "$name can't let go of the root: something in the kernel still uses it"
  sync
  poweroff -f
fi
: > ${LEAVING}
for daemon in dlm_controld corosync; do
  kill -TERM $(pidof $daemon) 2> /dev/null
  wait_while ${DAEMON_TENTHS} runs $daemon || echo "$name: $daemon does not end"
done
echo "${NODE_LEFT} $name"
poweroff -f
`;
}
