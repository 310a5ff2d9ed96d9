import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { Cache } from './cache.js';
import { makeFolder } from './make-folder.js';
import { namesIn } from './names-in.js';

/** A file for each pinned entry, named by its key. */
const FOLDER = 'pins';

/** Keys of entries that stay, whatever the limits are. */
export function pinnedKeys(cache: Cache): Set<string> {
  return new Set(namesIn(join(cache.folder, FOLDER)));
}

/** Throws a DiagnosticError when the cache can't be written. */
export function setPinned(cache: Cache, key: string, isPinned: boolean): void {
  const path = join(cache.folder, FOLDER, key);
  try {
    if (isPinned) {
      makeFolder(join(cache.folder, FOLDER));
      writeFileSync(path, '');
    } else {
      rmSync(path, { force: true });
    }
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}
