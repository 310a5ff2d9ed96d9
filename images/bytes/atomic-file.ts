import { randomBytes } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readableHostError } from './host-error.js';

/**
 * Makes a file appear whole or not at all: `write` gets a temporary path in the same folder, which is renamed to
 * `path` when it returns and removed when it throws (also on an abort, which arrives as an exception). Like cp and
 * mke2fs it does not wait for the disk: after a loss of power the file has to be made again.
 */
export async function writeAtomically(
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    await write(temporary);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw readableHostError(cause, path);
  }
}
