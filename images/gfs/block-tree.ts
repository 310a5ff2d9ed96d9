import type { BlockRun } from '../tree/block-runs.js';
import { HEIGHT_MAX } from './constants.js';
import type { Geometry } from './geometry.js';

/**
 * Bytes that a file of this height can hold (§4): stuffed data at height 0, else what the pointers reach. Journaled
 * files lose a header in each block. Infinity beyond what a number holds exactly.
 */
export function capacityOf(geometry: Geometry, height: number, journaled: boolean): number {
  if (height === 0) return geometry.stuffedBytes;
  const payload = payloadBytes(geometry, journaled);
  const capacity = payload * geometry.dinodePointers * geometry.indirectPointers ** (height - 1);
  return Number.isSafeInteger(capacity) ? capacity : Number.POSITIVE_INFINITY;
}

/** File bytes in each data block. */
export function payloadBytes(geometry: Geometry, journaled: boolean): number {
  return journaled ? geometry.journaledBytes : geometry.blockSize;
}

/** Least height, from `minimum` on, that holds `size` bytes. Undefined when none does (§4: at most 10). */
export function heightFor(
  geometry: Geometry,
  size: number,
  journaled: boolean,
  minimum = 0,
): number | undefined {
  for (let height = minimum; height <= HEIGHT_MAX; height++) {
    if (capacityOf(geometry, height, journaled) >= size) return height;
  }
  return undefined;
}

/** Data blocks below one pointer of an indirect block `level` steps above the data (level 0: the data block itself). */
export function blocksBelow(geometry: Geometry, level: number): number {
  return geometry.indirectPointers ** level;
}

/** Data and indirect blocks that a file of this height needs for ascending runs of data. */
export function countTreeBlocks(geometry: Geometry, height: number, runs: Iterable<BlockRun>): number {
  let total = 0;
  // For each level of indirect blocks, the last one counted.
  const lastCounted = new Array<number>(Math.max(0, height - 1)).fill(-1);
  for (const { logical, count } of runs) {
    total += count;
    for (let level = 1; level < height; level++) {
      const span = blocksBelow(geometry, level);
      const first = Math.max(Math.floor(logical / span), lastCounted[level - 1]! + 1);
      const last = Math.floor((logical + count - 1) / span);
      if (last >= first) {
        total += last - first + 1;
        lastCounted[level - 1] = last;
      }
    }
  }
  return total;
}
