import type { Extent } from '../tree/content.js';
import { blocksOfMap } from './block-map.js';
import { extentsOfTree } from './extent-tree.js';
import { type Ext2Inode, hasExtents } from './inode.js';
import type { Ext2Volume } from './volume.js';

/** A run of a file's blocks on the device. */
export interface BlockExtent {
  /** First block in the file. */
  readonly logical: number;
  /** First block on the device. */
  readonly block: number;
  readonly count: number;
}

/** Where a file's bytes lie, neighbouring blocks joined and cut at the file's size. Throws as the map's reader does. */
export function* byteExtents(volume: Ext2Volume, inode: Ext2Inode): Generator<Extent> {
  const { blockSize, blockCount } = volume.superblock;
  let joined: { offset: number; position: number; length: number } | undefined;
  // More blocks than there are can only come from pointers in a circle.
  let budget = blockCount;
  for (const { logical, block, count } of hasExtents(inode)
    ? extentsOfTree(volume, inode)
    : blocksOfMap(volume, inode)) {
    const offset = logical * blockSize;
    if (offset >= inode.size) break;
    budget -= count;
    if (budget < 0 || block >= blockCount) {
      throw volume.inodeError(
        inode.number,
        budget < 0
          ? 'it has more blocks than the filesystem'
          : `data at block ${block}, outside the filesystem`,
      );
    }
    const position = block * blockSize;
    const length = Math.min(count * blockSize, inode.size - offset);
    if (
      joined !== undefined &&
      joined.offset + joined.length === offset &&
      joined.position + joined.length === position
    ) {
      joined.length += length;
      continue;
    }
    if (joined !== undefined) yield joined;
    joined = { offset, position, length };
  }
  if (joined !== undefined) yield joined;
}
