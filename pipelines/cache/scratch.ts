import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import { identityIn, mayBeAlive, nameOf, thisProcess } from './process-identity.js';

/** How often its owner shows to other containers that it lives, in milliseconds. */
const HEARTBEAT_MILLISECONDS = 60_000;

/** Folders and files for work at hand, named by the process that owns them: what the dead left, others remove. */
export class Scratch {
  private heartbeat: NodeJS.Timeout | undefined;

  constructor(readonly folder: string) {}

  /** A path that nobody else uses; nothing is made there. */
  path(purpose: string): string {
    this.heartbeat ??= setInterval(() => this.touch(), HEARTBEAT_MILLISECONDS).unref();
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
    for (const name of this.names()) {
      const owner = identityIn(name.split('.')[0] ?? '');
      const path = join(this.folder, name);
      if (owner !== undefined && !mayBeAlive(owner, path)) removeAll(path);
    }
  }

  /** Who can't see this process takes what was not touched for long for a dead one's. Ends when there is nothing. */
  private touch(): void {
    const now = new Date();
    const own = `${nameOf(thisProcess)}.`;
    const names = existsSync(this.folder) ? this.names().filter((name) => name.startsWith(own)) : [];
    let touched = 0;
    for (const name of names) {
      try {
        utimesSync(join(this.folder, name), now, now);
        touched += 1;
      } catch {
        // It was done just now.
      }
    }
    if (touched > 0) return;
    clearInterval(this.heartbeat);
    this.heartbeat = undefined;
  }

  private names(): string[] {
    try {
      return readdirSync(this.folder);
    } catch (cause) {
      throw readableHostError(cause, this.folder);
    }
  }
}

/** Removes a file or folder with everything below it, also folders that a build made unreadable. */
export function removeAll(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 2 });
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code !== 'EACCES' && code !== 'EPERM') throw readableHostError(cause, path);
    makeRemovable(path);
    try {
      rmSync(path, { recursive: true, force: true });
    } catch (again) {
      throw readableHostError(again, path);
    }
  }
}

/** The same, done by another process while this one goes on: a staging root has thousands of names. */
export async function removeAllAside(path: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const child = spawn('rm', ['-rf', '--', path], { stdio: 'ignore' });
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  // What it could not remove, or without it.
  removeAll(path);
}

/** Gives its owner all rights to each folder, so that what lies in it can be removed; as far as that goes. */
function makeRemovable(path: string): void {
  // Names need not be UTF-8.
  const pending = [Buffer.from(path)];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    try {
      if (!lstatSync(next).isDirectory()) continue;
      chmodSync(next, 0o700);
      for (const name of readdirSync(next, { encoding: 'buffer' }))
        pending.push(Buffer.concat([next, Buffer.from('/'), name]));
    } catch {
      // Another process removes it too, or it is somebody else's: the second try tells.
    }
  }
}
