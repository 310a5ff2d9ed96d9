import { randomBytes } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import { identityIn, mayBeAlive, nameOf, type ProcessIdentity, thisProcess } from './process-identity.js';

export interface Lock {
  release(): void;
}

export interface LockOptions {
  readonly signal?: AbortSignal;
  /** Called once, when somebody else holds it and this one begins to wait. */
  readonly onWait?: (holder: ProcessIdentity) => void;
}

/** How often those who wait look again, in milliseconds. */
const POLL_MILLISECONDS = 50;
/** How often a holder shows to other containers that it lives, in milliseconds. */
const HEARTBEAT_MILLISECONDS = 60_000;

/**
 * Takes the lock that the file at `path` stands for, and waits while somebody else has it. A holder that died without
 * releasing it is recognised by process number, start time and boot, and its lock taken over. Throws a
 * DiagnosticError when interrupted or when the folder can't be written.
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  let told = false;
  for (;;) {
    const lock = tryLock(path);
    if ('release' in lock) return lock;
    if (!told) {
      told = true;
      options.onWait?.(lock.holder);
    }
    try {
      await sleep(POLL_MILLISECONDS, undefined, options);
    } catch {
      throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
    }
  }
}

/** Takes the lock if it is free; else tells who holds it. */
export function tryLock(path: string): Lock | { readonly holder: ProcessIdentity } {
  // Each turn of this loop ends with the lock, with a live holder, or with one dead holder less.
  for (;;) {
    if (create(path)) return held(path);
    const holder = holderOf(path);
    if (holder === undefined) continue;
    if (holder !== 'damaged' && mayBeAlive(holder, path)) return { holder };
    const breaking = tryLock(`${path}.break`);
    if (!('release' in breaking)) return breaking;
    try {
      // Only who holds the second lock removes the first, and only if it is still the dead one's.
      const now = holderOf(path);
      if (now === 'damaged' || (now !== undefined && !mayBeAlive(now, path))) rmSync(path, { force: true });
    } finally {
      breaking.release();
    }
  }
}

/** Makes the file with its content at once: nobody ever sees it empty. False when it is there already. */
function create(path: string): boolean {
  const temporary = `${path}.${nameOf(thisProcess)}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(temporary, nameOf(thisProcess), { flag: 'wx' });
    linkSync(temporary, path);
    return true;
  } catch (cause) {
    if (systemErrorCode(cause) === 'EEXIST') return false;
    throw readableHostError(cause, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Removes what dead processes left beside and in the lock at `path`, if nobody holds it. */
export function sweepLock(path: string): void {
  const lock = tryLock(path);
  if ('release' in lock) lock.release();
  const folder = dirname(path);
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(`${basename(path)}.`)) continue;
    const owner = identityIn(name.slice(basename(path).length + 1).split('.')[0] ?? '');
    const file = join(folder, name);
    if (owner !== undefined && !mayBeAlive(owner, file)) rmSync(file, { force: true });
  }
}

function holderOf(path: string): ProcessIdentity | 'damaged' | undefined {
  try {
    return identityIn(readFileSync(path, 'latin1')) ?? 'damaged';
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return undefined;
    throw readableHostError(cause, path);
  }
}

function held(path: string): Lock {
  const heartbeat = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // Whoever removed the file by hand takes the risk.
    }
  }, HEARTBEAT_MILLISECONDS);
  heartbeat.unref();
  return {
    release: () => {
      clearInterval(heartbeat);
      rmSync(path, { force: true });
    },
  };
}
