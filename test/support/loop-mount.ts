import { mkdirSync, rmdirSync } from 'node:fs';
import { run } from './tools.js';

export { loopMountFault } from './loop-fault.js';

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
