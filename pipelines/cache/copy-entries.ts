import { linkSync, rmSync } from 'node:fs';
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
    for (const sha256 of blobsOf(record)) await copyBlob(sha256, from, to, pace);
    await to.addRecord(key, record);
  }
}

async function copyBlob(sha256: string, from: Cache, to: Cache, pace: Pace): Promise<void> {
  const [source, target] = [from.blobPath(sha256), to.finalPath(sha256)];
  try {
    linkSync(source, target);
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return;
    // On another filesystem. It gets its name once it is whole.
    const copy = to.scratch.path('blob');
    try {
      await to.addFile(copy, await copySparse(source, copy, pace));
    } finally {
      rmSync(copy, { force: true });
    }
  }
}
