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
    const breaker = breakDeadLock(path);
    if (breaker !== undefined) return { holder: breaker };
  }
}

/**
 * Removes a lock whose holder is dead. Returns who keeps it from being taken: its live holder, or another process that
 * is about to remove it.
 */
function breakDeadLock(path: string): ProcessIdentity | undefined {
  const holder = liveHolderOf(path);
  if (holder !== 'dead') return holder;
  const breaking = tryLock(`${path}.break`);
  if (!('release' in breaking)) return breaking.holder;
  try {
    // Only who holds the second lock removes the first, and only if it is still a dead one's.
    const now = liveHolderOf(path);
    if (now === 'dead') rmSync(path, { force: true });
    return now === 'dead' ? undefined : now;
  } finally {
    breaking.release();
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

/** Removes what dead processes left of the lock at `path`: itself, and the files it is made from and broken with. */
export function sweepLock(path: string): void {
  const name = basename(path);
  sweepFiles(dirname(path), (file) => {
    if (file === name) return true;
    const rest = file.slice(name.length);
    return file.startsWith(name) && (/^(\.break)+$/.test(rest) || makerOf(rest) !== undefined);
  });
}

/** The same for all locks in a folder that holds nothing else. */
export function sweepLocks(folder: string): void {
  sweepFiles(folder, () => true);
}

function sweepFiles(folder: string, isOurs: (name: string) => boolean): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    throw readableHostError(cause, folder);
  }
  for (const name of names.filter(isOurs)) {
    const file = join(folder, name);
    const maker = makerOf(name);
    if (maker === undefined) breakDeadLock(file);
    else if (!mayBeAlive(maker, file)) rmSync(file, { force: true });
  }
}

/** Who made a file to link a lock to, by its name; undefined for a lock itself. */
function makerOf(name: string): ProcessIdentity | undefined {
  return identityIn(name.split('.').at(-2) ?? '');
}

/** Who holds a lock; undefined when there is none (any more); `dead` when its holder is, or was never a process. */
function liveHolderOf(path: string): ProcessIdentity | 'dead' | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return undefined;
    throw readableHostError(cause, path);
  }
  const holder = identityIn(text);
  return holder !== undefined && mayBeAlive(holder, path) ? holder : 'dead';
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
      const holder = liveHolderOf(path);
      // Removed by hand and taken by another process, it is not ours any more.
      if (holder !== undefined && holder !== 'dead' && nameOf(holder) !== nameOf(thisProcess)) return;
      rmSync(path, { force: true });
    },
  };
}
