import { readBytes } from '../../bytes/byte-source.js';
import type { Pace } from '../../bytes/pace.js';
import { Allocator } from '../allocator.js';
import { type CommitBlock, commit, type Device } from '../commit.js';
import { faultOfHeader } from '../metadata-header.js';
import { checkGfs2 } from './check/check.js';
import { Gfs2Image } from './image.js';
import { findJournalHead, LOG_HEADER_UNMOUNT } from './journal.js';
import { readStatfs, type StatfsRecord, statfsBlock } from './statfs.js';

/** What was put right. */
export interface Settled {
  /** Blocks that had been taken for an inode, and hold none. */
  readonly freed: number;
  /** Whether the sum was off that statfs(2) tells. */
  readonly statfs: boolean;
}

const NOTHING: StatfsRecord = { total: 0, free: 0, dinodes: 0 };
const HINT = 'fsck.gfs2 -y puts it in order; no file has come to harm.';
/** A crash leaves one or two: where there are more faults something else is wrong. */
const FAULTS_MAX = 16;

/**
 * Puts right what a node's crash leaves in a filesystem, and no replay of its journal does. For a filesystem that nobody
 * has mounted.
 *
 * - A kernel takes the block of a new inode in one transaction, and writes the inode in the next one. A node that dies in
 *   between leaves a block that counts as an inode, and nothing refers to it. (`afterCrash`: to find it is a check of
 *   the whole filesystem.) It is freed only where that check finds nothing else, and where no inode is in the block.
 * - A kernel that replays a journal adds what the dead node had counted to the sum of all without the lock of that sum,
 *   which can be off by some blocks from then on.
 *
 * Nothing is done while a journal waits to be replayed: what it holds may change all of this. Throws a DiagnosticError
 * when the filesystem is damaged, or can't be written.
 */
export async function settleGfs2(device: Device, afterCrash: boolean, pace: Pace): Promise<Settled> {
  const image = new Gfs2Image(device.source);
  const { statfs, journals, nodes } = image.systemFiles;
  for (const journal of journals) {
    const head = await findJournalHead(image, journal, pace);
    if (head === undefined || (head.header.flags & LOG_HEADER_UNMOUNT) === 0)
      return { freed: 0, statfs: false };
  }
  const groups = new Allocator(image);
  const suspects = afterCrash ? await lostBlocks(device, image, pace) : [];
  const lost = suspects.filter((block) => groups.freeDinode(block));
  const found = {
    total: groups.usedBlocks + groups.freeBlocks,
    free: groups.freeBlocks,
    dinodes: groups.usedDinodes,
  };
  const wanted: [number, StatfsRecord][] = [
    [statfs, found],
    ...nodes.map(({ statfsChange }): [number, StatfsRecord] => [statfsChange, NOTHING]),
  ];
  const sums = wanted.flatMap(([address, record]): CommitBlock[] =>
    isEqual(readStatfs(image, address), record)
      ? []
      : [{ address, bytes: statfsBlock(image, address, record) }],
  );
  const blocks = [...sums, ...groups.groupsToWrite()];
  if (blocks.length > 0) commit(device, image.geometry.blockSize, blocks, HINT);
  return { freed: lost.length, statfs: sums.length > 0 && lost.length === 0 };
}

/** Blocks that are in use, hold no inode, and nothing refers to; none where there is anything else wrong. */
async function lostBlocks({ source }: Device, image: Gfs2Image, pace: Pace): Promise<number[]> {
  const { faults, truncated } = await checkGfs2(source, { pace, limit: FAULTS_MAX });
  const { blockSize } = image.geometry;
  const lost: number[] = [];
  for (const { rule, block } of faults) {
    if (rule === 'statfs-value') continue;
    if (rule !== 'block-leak' || block === undefined) return [];
    if (faultOfHeader(readBytes(source, block * blockSize, blockSize), 'dinode') === undefined) return [];
    lost.push(block);
  }
  return truncated ? [] : lost;
}

function isEqual(one: StatfsRecord, other: StatfsRecord): boolean {
  return one.total === other.total && one.free === other.free && one.dinodes === other.dinodes;
}
