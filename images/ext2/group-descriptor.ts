import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { imageError } from '../diagnostic.js';
import type { Ext2Superblock } from './superblock.js';

/** Whether a group has a copy of the superblock in front, which shifts what a meta group puts there. */
function hasSuperblockCopy(superblock: Ext2Superblock, group: number): boolean {
  if (group <= 1 || !superblock.features.includes('sparse_super')) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}

/** Block that holds the descriptors with this index: after the superblock, or in their meta group. */
function descriptorBlock(superblock: Ext2Superblock, index: number): number {
  const { firstDataBlock, blockSize, descriptorSize, blocksPerGroup, firstMetaGroup } = superblock;
  if (index < firstMetaGroup) return firstDataBlock + 1 + index;
  const group = index * Math.floor(blockSize / descriptorSize);
  return firstDataBlock + group * blocksPerGroup + (hasSuperblockCopy(superblock, group) ? 1 : 0);
}

/**
 * First block of a group's inode table. Throws a DiagnosticError when the table reaches outside the filesystem.
 */
export function inodeTable(source: ByteSource, superblock: Ext2Superblock, group: number): number {
  const { blockSize, descriptorSize, blockCount, inodesPerGroup, inodeSize } = superblock;
  const perBlock = Math.floor(blockSize / descriptorSize);
  const block = descriptorBlock(superblock, Math.floor(group / perBlock));
  const position = block * blockSize + (group % perBlock) * descriptorSize;
  const bytes = readBytes(source, position, descriptorSize);
  const table = bytes.readUInt32LE(8) + (descriptorSize >= 64 ? bytes.readUInt32LE(40) * 2 ** 32 : 0);
  const blocks = Math.ceil((inodesPerGroup * inodeSize) / blockSize);
  if (table === 0 || !(table + blocks <= blockCount)) {
    throw imageError(
      { file: source.name, block },
      `the inode table of group ${group} would be at block ${table}, outside the filesystem`,
    );
  }
  return table;
}
