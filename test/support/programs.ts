import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Folders that are not on an ordinary user's PATH but hold the checkers. */
const searchPath = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];

/** The Debian package that brings a tool, for the message of a skipped test. */
const packages: Readonly<Record<string, string>> = {
  'fsck.gfs2': 'gfs2-utils',
  gfs2_convert: 'gfs2-utils',
  gfs2_edit: 'gfs2-utils',
  'mkfs.gfs2': 'gfs2-utils',
  debugfs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  mke2fs: 'e2fsprogs',
  'linux.uml': 'user-mode-linux',
  busybox: 'busybox-static',
  cpio: 'cpio',
  tar: 'tar',
  bzip2: 'bzip2',
  lbzip2: 'lbzip2',
  xz: 'xz-utils',
  zstd: 'zstd',
  fakeroot: 'fakeroot',
  mmdebstrap: 'mmdebstrap',
  setfattr: 'attr',
  getfattr: 'attr',
  getfacl: 'acl',
  setfacl: 'acl',
  bwrap: 'bubblewrap',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  flock: 'util-linux',
  cvs: 'cvs',
  losetup: 'mount',
  objdump: 'binutils',
};

/** Full path of a tool, or undefined when this machine lacks it. */
export function findTool(name: string): string | undefined {
  return searchPath.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Full path of a tool that the running test has declared. */
export function tool(name: string): string {
  const path = findTool(name);
  if (path === undefined) throw new Error(`needs ${toolWithPackage(name)}`);
  return path;
}

/** The tool, with the package that brings it. */
export function toolWithPackage(name: string): string {
  return `${name} (Debian package ${packages[name] ?? name})`;
}

/** Runs a tool to its end and returns what it printed. Throws when it exits with anything but 0. */
export function run(
  name: string,
  args: readonly string[],
  options: { input?: string | Buffer; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): string {
  return execFileSync(tool(name), args, {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    timeout: 1_200_000,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...options,
    env: { ...process.env, LC_ALL: 'C', ...options.env },
  });
}
