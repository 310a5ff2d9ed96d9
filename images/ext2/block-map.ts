import type { BlockExtent } from './data-map.js';
import type { Ext2Inode } from './inode.js';
import type { Ext2Volume } from './volume.js';

const DIRECT_BLOCKS = 12;

/** A block of pointers being read: the first entry's logical block, and how many blocks each entry stands for. */
interface Frame {
  readonly entries: Buffer;
  readonly logical: number;
  readonly span: number;
  /** The block it was read from, for messages. */
  readonly holder: number;
  next: number;
}

/**
 * The data blocks of a file with a classic block map: 12 direct pointers, then single, double and triple indirect
 * blocks. Ascending; holes are left out. Throws a DiagnosticError on pointers outside the filesystem or in a circle.
 */
export function* blocksOfMap(volume: Ext2Volume, inode: Ext2Inode): Generator<BlockExtent> {
  const perBlock = volume.superblock.blockSize / 4;
  const limit = Math.ceil(inode.size / volume.superblock.blockSize);
  for (let index = 0; index < Math.min(DIRECT_BLOCKS, limit); index++) {
    const block = inode.block.readUInt32LE(index * 4);
    if (block !== 0) yield { logical: index, block, count: 1 };
  }
  let logical = DIRECT_BLOCKS;
  for (let level = 1; level <= 3 && logical < limit; level++) {
    const top = inode.block.readUInt32LE((DIRECT_BLOCKS + level - 1) * 4);
    const span = perBlock ** (level - 1);
    if (top !== 0) yield* indirectBlocks(volume, inode, { top, logical, span, limit });
    logical += span * perBlock;
  }
}

function* indirectBlocks(
  volume: Ext2Volume,
  inode: Ext2Inode,
  { top, logical, span, limit }: { top: number; logical: number; span: number; limit: number },
): Generator<BlockExtent> {
  const perBlock = volume.superblock.blockSize / 4;
  // No file has more pointer blocks than the filesystem has blocks: more means that they point in a circle.
  let budget = volume.superblock.blockCount;
  const open = (block: number, first: number, each: number): Frame => {
    if (budget-- <= 0) throw volume.inodeError(inode.number, 'its indirect blocks point in a circle');
    return { entries: volume.readBlock(block), logical: first, span: each, holder: block, next: 0 };
  };
  const stack = [open(top, logical, span)];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const index = frame.next++;
    const first = frame.logical + index * frame.span;
    if (index >= perBlock || first >= limit) {
      stack.pop();
      continue;
    }
    const block = frame.entries.readUInt32LE(index * 4);
    if (block === 0) continue;
    if (block >= volume.superblock.blockCount) {
      throw volume.error(
        frame.holder,
        `indirect block of inode ${inode.number}: pointer to block ${block}, outside the filesystem`,
      );
    }
    if (frame.span === 1) yield { logical: first, block, count: 1 };
    else stack.push(open(block, first, frame.span / perBlock));
  }
}
