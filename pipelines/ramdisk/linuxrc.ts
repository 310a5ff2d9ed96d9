import { INIT_SETTINGS, NODE_FAILED } from './node-init.js';

/** The console of the lock server shows a line that begins with this when memexpd runs. */
export const LOCK_SERVER_READY = 'LOCK-SERVER-READY';

/**
 * What both scripts begin with. They run in the shells of the time of Linux 2.4, and call no program for what the shell
 * can do. Names of programs come from `/etc/ramdisk.conf`: each root has them elsewhere.
 */
const BEGINNING = `
PATH=/sbin:/bin:/usr/sbin:/usr/bin
export PATH
. ${INIT_SETTINGS}
if [ -n "$library_path" ]; then
  LD_LIBRARY_PATH=$library_path
  export LD_LIBRARY_PATH
fi
number=
ip=
rescue=

say() {
  echo "linuxrc: $*"
}

# Linux gives up when this ends without a root.
fail() {
  say "failed: $*"
  echo "${NODE_FAILED} $name: $*"
  [ -z "$rescue" ] || $sh < /dev/console > /dev/console 2>&1
  exit 1
}

read_command_line() {
  $mount -t proc proc /proc || fail "mount /proc"
  read line < /proc/cmdline
  set -f
  for word in $line; do
    case $word in
      node=*) number=\${word#node=} ;;
      ip=*) ip=\${word#ip=} ;;
      rescue) rescue=yes ;;
    esac
  done
  set +f
}

# ip=ADDRESS:SERVER:GATEWAY:NETMASK:NAME:INTERFACE, as Linux knows it for a root on NFS, goes before everything else.
read_ip() {
  separators=$IFS
  IFS=:
  set -- $ip
  IFS=$separators
  address=\${1:-$address}
  netmask=\${4:-$netmask}
  interface=\${6:-$interface}
}

start_network() {
  [ -z "$ip" ] || read_ip
  [ -n "$address" ] || fail "no address: neither node=N nor ip=ADDRESS on the kernel's command line"
  $ifconfig lo 127.0.0.1 up
  $ifconfig "$interface" "$address" netmask "$netmask" up || fail "the network interface $interface"
  say "network up: $interface $address"
}

load_modules() {
  while read module; do
    $insmod "/modules/$module" < /dev/null || fail "insmod $module"
  done < /modules/load
}
`;

/**
 * The first program of a node (HOWTO 4.8): modules, network, the pools, the shared root, pivot_root. It does as Linux
 * wants it, both as `/linuxrc`, after which the kernel starts init itself, and as process 1 (root=/dev/ram0
 * init=/linuxrc), which has to become init (Documentation/initrd.txt of Linux 2.4).
 */
export function nodeLinuxrc(): string {
  return `#!/bin/sh
# Mounts the shared root and makes it the root.
#
# The kernel's command line says:
#   node=N     number of this node: its address is the one of /etc/nodes
#   ip=...     another address: ADDRESS:SERVER:GATEWAY:NETMASK:NAME:INTERFACE
#   rescue     a shell when something fails
name=node
${BEGINNING}
find_address() {
  [ -n "$number" ] || return
  while read this address name; do
    [ "$this" != "$number" ] || return
  done < /etc/nodes
  fail "the cluster has no node $number"
}

mount_root() {
  $passemble || fail "passemble"
  $mount -t gfs -o "hostdata=$address" "$root_device" /sysroot || fail "mount $root_device"
  say "root mounted"
}

make_it_the_root() {
  # The ramdisk itself: the kernel is not to mount another root.
  [ $$ = 1 ] || echo 0x0100 > /proc/sys/kernel/real-root-dev
  cd /sysroot || fail "the root"
  [ -d initrd ] || $mkdir initrd || fail "mkdir /initrd"
  $umount /proc
  say "handing over to init"
  $pivot_root . initrd || fail "pivot_root"
  [ $$ = 1 ] || exit 0
  unset LD_LIBRARY_PATH
  exec $chroot . "$init" "$@" < dev/console > dev/console 2>&1
}

read_command_line
find_address
say "$name starts"
load_modules
start_network
mount_root
make_it_the_root "$@"
`;
}

/** The first and only program of the lock server, which is no node: it starts memexpd and stays. */
export function lockServerLinuxrc(): string {
  return `#!/bin/sh
# Starts the lock server of the cluster.
#
# The kernel's command line says:
#   ip=...     another address: ADDRESS:SERVER:GATEWAY:NETMASK:NAME:INTERFACE
#   rescue     a shell when something fails
name='lock server'
${BEGINNING}
read_command_line
say "$name starts"
load_modules
start_network
$memexpd $memexpd_arguments || fail "memexpd"
echo "${LOCK_SERVER_READY} $address"
while :; do $sleep 3600; done
`;
}
