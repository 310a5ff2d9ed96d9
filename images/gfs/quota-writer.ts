import type { BlockRun } from '../tree/block-runs.js';
import { capacityOf, countTreeBlocks, heightFor, payloadBytes } from './block-tree.js';
import { BlockTreeWriter, type MetadataBlocks } from './block-tree-writer.js';
import { DINODE_BYTES, QUOTA_RECORD_BYTES } from './constants.js';
import type { Geometry } from './geometry.js';
import { writeMetadataHeader } from './metadata-header.js';
import { encodeQuotaRecord } from './quota.js';

/** What of the quota file differs between the dialects. */
export interface QuotaFormat {
  /** Whether its blocks carry a metadata header. */
  readonly journaled: boolean;
  /** Ids above this get no record. */
  readonly idMax: number;
}

/**
 * Ids above this get no quota record. The file is indexed by id, so one file of user 4,294,967,294 would make it
 * 700 GiB long: sparse, but tools that walk it record by record (gfs2_convert does) would take hours. Ids of the
 * period had 16 bits. A mounted filesystem adds records as they are needed (§8).
 */
export const QUOTA_ID_MAX = 65535;

export const OPENGFS_QUOTA: QuotaFormat = { journaled: true, idMax: QUOTA_ID_MAX };

/** Blocks in use by user or group id. */
export type Usage = ReadonlyMap<number, number>;

/** Size and shape of the quota file for these owners. */
export interface QuotaShape {
  readonly size: number;
  readonly height: number;
  /** Blocks besides the dinode. */
  readonly blocks: number;
}

/** Record numbers of the ids that get one, ascending (§3.13). */
function recordNumbers({ idMax }: QuotaFormat, users: Iterable<number>, groups: Iterable<number>): number[] {
  const numbers = new Set([0, 1]);
  for (const uid of users) if (uid <= idMax) numbers.add(2 * uid);
  for (const gid of groups) if (gid <= idMax) numbers.add(2 * gid + 1);
  return [...numbers].sort((a, b) => a - b);
}

/** What the quota file will take, before the usage is known in full: it depends only on which ids there are. */
export function quotaShape(
  geometry: Geometry,
  format: QuotaFormat,
  users: Iterable<number>,
  groups: Iterable<number>,
): QuotaShape {
  const { journaled } = format;
  const numbers = recordNumbers(format, users, groups);
  const size = (numbers.at(-1)! + 1) * QUOTA_RECORD_BYTES;
  if (size < capacityOf(geometry, 0, journaled)) return { size, height: 0, blocks: 0 };
  // The largest file, of an id of 32 bits, has 756 GB and fits at any block size.
  const height = heightFor(geometry, size, journaled, 1) ?? 1;
  const runs = runsOf(payloadBytes(geometry, journaled), numbers);
  return { size, height, blocks: countTreeBlocks(geometry, height, runs) };
}

/** Logical blocks that hold at least one of the records; a record may lie across two. */
function* runsOf(payload: number, numbers: readonly number[]): Generator<BlockRun> {
  let next = 0;
  for (const number of numbers) {
    const first = Math.max(next, Math.floor((number * QUOTA_RECORD_BYTES) / payload));
    const last = Math.floor(((number + 1) * QUOTA_RECORD_BYTES - 1) / payload);
    if (last < first) continue;
    yield { logical: first, count: last - first + 1 };
    next = last + 1;
  }
}

/** Writes the records, behind the dinode or in blocks of their own. `dinodeBlock` gets what follows the dinode. */
export function writeQuota(
  geometry: Geometry,
  format: QuotaFormat,
  shape: QuotaShape,
  users: Usage,
  groups: Usage,
  dinodeBlock: Buffer,
  blocks: MetadataBlocks,
): void {
  const numbers = recordNumbers(format, users.keys(), groups.keys());
  const record = (number: number): Buffer => {
    const usage = number % 2 === 0 ? users : groups;
    return encodeQuotaRecord({ limit: 0, warn: 0, value: usage.get(Math.floor(number / 2)) ?? 0 });
  };
  dinodeBlock.fill(0, DINODE_BYTES);
  if (shape.height === 0) {
    for (const number of numbers)
      record(number).copy(dinodeBlock, DINODE_BYTES + number * QUOTA_RECORD_BYTES);
    return;
  }
  const { blockSize } = geometry;
  const payload = payloadBytes(geometry, format.journaled);
  const tree = new BlockTreeWriter(geometry, shape.height, dinodeBlock, blocks);
  let used = 0;
  for (const { logical, count } of runsOf(payload, numbers)) {
    for (let block = logical; block < logical + count; block++) {
      tree.prepare(block);
      const address = blocks.allocateMetadata();
      tree.set(block, address, 1);
      const bytes = Buffer.alloc(blockSize);
      if (format.journaled) writeMetadataHeader(bytes, 'journaledData');
      const start = block * payload;
      while (used > 0 && (numbers[used - 1]! + 1) * QUOTA_RECORD_BYTES > start) used -= 1;
      for (; used < numbers.length && numbers[used]! * QUOTA_RECORD_BYTES < start + payload; used++) {
        const offset = numbers[used]! * QUOTA_RECORD_BYTES - start;
        const skip = Math.max(0, -offset);
        record(numbers[used]!).copy(bytes, blockSize - payload + offset + skip, skip);
      }
      blocks.writeBlock(address, bytes);
    }
  }
  tree.finish();
}
