import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where programs are looked for: the same folders for everyone, so that nobody's own PATH changes the result. */
export const PROGRAM_FOLDERS = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
] as const;

/** Full path of a program, or undefined when this host lacks it. */
export function findProgram(name: string): string | undefined {
  return PROGRAM_FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
