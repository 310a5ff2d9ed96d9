import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { kernelForProcessor } from '../../pipelines/nodes/kernel-for-processor.js';
import { RESULT_MARKER, writeInitramfs } from '../support/initramfs.js';
import { tool } from '../support/programs.js';
import type { Places } from './builds.js';
import type { Contestant } from './measure.js';

/** As the recipe `debian` has it. */
const MKFS = 'mkfs.gfs2 -q -O -K -p lock_dlm -t ssi:root -j 3 -J 8';

/** Filling a GFS2 image from a tar, by us and by a kernel that has the filesystem. */
export function gfs2Contestants({ root, work }: Places, tar: string): Contestant[] {
  const folder = join(work, 'gfs2');
  mkdirSync(folder, { recursive: true });
  const [image, initramfs] = [join(folder, 'image'), join(folder, 'initramfs')];
  writeInitramfs(initramfs, {
    programs: ['tar'],
    modules: ['gfs2'],
    script: `set -e
mount -t gfs2 -o lockproto=lock_nolock,noatime,nodiratime,acl /dev/ubda /mnt
/bin/tar -x -f /dev/ubdb -C /mnt --numeric-owner --same-owner -p --xattrs --xattrs-include='*'
umount /mnt
`,
  });
  const kernel = kernelForProcessor(tool('linux.uml'), join(folder, 'linux.uml'));
  const empty = `set -e; export PATH=$PATH:/usr/sbin; truncate -s 2G ${image}; ${MKFS} ${image} > /dev/null`;
  const guest = [
    `cd ${folder}; HOME=${folder} ${existsSync('/dev/shm') ? 'TMPDIR=/dev/shm' : ''} ${kernel} mem=512M initrd=${initramfs}`,
    `rdinit=/init quiet con=null con0=null,fd:1 uml_dir=${folder} umid=guest ubd0=${image} ubd1r=${tar}`,
    `< /dev/null | cat | grep -q '^${RESULT_MARKER} 0'`,
  ].join(' ');
  const script = join(root, 'dist', 'scripts', 'ssi-image.js');
  const fill = `${process.execPath} ${script} copy-in ${tar} ${image}`;
  const prepare = (): void => rmSync(image, { force: true });
  return [
    {
      name: '`mkfs.gfs2`, mounted in User-Mode Linux, `tar -x`',
      command: ['bash', '-c', `${empty}; ${guest}`],
      prepare,
    },
    {
      name: '`mkfs.gfs2` and `copy-in` of the same tar',
      command: ['bash', '-c', `${empty}; ${fill}`],
      prepare,
    },
  ];
}

/** The recipe `debian`, nothing cached but the state of the archive, and mmdebstrap alone with the same packages. */
export function debianContestants({ root, work, isRoot }: Places): Contestant[] {
  const [cache, out, tar] = [join(work, 'debian-cache'), join(work, 'debian-out'), join(work, 'debian.tar')];
  const script = join(root, 'dist', 'scripts', 'ssi-image.js');
  const words = [
    'mmdebstrap --quiet --variant=minbase --components=main --format=tar',
    `--mode=${isRoot ? 'root' : 'unshare'}`,
    ...PACKAGES.map((name) => `--include=${name}`),
    ...['doc', 'info', 'locale', 'man'].map((name) => `'--dpkgopt=path-exclude=/usr/share/${name}/*'`),
    `bookworm ${tar} http://deb.debian.org/debian`,
  ];
  const remove = (): void => {
    for (const path of [cache, out, tar]) rmSync(path, { recursive: true, force: true });
  };
  return [
    { name: '`mmdebstrap` alone', command: ['bash', '-c', words.join(' ')], prepare: remove },
    {
      name: '`build debian`, nothing cached',
      command: [
        ...[process.execPath, script, 'build', 'debian', '--cache-dir', cache, '--out', out],
        ...['--set', 'ssh.seed=no secret: for benchmarks'],
      ] as [string, ...string[]],
      prepare: remove,
    },
  ];
}

/** Those of recipes/debian.yaml. */
const PACKAGES: readonly string[] = [
  ...['sysvinit-core', 'procps', 'netbase', 'corosync', 'dlm-controld', 'gfs2-utils', 'user-mode-linux'],
  ...['busybox-static', 'dropbear-bin'],
];
