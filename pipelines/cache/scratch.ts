import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import { identityIn, mayBeAlive, nameOf, thisProcess } from './process-identity.js';

/** Folders and files for work at hand, named by the process that owns them: what the dead left, others remove. */
export class Scratch {
  constructor(readonly folder: string) {}

  /** A path that nobody else uses; nothing is made there. */
  path(purpose: string): string {
    return join(this.folder, `${nameOf(thisProcess)}.${purpose}.${randomBytes(4).toString('hex')}`);
  }

  /** A new empty folder. */
  makeFolder(purpose: string): string {
    const path = this.path(purpose);
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (cause) {
      throw readableHostError(cause, path);
    }
    return path;
  }

  /** Removes what processes left that are no more. */
  sweep(): void {
    for (const name of readdirSync(this.folder)) {
      const owner = identityIn(name.split('.')[0] ?? '');
      const path = join(this.folder, name);
      if (owner !== undefined && !mayBeAlive(owner, path)) removeAll(path);
    }
  }
}

/** Removes a file or folder with everything below it, also folders that a build made unreadable. */
export function removeAll(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 2 });
  } catch (cause) {
    if (systemErrorCode(cause) !== 'EACCES' && systemErrorCode(cause) !== 'EPERM')
      throw readableHostError(cause, path);
    makeRemovable(path);
    rmSync(path, { recursive: true, force: true });
  }
}

/** Gives its owner all rights to each folder, so that what lies in it can be removed. */
function makeRemovable(path: string): void {
  const pending = [path];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (!lstatSync(next).isDirectory()) continue;
    chmodSync(next, 0o700);
    for (const name of readdirSync(next)) pending.push(join(next, name));
  }
}
