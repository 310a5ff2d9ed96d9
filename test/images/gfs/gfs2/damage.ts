import { setStateAt } from '../../../../images/gfs/bitmap.js';
import { readHashTable } from '../../../../images/gfs/directory-reader.js';
import { readDirents } from '../../../../images/gfs/dirent.js';
import { findJournalHead, setLogSequence } from '../../../../images/gfs/gfs2/journal.js';
import { Gfs2Filesystem } from '../../../../images/gfs/gfs2/reader.js';
import { checksumOfResourceGroup } from '../../../../images/gfs/gfs2/resource-group.js';
import type { SystemFiles } from '../../../../images/gfs/gfs2/system-files.js';
import { readResourceIndex } from '../../../../images/gfs/indexes.js';
import {
  bitmapParts,
  decodeBitmap,
  encodeResourceIndexRecord,
  type ResourceIndexRecord,
} from '../../../../images/gfs/resource-group.js';
import { lookUp } from '../../../../images/tree/lookup.js';
import { MemoryImage } from '../check/memory-image.js';

const FIRST_DATA = 232;
const LEAF_BYTES = 104;

export type Width = 1 | 2 | 4 | 8;

/** A copy of a good image with means to find structures in it and to change them. */
export class Gfs2Damage {
  readonly image: MemoryImage;
  readonly blockSize: number;
  readonly superblock: number;
  readonly groups: readonly ResourceIndexRecord[];
  readonly files: SystemFiles;
  private readonly filesystem: Gfs2Filesystem;

  constructor(good: MemoryImage) {
    this.image = new MemoryImage(Buffer.from(good.bytes));
    this.filesystem = new Gfs2Filesystem(good.source);
    const { image } = this.filesystem;
    this.blockSize = image.geometry.blockSize;
    this.superblock = image.geometry.superblockBlock;
    this.groups = readResourceIndex(image);
    this.files = image.systemFiles;
  }

  get root(): number {
    return this.filesystem.root;
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

  /** What top pointer `index` of a dinode leads to. */
  target(inode: number, index = 0): number {
    return this.get(inode, FIRST_DATA + index * 8, 8);
  }

  /** Block of an inode's attributes, or of the pointers to them. */
  attributes(path: string): number {
    return this.get(this.inode(path), 168, 8);
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

  /** The first leaf of a directory that holds more than one name. */
  leaf(directory: string): number {
    const found = this.table(directory).find((leaf) => this.get(leaf, 26, 2) > 1);
    if (found === undefined) throw new Error(`no such leaf in ${directory}`);
    return found;
  }

  group(index = 0): ResourceIndexRecord {
    const group = this.groups[index];
    if (group === undefined) throw new Error(`no resource group ${index}`);
    return group;
  }

  groupOf(block: number): ResourceIndexRecord {
    const group = this.groups.find(({ firstData, data }) => block >= firstData && block < firstData + data);
    if (group === undefined) throw new Error(`block ${block} is in no resource group`);
    return group;
  }

  /** Makes a group's checksum right again. */
  sign({ address }: ResourceIndexRecord): void {
    this.set(address, 64, checksumOfResourceGroup(this.block(address)));
  }

  /** Replaces record `index` of the resource index, which is stuffed. */
  setGroupRecord(index: number, change: Partial<ResourceIndexRecord>): void {
    const record = encodeResourceIndexRecord({ ...this.group(index), ...change });
    record.copy(this.block(this.files.resourceIndex), FIRST_DATA + index * 96);
  }

  /** Sets a block's state in the bitmap; the counters stay. */
  setState(block: number, state: number): void {
    const group = this.groupOf(block);
    const bytes = this.image.bytes.subarray(
      group.address * this.blockSize,
      (group.address + group.length) * this.blockSize,
    );
    const { geometry } = this.filesystem.image;
    const bitmap = decodeBitmap(geometry, bytes, group.bitmapBytes);
    setStateAt(bitmap, block - group.firstData, state);
    for (const part of bitmapParts(geometry, group.length, bitmap.length))
      bytes.set(bitmap.subarray(part.start, part.start + part.length), part.position);
  }

  /** The last block of the last group: free. */
  freeBlock(): number {
    const { firstData, data } = this.group(this.groups.length - 1);
    return firstData + data - 1;
  }

  /** Block of the head of the first journal. */
  async journalHead(): Promise<number> {
    const { Pace } = await import('../../../../images/bytes/pace.js');
    const head = await findJournalHead(this.filesystem.image, this.files.journals[0] ?? 0, new Pace());
    if (head === undefined) throw new Error('no head');
    return head.address;
  }

  /** Sets the flags of a log header and makes its hash right again. */
  setLogFlags(block: number, flags: number): void {
    this.set(block, 32, flags);
    setLogSequence(this.block(block), this.get(block, 24, 8));
  }

  private table(directory: string): number[] {
    const { image } = this.filesystem;
    return readHashTable(image, image.readDinode(this.inode(directory), directory));
  }

  private areas(directory: string): { block: number; start: number }[] {
    const inode = this.inode(directory);
    if ((this.get(inode, 128) & 2) === 0) return [{ block: inode, start: FIRST_DATA }];
    return [...new Set(this.table(directory))].map((block) => ({ block, start: LEAF_BYTES }));
  }
}
