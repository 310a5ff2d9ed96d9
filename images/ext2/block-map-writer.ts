import { INODE_BLOCK_BYTES } from './inode.js';

/** Blocks of a file that its inode points at directly. */
const DIRECT_BLOCKS = 12;
const POINTER_BYTES = 4;
/** A file's blocks are counted in units of 512 bytes with 32 bits. */
const SECTOR_BYTES = 512;
const SECTORS_MAX = 2 ** 32 - 1;

/** A block of pointers that is being filled. */
interface Level {
  readonly block: Buffer;
  /** Which block of this level it is, counted from the tree's first; -1 when none is open. */
  index: number;
  address: number;
}

/** Where blocks of pointers get their place and go. */
export interface PointerBlocks {
  allocate(): number;
  write(address: number, block: Buffer): void;
}

/**
 * Builds the block map of one file after the other while data is written in ascending order. Only the blocks of
 * pointers on the way to the data at hand are in memory: at most three. Each is allocated just before the first data
 * below it, so that it lies in front of that, and holes of its size have none.
 */
export class BlockMapWriter {
  /** What the inode gets: 12 direct pointers, then single, double and triple indirect. */
  readonly map = Buffer.alloc(INODE_BLOCK_BYTES);
  /** Blocks of pointers of this file so far. */
  pointerBlocks = 0;
  private readonly perBlock: number;
  private readonly levels: readonly Level[];
  /** Levels of the tree at hand: 1, 2 or 3; 0 before the first indirect block. */
  private depth = 0;

  constructor(
    blockSize: number,
    private readonly blocks: PointerBlocks,
  ) {
    this.perBlock = blockSize / POINTER_BYTES;
    this.levels = [0, 1, 2].map(() => ({ block: Buffer.alloc(blockSize), index: -1, address: 0 }));
  }

  /** Starts with another file. */
  begin(): void {
    this.map.fill(0);
    this.pointerBlocks = 0;
    this.depth = 0;
    for (const level of this.levels) level.index = -1;
  }

  /**
   * Makes ready for data at logical block `logical`, no lower than before. Returns how many blocks from there on
   * have their pointers in the same place.
   */
  prepare(logical: number): number {
    if (logical < DIRECT_BLOCKS) return DIRECT_BLOCKS - logical;
    const { depth, index } = this.placeOf(logical);
    if (depth !== this.depth) {
      this.finish();
      this.depth = depth;
    }
    for (let level = 0; level < depth; level++) {
      const wanted = Math.floor(index / this.perBlock ** (depth - level));
      const open = this.levels[level]!;
      if (open.index === wanted) continue;
      this.writeFrom(level);
      open.index = wanted;
      open.address = this.blocks.allocate();
      open.block.fill(0);
      this.pointerBlocks += 1;
      if (level === 0) this.map.writeUInt32LE(open.address, (DIRECT_BLOCKS + depth - 1) * POINTER_BYTES);
      else this.setPointer(level - 1, wanted, open.address);
    }
    return this.perBlock - (index % this.perBlock);
  }

  /** Points `count` logical blocks from `logical` on, for which it was made ready, at consecutive blocks. */
  set(logical: number, address: number, count: number): void {
    if (logical < DIRECT_BLOCKS) {
      for (let done = 0; done < count; done++)
        this.map.writeUInt32LE(address + done, (logical + done) * POINTER_BYTES);
      return;
    }
    const { depth, index } = this.placeOf(logical);
    for (let done = 0; done < count; done++) this.setPointer(depth - 1, index + done, address + done);
  }

  /** Writes the blocks of pointers that are still open. */
  finish(): void {
    this.writeFrom(0);
  }

  /** In which of the three trees a logical block is, and where among the data blocks of that tree. */
  private placeOf(logical: number): { depth: number; index: number } {
    let index = logical - DIRECT_BLOCKS;
    let depth = 1;
    for (let span = this.perBlock; index >= span && depth < 3; span *= this.perBlock) {
      index -= span;
      depth += 1;
    }
    return { depth, index };
  }

  private setPointer(level: number, index: number, address: number): void {
    this.levels[level]!.block.writeUInt32LE(address, (index % this.perBlock) * POINTER_BYTES);
  }

  /** Writes the open blocks of a level and of all below it. */
  private writeFrom(level: number): void {
    for (const open of this.levels.slice(level)) {
      if (open.index >= 0) this.blocks.write(open.address, open.block);
      open.index = -1;
    }
  }
}

/**
 * Most bytes of a file: what three levels of pointers reach, or, if less, what can be counted in 32 bits of 512 bytes
 * with all pointers of a file without holes.
 */
export function largestFile(blockSize: number): number {
  const perBlock = blockSize / POINTER_BYTES;
  const reach = DIRECT_BLOCKS + perBlock + perBlock ** 2 + perBlock ** 3;
  const countable = Math.floor((SECTORS_MAX * SECTOR_BYTES) / blockSize);
  const pointers = (data: number): number =>
    Math.ceil(data / perBlock) + Math.ceil(data / perBlock ** 2) + Math.ceil(data / perBlock ** 3);
  return Math.min(reach, countable - pointers(countable)) * blockSize;
}
