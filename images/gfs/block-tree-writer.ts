import { writeInt64BE } from '../bytes/integers.js';
import { blocksBelow } from './block-tree.js';
import { DINODE_BYTES } from './constants.js';
import type { Geometry } from './geometry.js';
import { writeMetadataHeader } from './metadata-header.js';

interface Level {
  readonly block: Buffer;
  /** Which block of this level it is, counted over the whole file; -1 when none is open. */
  index: number;
  address: number;
}

/** What the writer of a tree of indirect blocks needs from the filesystem around it. */
export interface MetadataBlocks {
  allocateMetadata(): number;
  writeBlock(address: number, block: Buffer): void;
}

/**
 * Builds the pointers of one file while its data is written in ascending order. Only one indirect block a level is
 * in memory; each is allocated just before the first data below it and written when the data has moved past it.
 */
export class BlockTreeWriter {
  /** Levels of indirect blocks from the top (whose pointers lie in the dinode) to the bottom (pointing at data). */
  private readonly levels: Level[];

  /** `dinodeBlock` gets the top pointers; `height` is at least 1. */
  constructor(
    private readonly geometry: Geometry,
    private readonly height: number,
    private readonly dinodeBlock: Buffer,
    private readonly blocks: MetadataBlocks,
  ) {
    this.levels = Array.from({ length: height - 1 }, () => ({
      block: Buffer.allocUnsafe(geometry.blockSize),
      index: -1,
      address: 0,
    }));
  }

  /**
   * Makes ready for data at logical block `logical`, no lower than before. Returns how many blocks from there on
   * have their pointers in the same bottom block.
   */
  prepare(logical: number): number {
    const { geometry, height } = this;
    for (const [position, level] of this.levels.entries()) {
      const index = Math.floor(logical / blocksBelow(geometry, height - 1 - position));
      if (level.index === index) continue;
      this.writeFrom(position);
      level.index = index;
      level.address = this.blocks.allocateMetadata();
      level.block.fill(0);
      writeMetadataHeader(level.block, 'indirect');
      this.setPointer(position, index, level.address);
    }
    return height === 1
      ? geometry.dinodePointers - logical
      : geometry.indirectPointers - (logical % geometry.indirectPointers);
  }

  /** Points `count` logical blocks from `logical` on at consecutive blocks from `address` on. */
  set(logical: number, address: number, count: number): void {
    for (let index = 0; index < count; index++)
      this.setPointer(this.levels.length, logical + index, address + index);
  }

  /** Writes the indirect blocks that are still open. */
  finish(): void {
    this.writeFrom(0);
  }

  /** Writes pointer `index`, counted over the whole level, into the block above `position`. */
  private setPointer(position: number, index: number, address: number): void {
    if (position === 0) {
      writeInt64BE(this.dinodeBlock, address, DINODE_BYTES + index * 8);
      return;
    }
    const { indirectPointers, indirectHeaderBytes } = this.geometry;
    writeInt64BE(
      this.levels[position - 1]!.block,
      address,
      indirectHeaderBytes + (index % indirectPointers) * 8,
    );
  }

  /** Writes the open blocks of a level and of all below it. */
  private writeFrom(position: number): void {
    for (const level of this.levels.slice(position)) {
      if (level.index >= 0) this.blocks.writeBlock(level.address, level.block);
      level.index = -1;
    }
  }
}
