import { setStateAt, stateAt } from '../../../../images/gfs/bitmap.js';
import { readHashTable } from '../../../../images/gfs/directory-reader.js';
import { readDirents } from '../../../../images/gfs/dirent.js';
import { readJournalIndex, readResourceIndex } from '../../../../images/gfs/indexes.js';
import type { JournalIndexRecord } from '../../../../images/gfs/journal.js';
import { OpenGfsFilesystem } from '../../../../images/gfs/reader.js';
import {
  bitmapParts,
  decodeBitmap,
  encodeResourceIndexRecord,
  type ResourceIndexRecord,
} from '../../../../images/gfs/resource-group.js';
import { lookUp } from '../../../../images/tree/lookup.js';
import { MemoryImage } from './memory-image.js';

const DINODE_BYTES = 232;
const INDIRECT_BYTES = 88;
const LEAF_BYTES = 104;

/** A field: block, byte offset in it, width in bytes. */
export type Width = 2 | 4 | 8;

/**
 * A copy of a good image with means to find structures in it and to change them. Where things lie is found out
 * before the first change.
 */
export class Damage {
  readonly image: MemoryImage;
  readonly blockSize: number;
  readonly superblock: number;
  readonly groups: readonly ResourceIndexRecord[];
  readonly journals: readonly JournalIndexRecord[];
  readonly special: Readonly<Record<'journalIndex' | 'resourceIndex' | 'root' | 'quota' | 'license', number>>;
  private readonly filesystem: OpenGfsFilesystem;

  constructor(good: MemoryImage) {
    this.image = new MemoryImage(Buffer.from(good.bytes));
    this.filesystem = new OpenGfsFilesystem(good.source);
    const { image } = this.filesystem;
    this.blockSize = image.geometry.blockSize;
    this.superblock = image.geometry.superblockBlock;
    this.groups = readResourceIndex(image);
    this.journals = readJournalIndex(image);
    const { journalIndex, resourceIndex, root, quota, license } = image.superblock;
    this.special = {
      journalIndex: journalIndex.address,
      resourceIndex: resourceIndex.address,
      root: root.address,
      quota: quota.address,
      license: license.address,
    };
  }

  get blockCount(): number {
    return this.filesystem.image.blockCount;
  }

  get segmentBlocks(): number {
    return this.filesystem.image.superblock.segmentBlocks;
  }

  block(number: number): Buffer {
    return this.image.bytes.subarray(number * this.blockSize, (number + 1) * this.blockSize);
  }

  get(block: number, offset: number, width: Width = 4): number {
    const bytes = this.block(block);
    return width === 8 ? Number(bytes.readBigUInt64BE(offset)) : bytes.readUIntBE(offset, width);
  }

  set(block: number, offset: number, value: number | bigint, width: Width = 4): void {
    const bytes = this.block(block);
    if (width === 8) bytes.writeBigUInt64BE(BigInt(value), offset);
    else bytes.writeUIntBE(Number(value), offset, width);
  }

  add(block: number, offset: number, amount: number, width: Width = 4): void {
    this.set(block, offset, this.get(block, offset, width) + amount, width);
  }

  /** Block of the dinode at a path. */
  inode(path: string): number {
    return lookUp(this.filesystem, path).inode;
  }

  /** Byte offset of top pointer `index` in a dinode, or in an indirect block. */
  topPointer(index: number): number {
    return DINODE_BYTES + index * 8;
  }

  indirectPointer(index: number): number {
    return INDIRECT_BYTES + index * 8;
  }

  /** What pointer `index` of a dinode leads to. */
  target(inode: number, index: number): number {
    return this.get(inode, this.topPointer(index), 8);
  }

  /** Where the dirent of a name stands: in the directory's dinode, or in a leaf. */
  dirent(directory: string, name: string): { block: number; offset: number } {
    for (const { block, start } of this.areas(directory)) {
      for (const { offset, dirent } of readDirents(this.block(block), start, () => {})) {
        if (dirent?.name === name) return { block, offset };
      }
    }
    throw new Error(`no ${name} in ${directory}`);
  }

  /** The hash table of a directory: a leaf address an entry. */
  table(directory: string): number[] {
    const { image } = this.filesystem;
    return readHashTable(image, image.readDinode(this.inode(directory), directory));
  }

  /** The first leaf of a directory for which this holds. */
  leaf(directory: string, suits: (leaf: number) => boolean = () => true): number {
    const found = this.table(directory).find(suits);
    if (found === undefined) throw new Error(`no such leaf in ${directory}`);
    return found;
  }

  group(index: number): ResourceIndexRecord {
    const group = this.groups[index];
    if (group === undefined) throw new Error(`no resource group ${index}`);
    return group;
  }

  journal(index: number): JournalIndexRecord {
    const journal = this.journals[index];
    if (journal === undefined) throw new Error(`no journal ${index}`);
    return journal;
  }

  /** Block of a segment's log header. */
  segment(journal: number, segment: number): number {
    return this.journal(journal).address + segment * this.segmentBlocks;
  }

  /** Sets a field in both copies of a log header. */
  setLog(block: number, offset: number, value: number | bigint, width: Width = 4): void {
    this.set(block, offset, value, width);
    this.set(block, 384 + offset, value, width);
  }

  /** Replaces record `index` of the resource index, which is stuffed. */
  setGroupRecord(index: number, change: Partial<ResourceIndexRecord>): void {
    const record = encodeResourceIndexRecord({ ...this.group(index), ...change });
    record.copy(this.block(this.special.resourceIndex), DINODE_BYTES + index * 96);
  }

  groupOf(block: number): ResourceIndexRecord {
    const group = this.groups.find(({ firstData, data }) => block >= firstData && block < firstData + data);
    if (group === undefined) throw new Error(`block ${block} is in no resource group`);
    return group;
  }

  /** Sets a block's state in the bitmap and moves it from one counter to another. */
  setState(block: number, state: number, counters = true): void {
    const group = this.groupOf(block);
    const bytes = this.image.bytes.subarray(
      group.address * this.blockSize,
      (group.address + group.length) * this.blockSize,
    );
    const { geometry } = this.filesystem.image;
    const bitmap = decodeBitmap(geometry, bytes, group.bitmapBytes);
    const before = stateAt(bitmap, block - group.firstData);
    setStateAt(bitmap, block - group.firstData, state);
    for (const part of bitmapParts(geometry, group.length, bitmap.length))
      bytes.set(bitmap.subarray(part.start, part.start + part.length), part.position);
    if (!counters) return;
    // Free, data (not counted), free metadata, metadata other than dinodes.
    const offsets = [28, undefined, 60, 56] as const;
    const [from, to] = [offsets[before], offsets[state]];
    if (from !== undefined) this.add(group.address, from, -1);
    if (to !== undefined) this.add(group.address, to, 1);
  }

  /** The last free blocks of a group. */
  freeBlock(group = 0, back = 1): number {
    const { firstData, data } = this.group(group);
    return firstData + data - back;
  }

  private areas(directory: string): { block: number; start: number }[] {
    const inode = this.inode(directory);
    if ((this.get(inode, 128) & 2) === 0) return [{ block: inode, start: DINODE_BYTES }];
    return [...new Set(this.table(directory))].map((block) => ({ block, start: LEAF_BYTES }));
  }
}
