import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Stand-ins for what no Linux of today has: OpenGFS's tools and its filesystem in the kernel. `ptool`, `gfsconf` and
 * `mkfs_gfs` are this project's own verbs; `passemble` is recorded and makes links for the pool devices; `mount -t gfs`
 * mounts nothing and says so: what is put into the folder meanwhile goes into the image at `umount`. All of them write
 * their arguments to `calls`.
 */
export function writeStandIns(folder: string, program: string): void {
  mkdirSync(folder);
  const ssiImage = `"${process.execPath}" "${program}"`;
  const record = `#!/bin/sh\nset -eu\necho "\${0##*/} $*" >>"${join(folder, 'calls')}"\n`;
  const pending = join(folder, 'mounted');
  const scripts: Record<string, string> = {
    ptool: `exec ${ssiImage} ptool "$@"`,
    gfsconf: `exec ${ssiImage} gfsconf "$@"`,
    mkfs_gfs: `exec ${ssiImage} mkfs_gfs "$@"`,
    passemble: `
if [ "\${1-}" = -r ]; then rm -rf /dev/pool; exit; fi
mkdir /dev/pool
for file in pool*.cf; do
  ln -s "$(sed -n 's/^pooldevice 0 0 \\([^ ]*\\) .*/\\1/p' "$file")" /dev/pool/"\${file%.cf}"
done`,
    mount: `
if [ "\${2-}" != gfs ]; then exec /usr/bin/mount "$@"; fi
echo "stand-in: nothing is mounted at $6, its content goes to $5 at umount"
echo "$5" >"${pending}"`,
    umount: `
if [ ! -e "${pending}" ] || [ "$1" = "$1.ext2" ] || /usr/bin/mountpoint -q "$1"; then exec /usr/bin/umount "$@"; fi
${ssiImage} copy-in "$1" "$(cat "${pending}")"
rm "${pending}"
find "$1" -mindepth 1 -delete`,
  };
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `${record}${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
}
