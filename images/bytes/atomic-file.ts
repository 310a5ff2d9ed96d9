import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readableHostError } from './host-error.js';

/**
 * Makes a file appear whole or not at all: `write` gets a temporary path in the same folder, which is renamed to
 * `path` when it returns and removed when it throws (also on an abort, which arrives as an exception).
 */
export async function writeAtomically(
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    await write(temporary);
    syncPath(temporary);
    renameSync(temporary, path);
    syncPath(folder);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw readableHostError(cause, path);
  }
}

/** Waits until a file or folder is on the disk. */
function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
