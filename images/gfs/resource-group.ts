import { readUint64BE, writeInt64BE } from '../bytes/integers.js';
import { RESOURCE_GROUP_HEADER_BYTES, RESOURCE_INDEX_RECORD_BYTES } from './constants.js';
import type { Geometry } from './geometry.js';
import { INODE_NUMBER_BYTES, type InodeNumber, readInodeNumber, writeInodeNumber } from './inode-number.js';
import { writeMetadataHeader } from './metadata-header.js';

/** Where a resource group lies: a record of the resource index (§3.5). */
export interface ResourceIndexRecord {
  /** Block of the header. */
  readonly address: number;
  /** Blocks of header and bitmap. */
  readonly length: number;
  /** First allocatable block: address + length. */
  readonly firstData: number;
  /** Allocatable blocks, a multiple of 4. */
  readonly data: number;
  /** Bytes of bitmap: data / 4. */
  readonly bitmapBytes: number;
}

export function decodeResourceIndexRecord(bytes: Buffer, offset: number): ResourceIndexRecord {
  return {
    address: readUint64BE(bytes, offset),
    length: bytes.readUInt32BE(offset + 8),
    firstData: readUint64BE(bytes, offset + 16),
    data: bytes.readUInt32BE(offset + 24),
    bitmapBytes: bytes.readUInt32BE(offset + 28),
  };
}

export function encodeResourceIndexRecord(record: ResourceIndexRecord): Buffer {
  const bytes = Buffer.alloc(RESOURCE_INDEX_RECORD_BYTES);
  writeInt64BE(bytes, record.address, 0);
  bytes.writeUInt32BE(record.length, 8);
  writeInt64BE(bytes, record.firstData, 16);
  bytes.writeUInt32BE(record.data, 24);
  bytes.writeUInt32BE(record.bitmapBytes, 28);
  return bytes;
}

/** The counters in a resource group's header (§3.6): blocks of each state, dinodes counted apart. */
export interface ResourceGroupCounters {
  readonly flags: number;
  readonly free: number;
  readonly usedDinodes: number;
  readonly freeDinodes: number;
  readonly freeDinodeList: InodeNumber;
  /** Metadata blocks in use that are not dinodes. */
  readonly usedMetadata: number;
  readonly freeMetadata: number;
}

export function decodeResourceGroupCounters(block: Buffer): ResourceGroupCounters {
  return {
    flags: block.readUInt32BE(24),
    free: block.readUInt32BE(28),
    usedDinodes: block.readUInt32BE(32),
    freeDinodes: block.readUInt32BE(36),
    freeDinodeList: readInodeNumber(block, 40),
    usedMetadata: block.readUInt32BE(40 + INODE_NUMBER_BYTES),
    freeMetadata: block.readUInt32BE(60),
  };
}

/** Header and bitmap blocks of a resource group, ready to be written at its address. */
export function encodeResourceGroup(
  geometry: Geometry,
  length: number,
  counters: ResourceGroupCounters,
  bitmap: Uint8Array,
): Buffer {
  const { blockSize } = geometry;
  const bytes = Buffer.alloc(length * blockSize);
  writeMetadataHeader(bytes, 'resourceGroup');
  bytes.writeUInt32BE(counters.flags, 24);
  bytes.writeUInt32BE(counters.free, 28);
  bytes.writeUInt32BE(counters.usedDinodes, 32);
  bytes.writeUInt32BE(counters.freeDinodes, 36);
  writeInodeNumber(bytes, counters.freeDinodeList, 40);
  bytes.writeUInt32BE(counters.usedMetadata, 56);
  bytes.writeUInt32BE(counters.freeMetadata, 60);
  for (let index = 1; index < length; index++) {
    writeMetadataHeader(bytes.subarray(index * blockSize), 'resourceGroupBitmap');
  }
  for (const part of bitmapParts(geometry, length, bitmap.length)) {
    bytes.set(bitmap.subarray(part.start, part.start + part.length), part.position);
  }
  return bytes;
}

/** What the allocator counts in a resource group. */
export interface ResourceGroupTally {
  free: number;
  usedDinodes: number;
  /** Metadata blocks in use that are not dinodes; 0 where the dialect does not count them. */
  usedMetadata: number;
  /** Number for the next dinode's generation; 0 where the dialect has none. */
  generation: number;
}

/** How a dialect keeps these counts in the header of a resource group. */
export interface ResourceGroupCodec {
  decode(header: Buffer): ResourceGroupTally;
  /** Header and bitmap blocks of a group, ready to be written; `header` is its header as it was. */
  encode(
    geometry: Geometry,
    length: number,
    header: Buffer,
    tally: ResourceGroupTally,
    bitmap: Buffer,
  ): Buffer;
}

export const openGfsResourceGroup: ResourceGroupCodec = {
  decode(header) {
    const { free, usedDinodes, usedMetadata } = decodeResourceGroupCounters(header);
    return { free, usedDinodes, usedMetadata, generation: 0 };
  },
  encode(geometry, length, header, { free, usedDinodes, usedMetadata }, bitmap) {
    const counters = { ...decodeResourceGroupCounters(header), free, usedDinodes, usedMetadata };
    return encodeResourceGroup(geometry, length, counters, bitmap);
  },
};

/** The bitmap of a resource group out of its header and bitmap blocks. */
export function decodeBitmap(geometry: Geometry, blocks: Buffer, bitmapBytes: number): Buffer {
  const bitmap = Buffer.alloc(bitmapBytes);
  for (const part of bitmapParts(geometry, blocks.length / geometry.blockSize, bitmapBytes)) {
    blocks.copy(bitmap, part.start, part.position, part.position + part.length);
  }
  return bitmap;
}

/** Which bytes of the bitmap lie where in the group's blocks: after the header, then in each bitmap block. */
export function* bitmapParts(
  geometry: Geometry,
  length: number,
  bitmapBytes: number,
): Generator<{ start: number; position: number; length: number }> {
  let start = 0;
  for (let block = 0; block < length && start < bitmapBytes; block++) {
    const header = block === 0 ? RESOURCE_GROUP_HEADER_BYTES : geometry.blockSize - geometry.nextBitmapBytes;
    const count = Math.min(geometry.blockSize - header, bitmapBytes - start);
    yield { start, position: block * geometry.blockSize + header, length: count };
    start += count;
  }
}

/** Bytes of bitmap that `length` blocks hold. */
export function bitmapCapacity(geometry: Geometry, length: number): number {
  return length < 1 ? 0 : geometry.firstBitmapBytes + (length - 1) * geometry.nextBitmapBytes;
}
