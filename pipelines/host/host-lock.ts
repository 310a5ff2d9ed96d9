import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DiagnosticError, hostError } from '../../images/diagnostic.js';
import { acquireLock, type Lock, type LockOptions, sweepLock, tryLock } from '../cache/lock.js';
import { makeFolder } from '../cache/make-folder.js';
import { leftJournals } from './journal.js';
import { describeMade, type Made } from './made.js';
import { undoMade } from './undo.js';

/** Folder of journals and the lock: it outlives a power loss, and all builds of this host share it. */
export function hostStateFolder(): string {
  return process.env.SSI_IMAGES_HOST_STATE ?? '/var/lib/ssi-images/host';
}

const LOCK = 'lock';

/** Takes this host's mount points, loop devices and pool names for one build, and clears up what a dead one left. */
export async function lockHost(
  options: LockOptions & { readonly tools?: string; readonly onCleaned?: (what: string) => void },
): Promise<Lock> {
  const folder = hostStateFolder();
  makeFolder(folder);
  const lock = await acquireLock(join(folder, LOCK), options);
  try {
    for (const made of await cleanLeftovers(folder, options.tools)) options.onCleaned?.(describeMade(made));
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** What builds left that died, for who looks only. */
export function leftovers(): Made[] {
  return leftJournals(hostStateFolder())
    .filter(({ isAlive }) => !isAlive)
    .flatMap(({ standing }) => standing);
}

/**
 * Clears up what dead builds left, without waiting for one that runs. Returns what was taken away, or undefined when
 * a build runs. Throws a DiagnosticError when something can't be taken away.
 */
export async function cleanHost(tools?: string): Promise<readonly Made[] | undefined> {
  const folder = hostStateFolder();
  if (leftJournals(folder).length === 0) return [];
  const lock = tryLock(join(folder, LOCK));
  if (!('release' in lock)) return undefined;
  try {
    return await cleanLeftovers(folder, tools);
  } finally {
    lock.release();
  }
}

/** Only for who has the lock. */
async function cleanLeftovers(folder: string, tools: string | undefined): Promise<Made[]> {
  sweepLock(join(folder, LOCK));
  const cleaned: Made[] = [];
  const faults: string[] = [];
  for (const { path, isAlive, standing } of leftJournals(folder)) {
    if (isAlive) continue;
    let isClear = true;
    for (const made of standing) {
      try {
        await undoMade(made, tools);
        cleaned.push(made);
      } catch (error) {
        if (!(error instanceof DiagnosticError)) throw error;
        isClear = false;
        faults.push(`${describeMade(made)}: ${error.diagnostics[0]?.message ?? ''}`);
      }
    }
    if (isClear) rmSync(path, { force: true });
  }
  if (faults.length > 0) {
    throw hostError(
      `what an earlier build left can't be taken away: ${faults.join('; ')}`,
      'End what uses it, then run "ssi-image doctor --clean".',
    );
  }
  return cleaned;
}
