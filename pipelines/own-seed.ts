import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { readableHostError, systemErrorCode } from '../images/bytes/host-error.js';
import { hostError } from '../images/diagnostic.js';
import { makeFolder } from './cache/make-folder.js';

const SEED = /^[0-9a-f]{64}\n$/;

/** Where the secret of a user lies. */
export function ownSeedPath(environment: NodeJS.ProcessEnv = process.env): string {
  const base = environment.XDG_CONFIG_HOME;
  const folder = base !== undefined && base !== '' ? base : join(homedir(), '.config');
  return join(folder, 'ssi-images', 'seed');
}

/**
 * The secret of the user who builds, from which the keys of clusters are derived that have none in their recipe: made
 * once, from chance, and kept where only the user reads it. So no two users' clusters have the same keys, and builds of
 * one user give the same bytes. Throws a DiagnosticError when it can't be read or made.
 */
export function ownSeed(path: string = ownSeedPath()): string {
  const known = readSeed(path);
  if (known !== undefined) return known;
  makeFolder(dirname(path));
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(temporary, `${randomBytes(32).toString('hex')}\n`, {
      flag: 'wx',
      mode: 0o600,
      flush: true,
    });
    try {
      linkSync(temporary, path);
    } catch (cause) {
      // Another build was faster: that one's secret is it.
      if (systemErrorCode(cause) !== 'EEXIST') throw cause;
    }
  } catch (cause) {
    throw readableHostError(cause, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  const made = readSeed(path);
  if (made === undefined) throw hostError('it was removed just now', 'Run it again.', { file: path });
  return made;
}

/** The secret if it was made already: for what only looks. */
export function readSeed(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return undefined;
    throw readableHostError(cause, path);
  }
  if (SEED.test(text)) return text.trimEnd();
  throw hostError(
    'this is not the secret that ssi-images has put here: it should be one line of 64 hexadecimal digits',
    'Put the right one back; or remove it, and new keys are made with the next build.',
    { file: path },
  );
}
