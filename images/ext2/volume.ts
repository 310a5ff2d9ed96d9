import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { CachedSource } from '../bytes/cached-source.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import { inodeTable } from './group-descriptor.js';
import { decodeInode, type Ext2Inode } from './inode.js';
import { type Ext2Superblock, readSuperblock } from './superblock.js';

/** Blocks and inodes of an ext2/3/4 filesystem, each bounded by the filesystem. */
export class Ext2Volume {
  readonly superblock: Ext2Superblock;
  private readonly metadata: ByteSource;
  private readonly tables = new Map<number, number>();

  /** Throws a DiagnosticError when `source` has no readable superblock. */
  constructor(readonly source: ByteSource) {
    this.superblock = readSuperblock(source);
    this.metadata = new CachedSource(source);
  }

  get name(): string {
    return this.source.name;
  }

  /** An error at a block of this image. */
  error(block: number, message: string): DiagnosticError {
    return imageError({ file: this.name, block }, message);
  }

  /** An error in an inode of this image. */
  inodeError(inode: number, message: string): DiagnosticError {
    return imageError(
      { file: this.name },
      `inode ${inode}: ${message}`,
      'The image is damaged: e2fsck -f repairs it.',
    );
  }

  readBlock(block: number): Buffer {
    if (!(block > 0 && block < this.superblock.blockCount)) {
      throw imageError(
        { file: this.name },
        `block ${block} is outside the filesystem (${this.superblock.blockCount} blocks)`,
      );
    }
    return readBytes(this.metadata, block * this.superblock.blockSize, this.superblock.blockSize);
  }

  readInode(number: number): Ext2Inode {
    const { inodeCount, inodesPerGroup, inodeSize, blockSize } = this.superblock;
    if (!(number >= 1 && number <= inodeCount)) {
      throw imageError({ file: this.name }, `inode ${number} does not exist (there are ${inodeCount})`);
    }
    const group = Math.floor((number - 1) / inodesPerGroup);
    let table = this.tables.get(group);
    if (table === undefined) {
      table = inodeTable(this.metadata, this.superblock, group);
      this.tables.set(group, table);
    }
    const position = table * blockSize + ((number - 1) % inodesPerGroup) * inodeSize;
    return decodeInode(readBytes(this.metadata, position, inodeSize), number);
  }
}
