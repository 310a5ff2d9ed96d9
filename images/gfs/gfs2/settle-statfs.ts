import type { Pace } from '../../bytes/pace.js';
import { Allocator } from '../allocator.js';
import { type CommitBlock, commit, type Device } from '../commit.js';
import { Gfs2Image } from './image.js';
import { findJournalHead, LOG_HEADER_UNMOUNT } from './journal.js';
import { readStatfs, type StatfsRecord, statfsBlock } from './statfs.js';

const NOTHING: StatfsRecord = { total: 0, free: 0, dinodes: 0 };
const HINT = 'fsck.gfs2 -y puts the sum in order that df shows; nothing else depends on it.';

/**
 * Makes what statfs(2) tells agree with the resource groups, on a filesystem that nobody has mounted. A kernel that
 * replays a dead node's journal adds what that node had counted to the sum of all without the lock of that sum, so that
 * it can be off by some blocks from then on; fsck.gfs2 reports that.
 *
 * Nothing is done while a journal waits to be replayed: what it holds may change the groups. True when something was
 * changed. Throws a DiagnosticError when the filesystem is damaged, or can't be written.
 */
export async function settleStatfs(device: Device, pace: Pace): Promise<boolean> {
  const image = new Gfs2Image(device.source);
  const { statfs, journals, nodes } = image.systemFiles;
  for (const journal of journals) {
    const head = await findJournalHead(image, journal, pace);
    if (head === undefined || (head.header.flags & LOG_HEADER_UNMOUNT) === 0) return false;
  }
  const groups = new Allocator(image);
  const found = {
    total: groups.usedBlocks + groups.freeBlocks,
    free: groups.freeBlocks,
    dinodes: groups.usedDinodes,
  };
  const wanted: [number, StatfsRecord][] = [
    [statfs, found],
    ...nodes.map(({ statfsChange }): [number, StatfsRecord] => [statfsChange, NOTHING]),
  ];
  const blocks = wanted.flatMap(([address, record]): CommitBlock[] =>
    isEqual(readStatfs(image, address), record)
      ? []
      : [{ address, bytes: statfsBlock(image, address, record) }],
  );
  if (blocks.length > 0) commit(device, image.geometry.blockSize, blocks, HINT);
  return blocks.length > 0;
}

function isEqual(one: StatfsRecord, other: StatfsRecord): boolean {
  return one.total === other.total && one.free === other.free && one.dinodes === other.dinodes;
}
