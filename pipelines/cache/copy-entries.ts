import { linkSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemErrorCode } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { copySparse } from '../../images/bytes/sparse-copy.js';
import type { Cache } from './cache.js';
import { blobsOf } from './record.js';

/** Puts entries of one cache into another, without copying the bytes where that can be. */
export async function copyEntries(
  from: Cache,
  to: Cache,
  keys: readonly string[],
  pace: Pace,
): Promise<void> {
  for (const key of keys) {
    const record = from.record(key);
    if (record === undefined) continue;
    for (const sha256 of blobsOf(record)) await copyBlob(from.blobPath(sha256), to.blobPath(sha256), pace);
    await to.addRecord(key, record);
  }
}

async function copyBlob(from: string, to: string, pace: Pace): Promise<void> {
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return;
    await copySparse(from, to, pace);
  }
}
