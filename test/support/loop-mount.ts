import { spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { run } from './tools.js';

/** Why a loop mount can't be made here, or undefined when it can. */
export function loopMountFault(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for a loop mount';
  const { status } = spawnSync('losetup', ['-f'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'needs a free loop device';
}

/** Mounts an image (read-only unless told otherwise) while `body` runs, and takes the mount and its loop device away whatever happens. */
export async function withLoopMount(
  image: string,
  mountPoint: string,
  body: () => Promise<void>,
  access: 'ro' | 'rw' = 'ro',
): Promise<void> {
  mkdirSync(mountPoint);
  try {
    run('mount', ['-o', `${access},loop`, image, mountPoint]);
    try {
      await body();
    } finally {
      run('umount', [mountPoint]);
    }
  } finally {
    rmdirSync(mountPoint);
  }
}
