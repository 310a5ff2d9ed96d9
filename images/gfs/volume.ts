import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { CachedSource } from '../bytes/cached-source.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import { type Extent, piecesOf } from '../tree/content.js';
import { extentsOfFile } from './block-tree-reader.js';
import { DINODE_BYTES, DinodeFlag, type FileTypeName } from './constants.js';
import { type Dialect, dialectGeometry } from './dialect.js';
import type { Geometry } from './geometry.js';
import type { InodeNumber } from './inode-number.js';
import { faultOfHeader } from './metadata-header.js';

/** The fields of a dinode that mean the same in every dialect. Sizes are bytes, addresses block numbers. */
export interface BaseDinode {
  readonly number: InodeNumber;
  /** As stored: with type bits in GFS2, without in OpenGFS. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly size: number;
  /** Blocks allocated, the dinode's own included. */
  readonly blocks: number;
  /** Seconds since 1970. */
  readonly modificationTime: number;
  readonly major: number;
  readonly minor: number;
  readonly flags: number;
  readonly payloadFormat: number;
  /** Levels of indirection; 0 means stuffed: the data follows the dinode in its block. */
  readonly height: number;
  /** log2 of the entries of a directory's hash table; 0 for a linear directory. */
  readonly depth: number;
  /** Live dirents of a directory, `.` and `..` included. */
  readonly entries: number;
  /** Block of the extended attributes; 0 for none. */
  readonly attributes: number;
}

/** A dinode and the block it lies in: stuffed data and top pointers follow the dinode there. */
export interface DinodeBlock<D extends BaseDinode = BaseDinode> {
  readonly address: number;
  readonly dinode: D;
  readonly block: Buffer;
}

/** A filesystem of the GFS line on a device: blocks, dinodes and file contents, each bounded by the device. */
export abstract class GfsVolume<D extends BaseDinode = BaseDinode> {
  readonly geometry: Geometry;
  /** Whole blocks on the device. */
  readonly blockCount: number;
  private readonly metadata: ByteSource;

  protected constructor(
    readonly device: ByteSource,
    readonly dialect: Dialect,
    blockSize: number,
  ) {
    this.geometry = dialectGeometry(dialect, blockSize);
    this.blockCount = Math.floor(device.size / blockSize);
    this.metadata = new CachedSource(device);
  }

  /** Block of the root directory's dinode. */
  abstract get rootAddress(): number;

  /** Block of the resource index's dinode. Throws a DiagnosticError where it can't be found. */
  abstract get resourceIndexAddress(): number;

  /** Decodes the fields as they are; the block's header has been checked. */
  abstract decodeDinode(block: Buffer): D;

  /** The kind of file a dinode is, or undefined when there is no such kind. */
  abstract typeOf(dinode: D): FileTypeName | undefined;

  /** Whether a file's data blocks carry a metadata header. */
  abstract isJournaled(dinode: D): boolean;

  get name(): string {
    return this.device.name;
  }

  /** An error at a block of this image. */
  error(block: number, message: string): DiagnosticError {
    return imageError({ file: this.name, block }, message);
  }

  /** Throws a DiagnosticError unless the address is that of a block after the superblock. */
  checkAddress(address: number, where: string): void {
    if (!(address > this.geometry.superblockBlock && address < this.blockCount)) {
      throw imageError(
        { file: this.name },
        `block ${address} in ${where} is outside the device (${this.blockCount} blocks)`,
      );
    }
  }

  readBlock(address: number): Buffer {
    return readBytes(this.metadata, address * this.geometry.blockSize, this.geometry.blockSize);
  }

  /** Throws a DiagnosticError when the block is outside the device or no dinode. */
  readDinode(address: number, where: string): DinodeBlock<D> {
    this.checkAddress(address, where);
    const block = this.readBlock(address);
    const fault = faultOfHeader(block, 'dinode');
    if (fault !== undefined) throw this.error(address, fault);
    return { address, dinode: this.decodeDinode(block), block };
  }

  /** Where a file's bytes lie on the device. Throws a DiagnosticError while iterated when its tree is damaged. */
  *extents({ address, dinode }: DinodeBlock<D>): Generator<Extent> {
    const { size, height } = dinode;
    if (height > 0) {
      yield* extentsOfFile(this, { address, size, height, journaled: this.isJournaled(dinode) });
      return;
    }
    if (size > this.geometry.stuffedBytes) {
      throw this.error(address, `a stuffed file of ${size} bytes (at most ${this.geometry.stuffedBytes})`);
    }
    if (size > 0)
      yield { offset: 0, position: address * this.geometry.blockSize + DINODE_BYTES, length: size };
  }

  /**
   * All bytes of a file of the filesystem's own (an index, a hash table). Throws a DiagnosticError when it is
   * larger than `limit` bytes, or damaged.
   */
  readFile(file: DinodeBlock<D>, what: string, limit: number): Buffer {
    const { size } = file.dinode;
    if (size > limit) throw this.error(file.address, `${what} of ${size} bytes (at most ${limit} here)`);
    const result = Buffer.alloc(size);
    const content = { kind: 'extents', source: this.device, extents: () => this.extents(file) } as const;
    for (const piece of piecesOf(content, size)) result.set(piece.bytes, piece.offset);
    return result;
  }
}

/** Whether a directory has a hash table. */
export function isHashed({ dinode }: DinodeBlock): boolean {
  return (dinode.flags & DinodeFlag.hashedDirectory) !== 0;
}
