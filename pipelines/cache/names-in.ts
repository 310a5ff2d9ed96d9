import { readdirSync } from 'node:fs';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';

/** The names in a folder of the cache; none where the folder was never made. Throws a DiagnosticError. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return [];
    throw readableHostError(cause, folder);
  }
}
