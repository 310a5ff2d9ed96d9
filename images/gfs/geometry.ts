import {
  DINODE_BYTES,
  HEADER_BYTES,
  LEAF_HEADER_BYTES,
  RESOURCE_GROUP_HEADER_BYTES,
  SUPERBLOCK_OFFSET,
} from './constants.js';

export const BLOCK_BYTES_MIN = 512;
export const BLOCK_BYTES_MAX = 65536;

/** The sizes that follow from the block size and the dialect (§1). All in bytes unless said otherwise. */
export interface Geometry {
  readonly blockSize: number;
  /** What fits after a dinode: the largest stuffed file (`stuffmax`). */
  readonly stuffedBytes: number;
  /** Pointers in a dinode (`diptrs`). */
  readonly dinodePointers: number;
  /** Header of an indirect block before its pointers. */
  readonly indirectHeaderBytes: number;
  /** Pointers in an indirect block (`inptrs`). */
  readonly indirectPointers: number;
  /** Payload of a journaled-data block (`jbsize`). */
  readonly journaledBytes: number;
  /** Dirent area of a directory leaf. */
  readonly leafBytes: number;
  /** log2 of the entries of a fresh hash table (`depth0`). */
  readonly initialDepth: number;
  /** Block number of the superblock. */
  readonly superblockBlock: number;
  /** Bitmap bytes in a resource group's header block. */
  readonly firstBitmapBytes: number;
  /** Bitmap bytes in each further bitmap block. */
  readonly nextBitmapBytes: number;
}

/** Whether this is a block size that the formats allow: a power of two, 512 to 65536. */
export function isBlockSize(blockSize: number): boolean {
  return (
    Number.isInteger(blockSize) &&
    blockSize >= BLOCK_BYTES_MIN &&
    blockSize <= BLOCK_BYTES_MAX &&
    (blockSize & (blockSize - 1)) === 0
  );
}

export function geometryOf(blockSize: number, indirectHeaderBytes: number): Geometry {
  if (!isBlockSize(blockSize)) throw new RangeError(`no block size: ${blockSize}`);
  return {
    blockSize,
    stuffedBytes: blockSize - DINODE_BYTES,
    dinodePointers: Math.floor((blockSize - DINODE_BYTES) / 8),
    indirectHeaderBytes,
    indirectPointers: Math.floor((blockSize - indirectHeaderBytes) / 8),
    journaledBytes: blockSize - HEADER_BYTES,
    leafBytes: blockSize - LEAF_HEADER_BYTES,
    initialDepth: Math.log2(blockSize / 16),
    superblockBlock: SUPERBLOCK_OFFSET / blockSize,
    firstBitmapBytes: blockSize - RESOURCE_GROUP_HEADER_BYTES,
    nextBitmapBytes: blockSize - HEADER_BYTES,
  };
}
