import { hasSparseSuperblock } from './group-descriptor.js';

/** Bytes of a group descriptor without the feature `64bit`. */
export const DESCRIPTOR_BYTES = 32;
/** Block numbers have 32 bits. */
const BLOCKS_MAX = 2 ** 32 - 1;
/** Inodes 1 to 10 belong to the filesystem itself; 2 is the root. */
export const RESERVED_INODES = 10;

/** Sizes that a filesystem is made with. */
export interface Ext2Sizes {
  /** Bytes. */
  readonly blockSize: 1024 | 2048 | 4096;
  /** Bytes: 128 as in 2001, or 256 with nanoseconds and times up to the year 2446. */
  readonly inodeSize: 128 | 256;
}

/**
 * Where the parts of an ext2 filesystem lie. Every group has in front what it needs of superblock and descriptors,
 * block bitmap, inode bitmap and inode table, one right after the other; the rest of it is for content.
 */
export interface Ext2Layout extends Ext2Sizes {
  readonly blockCount: number;
  /** 1 with blocks of 1024 bytes, as the superblock fills block 1; else 0. */
  readonly firstDataBlock: number;
  readonly groups: number;
  /** As many as one block of bitmap has bits. */
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  /** Blocks of all group descriptors; each copy of them has so many. */
  readonly descriptorBlocks: number;
  /** Blocks of one group's inode table. */
  readonly tableBlocks: number;
}

/** What lies in front of the content of one group. */
export interface GroupLayout {
  readonly first: number;
  /** Blocks of the group: fewer in the last one. */
  readonly blocks: number;
  readonly hasSuperblock: boolean;
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  /** Blocks of all this, from `first` on. */
  readonly overhead: number;
}

export function groupLayout(layout: Ext2Layout, group: number): GroupLayout {
  const { blocksPerGroup, blockCount, firstDataBlock, descriptorBlocks, tableBlocks } = layout;
  const first = firstDataBlock + group * blocksPerGroup;
  const hasSuperblock = hasSparseSuperblock(group);
  const blockBitmap = first + (hasSuperblock ? 1 + descriptorBlocks : 0);
  const inodeTable = blockBitmap + 2;
  return {
    first,
    blocks: Math.min(blocksPerGroup, blockCount - first),
    hasSuperblock,
    blockBitmap,
    inodeBitmap: blockBitmap + 1,
    inodeTable,
    overhead: inodeTable + tableBlocks - first,
  };
}

/** Blocks for content: directories, data, pointers, attributes. */
export function contentBlocks(layout: Ext2Layout): number {
  const { blockCount, firstDataBlock, groups, tableBlocks, descriptorBlocks } = layout;
  const superblocks = countSparseSuperblocks(groups);
  return blockCount - firstDataBlock - groups * (2 + tableBlocks) - superblocks * (1 + descriptorBlocks);
}

/**
 * The layout of a filesystem of at most `blockCount` blocks with at least `inodes` inodes; undefined where there is
 * none. The last group is left out when it would bring no more than it takes.
 */
export function layoutFor(sizes: Ext2Sizes, blockCount: number, inodes: number): Ext2Layout | undefined {
  const { firstDataBlock, blocksPerGroup } = groupGeometry(sizes);
  const groups = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup);
  const whole = layoutOf(sizes, groups, blockCount, inodes);
  const fewer = layoutOf(sizes, groups - 1, firstDataBlock + (groups - 1) * blocksPerGroup, inodes);
  if (whole === undefined || fewer === undefined) return whole ?? fewer;
  return contentBlocks(whole) > contentBlocks(fewer) ? whole : fewer;
}

/** The smallest layout with so many blocks for content and at least so many inodes; undefined where none has. */
export function smallestLayout(sizes: Ext2Sizes, content: number, inodes: number): Ext2Layout | undefined {
  const { firstDataBlock, blocksPerGroup } = groupGeometry(sizes);
  const first = Math.max(1, Math.ceil(content / blocksPerGroup), Math.ceil(inodes / blocksPerGroup));
  for (let groups = first; groups * blocksPerGroup <= BLOCKS_MAX; groups++) {
    const full = firstDataBlock + groups * blocksPerGroup;
    const layout = layoutOf(sizes, groups, full, inodes);
    const spare = layout === undefined ? -1 : contentBlocks(layout) - content;
    if (layout === undefined || spare < 0) continue;
    const least = groupLayout(layout, groups - 1).overhead + 1;
    return { ...layout, blockCount: full - Math.min(spare, blocksPerGroup - least) };
  }
  return undefined;
}

function groupGeometry({ blockSize }: Ext2Sizes): { firstDataBlock: number; blocksPerGroup: number } {
  return { firstDataBlock: blockSize === 1024 ? 1 : 0, blocksPerGroup: blockSize * 8 };
}

/** Undefined when a bitmap has too few bits for the inodes, or a group no room for what lies in front of it. */
function layoutOf(
  sizes: Ext2Sizes,
  groups: number,
  blockCount: number,
  inodes: number,
): Ext2Layout | undefined {
  const { blockSize, inodeSize } = sizes;
  const { firstDataBlock, blocksPerGroup } = groupGeometry(sizes);
  if (groups < 1 || blockCount > BLOCKS_MAX) return undefined;
  // Whole blocks of the table; e2fsck wants whole bytes of the bitmap too.
  const unit = Math.max(8, blockSize / inodeSize);
  const inodesPerGroup = Math.ceil(inodes / groups / unit) * unit;
  if (inodesPerGroup > blockSize * 8) return undefined;
  const layout: Ext2Layout = {
    blockSize,
    inodeSize,
    blockCount,
    firstDataBlock,
    groups,
    blocksPerGroup,
    inodesPerGroup,
    descriptorBlocks: Math.ceil((groups * DESCRIPTOR_BYTES) / blockSize),
    tableBlocks: (inodesPerGroup * inodeSize) / blockSize,
  };
  const [front, last] = [groupLayout(layout, 0), groupLayout(layout, groups - 1)];
  return front.overhead < front.blocks && last.overhead < last.blocks ? layout : undefined;
}

function countSparseSuperblocks(groups: number): number {
  let count = Math.min(groups, 2);
  for (const base of [3, 5, 7]) for (let power = base; power < groups; power *= base) count += 1;
  return count;
}
