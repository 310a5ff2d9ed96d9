import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { run } from './tools.js';

/** What making an empty GFS2 filesystem needs on the host, for `testWith`. */
export const MKFS_GFS2_TOOLS: readonly string[] = ['mkfs.gfs2'];

/** Makes a file with an empty GFS2 filesystem, as mkfs.gfs2 leaves it. */
export function makeGfs2(path: string, bytes: number, ...options: string[]): void {
  rmSync(path, { force: true });
  writeFileSync(path, '');
  truncateSync(path, bytes);
  run('mkfs.gfs2', ['-O', '-q', '-K', '-p', 'lock_nolock', '-t', 'ssi:test', '-J', '8', ...options, path]);
}
