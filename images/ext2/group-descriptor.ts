import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { imageError } from '../diagnostic.js';
import type { Ext2Superblock } from './superblock.js';

/** Whether a group has a copy of the superblock and the descriptors with the feature `sparse_super`. */
export function hasSparseSuperblock(group: number): boolean {
  if (group <= 1) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}

/** Whether a group has a copy of the superblock in front, which shifts what a meta group puts there. */
function hasSuperblockCopy(superblock: Ext2Superblock, group: number): boolean {
  return !superblock.features.includes('sparse_super') || hasSparseSuperblock(group);
}

/** What a group's descriptor says, in a filesystem without the feature `64bit`. */
export interface GroupDescriptor {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly directories: number;
}

/** Writes a descriptor of 32 bytes at `offset`. */
export function writeGroupDescriptor(bytes: Buffer, offset: number, descriptor: GroupDescriptor): void {
  bytes.writeUInt32LE(descriptor.blockBitmap, offset);
  bytes.writeUInt32LE(descriptor.inodeBitmap, offset + 4);
  bytes.writeUInt32LE(descriptor.inodeTable, offset + 8);
  bytes.writeUInt16LE(descriptor.freeBlocks, offset + 12);
  bytes.writeUInt16LE(descriptor.freeInodes, offset + 14);
  bytes.writeUInt16LE(descriptor.directories, offset + 16);
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
