import { existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { findProgram } from '../program-folders.js';
import type { StageNeed } from './stage.js';

/** Full path of a program that a stage needs, looked for where the stage does; undefined when this host lacks it. */
export function findNeeded({
  program,
  userPath,
}: Pick<StageNeed & { kind: 'program' }, 'program' | 'userPath'>): string | undefined {
  const found = findProgram(program);
  if (found !== undefined || userPath !== true) return found;
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}
