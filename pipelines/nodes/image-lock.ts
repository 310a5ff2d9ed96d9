import { spawnSync } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { readableHostError } from '../../images/bytes/host-error.js';
import { hostError } from '../../images/diagnostic.js';
import { findProgram, requireProgram } from '../program-folders.js';

/** An image that nobody else may start a cluster on. */
export interface ImageLock {
  /** Whoever has this file descriptor holds the lock too: the nodes get it, so that it lives as long as any of them. */
  readonly descriptor: number;
  release(): void;
}

/** Exit status that flock(1) is told to end with when somebody else has the lock. */
const CONFLICT = 99;

/**
 * Locks an image: for a cluster that writes it, or (`shared`) for reading it while nobody writes. The lock is the
 * kernel's own on the file (flock(2)), whatever name it goes by, and no process that dies leaves it behind. Node can't
 * take it itself; the program flock can, on a descriptor that stays open here.
 *
 * Throws a DiagnosticError when somebody else has it.
 */
export function lockImage(path: string, mode: 'exclusive' | 'shared'): ImageLock {
  const program = requireProgram('flock', 'util-linux');
  let descriptor: number;
  try {
    descriptor = openSync(path, mode === 'exclusive' ? 'r+' : 'r');
  } catch (cause) {
    throw readableHostError(cause, path);
  }
  const option = mode === 'exclusive' ? '--exclusive' : '--shared';
  const { status, stderr } = spawnSync(program, [option, '--nonblock', '-E', `${CONFLICT}`, '3'], {
    stdio: ['ignore', 'ignore', 'pipe', descriptor],
    encoding: 'utf8',
    timeout: 10_000,
  });
  if (status === 0) return { descriptor, release: () => closeSync(descriptor) };
  closeSync(descriptor);
  if (status === CONFLICT)
    throw hostError(
      'a cluster uses it already: two would destroy it',
      'Stop that one first (ssi-status, ssi-stop), or let this one have a working copy of its own.',
      { file: path },
    );
  throw hostError(`it can't be locked: ${stderr.trim() || 'flock failed'}`, undefined, { file: path });
}

/** Whether a cluster writes an image just now, as far as can be told without its lock. */
export function isWritten(path: string): boolean {
  const program = findProgram('flock');
  if (program === undefined || statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  const command = ['--shared', '--nonblock', '-E', `${CONFLICT}`, path, 'true'];
  return spawnSync(program, command, { stdio: 'ignore', timeout: 10_000 }).status === CONFLICT;
}
