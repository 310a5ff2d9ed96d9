import type { ByteString } from '../bytes/byte-string.js';

/** Longest name of a directory entry in bytes (NAME_MAX of Linux and of every format here). */
export const NAME_BYTES_MAX = 255;

/** Longest path this project handles, in bytes; eight times Linux's PATH_MAX. */
export const PATH_BYTES_MAX = 32768;

/** Why `name` can't be the name of a directory entry, or undefined when it can. */
export function faultOfName(name: ByteString): string | undefined {
  if (name === '') return 'an empty name';
  if (name === '.' || name === '..') return `the name "${name}"`;
  if (name.length > NAME_BYTES_MAX) return `a name of ${name.length} bytes (at most ${NAME_BYTES_MAX})`;
  if (name.includes('/')) return 'a name with "/"';
  if (name.includes('\0')) return 'a name with a NUL byte';
  return undefined;
}

/** The components of an absolute or relative path; empty ones and `.` are dropped, `..` is kept. */
export function componentsOf(path: ByteString): ByteString[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
