import { spawnSync } from 'node:child_process';

/** Why a loop mount can't be made here, or undefined when it can. */
export function loopMountFault(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for a loop mount';
  const { status } = spawnSync('losetup', ['-f'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'needs a free loop device';
}
