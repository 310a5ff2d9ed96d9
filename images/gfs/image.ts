import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { CachedSource } from '../bytes/cached-source.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import { type Extent, piecesOf } from '../tree/content.js';
import { extentsOfFile } from './block-tree-reader.js';
import { DINODE_BYTES, DinodeFlag } from './constants.js';
import { type Dialect, dialectGeometry, OPENGFS } from './dialect.js';
import { type Dinode, decodeDinode } from './dinode.js';
import type { Geometry } from './geometry.js';
import { faultOfHeader } from './metadata-header.js';
import { readSuperblock, type Superblock } from './superblock.js';

/** A dinode and the block it lies in: stuffed data and top pointers follow the dinode there. */
export interface DinodeBlock {
  readonly address: number;
  readonly dinode: Dinode;
  readonly block: Buffer;
}

/** An OpenGFS filesystem on a device: blocks, dinodes and file contents, each bounded by the device. */
export class GfsImage {
  readonly dialect: Dialect = OPENGFS;
  readonly superblock: Superblock;
  readonly geometry: Geometry;
  /** Whole blocks on the device. */
  readonly blockCount: number;
  private readonly metadata: ByteSource;

  /** Throws a DiagnosticError when `device` has no readable superblock. */
  constructor(readonly device: ByteSource) {
    this.superblock = readSuperblock(device);
    this.geometry = dialectGeometry(this.dialect, this.superblock.blockSize);
    this.blockCount = Math.floor(device.size / this.superblock.blockSize);
    this.metadata = new CachedSource(device);
  }

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
  readDinode(address: number, where: string): DinodeBlock {
    this.checkAddress(address, where);
    const block = this.readBlock(address);
    const fault = faultOfHeader(block, 'dinode');
    if (fault !== undefined) throw this.error(address, fault);
    return { address, dinode: decodeDinode(block), block };
  }

  /** Where a file's bytes lie on the device. Throws a DiagnosticError while iterated when its tree is damaged. */
  *extents({ address, dinode }: DinodeBlock): Generator<Extent> {
    const { size, height } = dinode;
    if (height > 0) {
      yield* extentsOfFile(this, { address, size, height, journaled: isJournaled(dinode) });
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
  readFile(file: DinodeBlock, what: string, limit: number): Buffer {
    const { size } = file.dinode;
    if (size > limit) throw this.error(file.address, `${what} of ${size} bytes (at most ${limit} here)`);
    const result = Buffer.alloc(size);
    const content = { kind: 'extents', source: this.device, extents: () => this.extents(file) } as const;
    for (const piece of piecesOf(content, size)) result.set(piece.bytes, piece.offset);
    return result;
  }
}

/** Whether a file's data blocks carry a metadata header. */
export function isJournaled(dinode: Dinode): boolean {
  return (dinode.flags & DinodeFlag.journaledData) !== 0;
}
