import { type BigIntStats, chmodSync, closeSync, openSync, readSync } from 'node:fs';
import type { Pace } from '../../images/bytes/pace.js';
import { isZero } from '../../images/bytes/zeros.js';
import type { LaidOut } from './staging-root.js';

const PIECE_BYTES = 1024 * 1024;
const OWNER_READS = 0o400n;

/**
 * What became of a placeholder's content: `untouched` (it still stands for the base's), `replaced` (the rule wrote
 * the file anew), or `unclear`: the rule added to bytes that were not there.
 */
export type PlaceholderFate = 'untouched' | 'replaced' | 'unclear';

/** Judges a placeholder by its bytes: those of the base are not zeros, and it had nothing else. */
export async function fateOf(
  laidOut: LaidOut,
  host: Buffer,
  status: BigIntStats,
  pace: Pace,
): Promise<PlaceholderFate> {
  const size = Number(status.size);
  if (status.ctimeNs === laidOut.ctimeNs) return 'untouched';
  if (size === 0) return laidOut.size === 0 ? 'untouched' : 'replaced';
  if (laidOut.size === 0) return 'replaced';
  makeReadable(host, status);
  if (size === laidOut.size && (await isHole(host, size, status, pace))) return 'untouched';
  return startsWithZeros(host, Math.min(size, laidOut.size)) ? 'unclear' : 'replaced';
}

/** Whether a file has nothing but zeros. */
export async function isHole(host: Buffer, size: number, status: BigIntStats, pace: Pace): Promise<boolean> {
  if (status.blocks === 0n && size > 4096) return true;
  const descriptor = openSync(host, 'r');
  try {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, size));
    for (let offset = 0; offset < size; ) {
      const count = readSync(descriptor, buffer, 0, buffer.length, offset);
      if (count === 0 || !isZero(buffer, 0, count)) return false;
      offset += count;
      if (pace.due()) await pace.breathe();
    }
    return true;
  } finally {
    closeSync(descriptor);
  }
}

/** So many bytes at the start of a file tell whether somebody wrote it from there. */
const START_BYTES = 512;

function startsWithZeros(host: Buffer, size: number): boolean {
  const descriptor = openSync(host, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(START_BYTES, size));
    readSync(descriptor, buffer, 0, buffer.length, 0);
    return isZero(buffer);
  } finally {
    closeSync(descriptor);
  }
}

/** Lets its owner, who runs this, read a file whatever the mode is that the rule gave it. */
export function makeReadable(host: Buffer, status: BigIntStats): void {
  if ((status.mode & OWNER_READS) !== 0n) return;
  chmodSync(host, Number((status.mode & 0o777n) | OWNER_READS));
}
