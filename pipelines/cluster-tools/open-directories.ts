import { chmodSync, lstatSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Longest path of a directory, in bytes: with any name behind it, it still is a path that Linux takes (PATH_MAX,
 * 4096). A rule can nest deeper, by going down step by step, but nobody can name what is there.
 */
export const DIRECTORY_PATH_MAX = 3800;

const SLASH = Buffer.from('/');
const OWNER_ALL = 0o700;

/**
 * Makes sure that a folder can be removed, whatever a make rule did in it: lets this user into all directories below
 * it, and moves those that are too deep for a path to the top. Follows no symbolic links; what belongs to somebody
 * else stays as it is.
 */
export function openDirectories(folder: string): void {
  const pending = [Buffer.from(folder)];
  let moved = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    try {
      const { mode } = lstatSync(next);
      if ((mode & OWNER_ALL) !== OWNER_ALL) chmodSync(next, (mode & 0o7777) | OWNER_ALL);
      if (next.length > DIRECTORY_PATH_MAX) {
        moved += 1;
        const shallow = Buffer.from(join(folder, `deep-${moved}`));
        renameSync(next, shallow);
        next = shallow;
      }
      for (const entry of readdirSync(next, { encoding: 'buffer', withFileTypes: true })) {
        if (entry.isDirectory()) pending.push(Buffer.concat([next, SLASH, entry.name]));
      }
    } catch {
      // Whoever removes the folder is told.
    }
  }
}
