import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type DiagnosticError, hostError } from '../images/diagnostic.js';

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

/** The same for one that nothing goes without. Throws a DiagnosticError that names the Debian package with it. */
export function requireProgram(name: string, debianPackage: string = name): string {
  const path = findProgram(name);
  if (path === undefined) throw missingProgram(name, debianPackage);
  return path;
}

/** What is said of a program that this host lacks. */
export function missingProgram(name: string, debianPackage: string): DiagnosticError {
  return hostError(`the program ${name} is missing`, `Install it (Debian package ${debianPackage}).`);
}
