/**
 * Builds the root of a sandbox in a new mount namespace and runs a command in it: what bubblewrap does, for hosts
 * that have only util-linux. A constant text for `sh -c`; every value is an argument:
 *
 *     NEW-ROOT { KIND FROM TO }… -- COMMAND…
 *
 * KIND is `link` (a symbolic link), `empty` (a new folder in memory), `read-only` or `writable` (a bind mount).
 * `mount -o remount,bind` must repeat the flags that a mount has already: taking one away is forbidden in a user
 * namespace. Mounts below a bind mount are restricted one by one. Without `nodev` a real root could make a device of
 * the host's disk and open it. Parts of /proc steer the kernel, and a real root may write them even without any
 * capability.
 */
export const NEW_ROOT_SCRIPT = `
set -e
new=$1
shift
hostname build
mount --make-rprivate /
mount -t tmpfs -o mode=0755,nosuid,nodev sandbox "$new"
bind() {
  if [ -d "$1" ]; then mkdir -p "$2"; else mkdir -p "\${2%/*}"; : >"$2"; fi
  mount --rbind "$1" "$2"
}
restrict() {
  list=$(findmnt -n -l -o VFS-OPTIONS,TARGET -R "$1")
  while read -r flags target; do
    mount -o "remount,bind,$flags,$2" "$target"
  done <<end
$list
end
}
while [ "$1" != -- ]; do
  kind=$1 from=$2 to=$new$3
  shift 3
  case $kind in
    link) ln -s "$from" "$to" ;;
    empty) mkdir -p "$to"; mount -t tmpfs -o mode=0777,nosuid,nodev sandbox "$to" ;;
    writable) bind "$from" "$to"; restrict "$to" nosuid,nodev ;;
    read-only) bind "$from" "$to"; restrict "$to" nosuid,nodev,ro ;;
  esac
done
shift
for name in null zero full random urandom; do bind "/dev/$name" "$new/dev/$name"; done
ln -s /proc/self/fd "$new/dev/fd"
ln -s fd/0 "$new/dev/stdin"
ln -s fd/1 "$new/dev/stdout"
ln -s fd/2 "$new/dev/stderr"
mkdir "$new/proc" "$new/host"
mount -t proc -o nosuid,nodev,noexec proc "$new/proc"
for name in sys sysrq-trigger irq bus; do
  if [ -e "$new/proc/$name" ]; then
    mount --bind "$new/proc/$name" "$new/proc/$name"
    mount -o remount,bind,ro,nosuid,nodev,noexec "$new/proc/$name"
  fi
done
cd "$new"
pivot_root . host
umount -l /host
rmdir /host
mount -o remount,bind,ro,nosuid,nodev /
cd /
exec "$@"
`;
