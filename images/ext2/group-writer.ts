import type { ByteSink } from '../bytes/sparse-file.js';
import type { ContentAllocator } from './content-allocator.js';
import { type GroupDescriptor, writeGroupDescriptor } from './group-descriptor.js';
import { DESCRIPTOR_BYTES, type Ext2Layout, type GroupLayout, groupLayout } from './layout.js';

/** What is in use, once all content is written. */
export interface Usage {
  readonly allocator: ContentAllocator;
  /** Inodes in use: always the first ones. */
  readonly inodes: number;
  /** Inode numbers of the directories. */
  readonly directories: Iterable<number>;
}

/** What the superblock sums up. */
export interface FreeCounts {
  readonly blocks: number;
  readonly inodes: number;
}

/** Writes the bitmaps of all groups. Returns the block group descriptors, in whole blocks, and what is free. */
export function writeBitmaps(
  layout: Ext2Layout,
  sink: ByteSink,
  usage: Usage,
): { descriptors: Buffer; free: FreeCounts } {
  const { blockSize, inodesPerGroup, groups } = layout;
  const descriptors = Buffer.alloc(layout.descriptorBlocks * blockSize);
  const bitmaps = Buffer.alloc(2 * blockSize);
  const directories = countByGroup(layout, usage.directories);
  const free = { blocks: 0, inodes: 0 };
  for (let group = 0; group < groups; group++) {
    const place = groupLayout(layout, group);
    const usedBlocks = usage.allocator.usedIn(group);
    const usedInodes = Math.min(Math.max(usage.inodes - group * inodesPerGroup, 0), inodesPerGroup);
    fillBitmap(bitmaps.subarray(0, blockSize), usedBlocks, place.blocks);
    fillBitmap(bitmaps.subarray(blockSize), usedInodes, inodesPerGroup);
    sink.write(bitmaps, place.blockBitmap * blockSize);
    const descriptor = {
      freeBlocks: place.blocks - usedBlocks,
      freeInodes: inodesPerGroup - usedInodes,
      directories: directories[group] ?? 0,
    };
    writeGroupDescriptor(descriptors, group * DESCRIPTOR_BYTES, describe(place, descriptor));
    free.blocks += descriptor.freeBlocks;
    free.inodes += descriptor.freeInodes;
  }
  return { descriptors, free };
}

function describe(
  { blockBitmap, inodeBitmap, inodeTable }: GroupLayout,
  counts: Pick<GroupDescriptor, 'freeBlocks' | 'freeInodes' | 'directories'>,
): GroupDescriptor {
  return { blockBitmap, inodeBitmap, inodeTable, ...counts };
}

function countByGroup({ groups, inodesPerGroup }: Ext2Layout, inodes: Iterable<number>): Uint32Array {
  const counts = new Uint32Array(groups);
  for (const inode of inodes) {
    const group = Math.floor((inode - 1) / inodesPerGroup);
    counts[group] = (counts[group] ?? 0) + 1;
  }
  return counts;
}

/** Sets the first `used` bits, and those from `total` on, which stand for nothing. */
function fillBitmap(bitmap: Buffer, used: number, total: number): void {
  bitmap.fill(0);
  setBits(bitmap, 0, used);
  setBits(bitmap, total, bitmap.length * 8);
}

function setBits(bitmap: Buffer, from: number, to: number): void {
  const [firstWhole, lastWhole] = [Math.ceil(from / 8), Math.floor(to / 8)];
  for (let bit = from; bit < Math.min(to, firstWhole * 8); bit++) setBit(bitmap, bit);
  if (lastWhole > firstWhole) bitmap.fill(0xff, firstWhole, lastWhole);
  for (let bit = Math.max(from, lastWhole * 8); bit < to; bit++) setBit(bitmap, bit);
}

function setBit(bitmap: Buffer, bit: number): void {
  bitmap.writeUInt8(bitmap.readUInt8(bit >>> 3) | (1 << (bit & 7)), bit >>> 3);
}
