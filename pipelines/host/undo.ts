import { readdirSync, rmdirSync } from 'node:fs';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import { hostError } from '../../images/diagnostic.js';
import { hostOutput } from './host-command.js';
import { loopDevices, releaseLoops, showsFile } from './loop-devices.js';
import type { Made } from './made.js';
import { mounts, unmount } from './mounts.js';

/** Where pool devices appear (HOWTO 5.2). */
export const POOL_FOLDER = '/dev/pool';

/**
 * Takes away what was made, if it is there and still is what was written down: a mount of that device at that place,
 * a loop device over that file, an empty folder. Does nothing when it is gone already, or was never made.
 *
 * Throws a DiagnosticError when it is there and can't be taken away.
 */
export async function undoMade(made: Made, tools?: string): Promise<void> {
  switch (made.kind) {
    case 'folder':
      return removeEmpty(made.path);
    case 'loop':
      await releaseLoops(made.image);
      return;
    case 'mount':
      return undoMount(made);
    case 'pools':
      return undoPools(made, tools);
  }
}

async function undoMount({ target, of }: Extract<Made, { kind: 'mount' }>): Promise<void> {
  // One at a time from the top: somebody may have mounted over it, or it over itself.
  for (;;) {
    const top = mounts()
      .filter((mount) => mount.target === target)
      .at(-1);
    if (top === undefined) break;
    const numbers =
      'number' in of
        ? [of.number]
        : (await loopDevices()).filter((device) => showsFile(device, of.image)).map(({ number }) => number);
    if (!numbers.includes(top.number)) {
      const isBelow = mounts().some((mount) => mount.target === target && numbers.includes(mount.number));
      if (!isBelow) break;
      throw hostError(
        `something else is mounted over ${target}`,
        'Unmount that, then run "ssi-image doctor --clean".',
      );
    }
    await unmount(target);
  }
  // `mount -o loop` lets go of its loop device by itself, unless it was killed in between.
  if ('image' in of) await releaseLoops(of.image);
}

/** Only when no other pools are there: `passemble -r all` takes all. */
async function undoPools({ names }: Extract<Made, { kind: 'pools' }>, tools?: string): Promise<void> {
  const there = poolNames();
  if (there.length === 0 || there.some((name) => !names.includes(name))) return;
  await hostOutput(['passemble', '-r', 'all'], tools);
}

/** Names of the pools that this host has assembled. */
export function poolNames(): string[] {
  try {
    return readdirSync(POOL_FOLDER);
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return [];
    throw readableHostError(cause, POOL_FOLDER);
  }
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (cause) {
    const code = systemErrorCode(cause);
    // What somebody has put there since is theirs.
    if (code === 'ENOENT' || code === 'ENOTEMPTY' || code === 'ENOTDIR' || code === 'EBUSY') return;
    throw readableHostError(cause, path);
  }
}
