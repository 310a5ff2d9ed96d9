import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';

/**
 * Makes a folder and those above it, where they are missing. Throws a DiagnosticError when that can't be done. (Node's
 * own way never ends where folders can't be made though the one above is there, as in /proc.)
 */
export function makeFolder(path: string): void {
  const missing = [path];
  let isClimbing = true;
  for (let next = missing.at(-1); next !== undefined; next = missing.at(-1)) {
    try {
      mkdirSync(next);
    } catch (cause) {
      const code = systemErrorCode(cause);
      if (code === 'ENOENT' && isClimbing && dirname(next) !== next) {
        missing.push(dirname(next));
        continue;
      }
      const isThere = code === 'EEXIST' && statSync(next, { throwIfNoEntry: false })?.isDirectory() === true;
      if (!isThere) throw readableHostError(cause, next);
    }
    isClimbing = false;
    missing.pop();
  }
}
