import { crc32 } from 'node:zlib';
import { readUint64BE, writeInt64BE } from '../../bytes/integers.js';
import { RESOURCE_GROUP_HEADER_BYTES } from '../constants.js';
import { writeMetadataHeader } from '../metadata-header.js';
import { bitmapParts, type ResourceGroupCodec } from '../resource-group.js';

/** The header of a GFS2 resource group (docs/gfs2-format.md §3.3). */
export interface Gfs2ResourceGroup {
  readonly flags: number;
  readonly free: number;
  readonly dinodes: number;
  /** Blocks to the next group's header; 0 in the last, or where it is not kept. */
  readonly skip: number;
  /** For the generation of the next dinode that is made here. */
  readonly generation: number;
  /** Copies of the resource index's fields; all 0 where they are not kept. */
  readonly firstData: number;
  readonly data: number;
  readonly bitmapBytes: number;
  /** CRC-32 of the header with this field 0; 0 where it is not kept. */
  readonly crc: number;
}

const offsets = {
  flags: 24,
  free: 28,
  dinodes: 32,
  skip: 36,
  generation: 40,
  firstData: 48,
  data: 56,
  bitmapBytes: 60,
  crc: 64,
} as const;

export function decodeGfs2ResourceGroup(header: Buffer): Gfs2ResourceGroup {
  return {
    flags: header.readUInt32BE(offsets.flags),
    free: header.readUInt32BE(offsets.free),
    dinodes: header.readUInt32BE(offsets.dinodes),
    skip: header.readUInt32BE(offsets.skip),
    generation: readUint64BE(header, offsets.generation),
    firstData: readUint64BE(header, offsets.firstData),
    data: header.readUInt32BE(offsets.data),
    bitmapBytes: header.readUInt32BE(offsets.bitmapBytes),
    crc: header.readUInt32BE(offsets.crc),
  };
}

/** The checksum that belongs in a header: CRC-32 as in zlib over its 128 bytes, the checksum itself taken as 0. */
export function checksumOfResourceGroup(header: Buffer): number {
  const copy = Buffer.from(header.subarray(0, RESOURCE_GROUP_HEADER_BYTES));
  copy.writeUInt32BE(0, offsets.crc);
  return crc32(copy);
}

/** Counts dinodes and all other used blocks; what else mkfs wrote in the header stays. */
export const gfs2ResourceGroup: ResourceGroupCodec = {
  decode(header) {
    const { free, dinodes, generation } = decodeGfs2ResourceGroup(header);
    return { free, usedDinodes: dinodes, usedMetadata: 0, generation };
  },
  encode(geometry, length, header, { free, usedDinodes, generation }, bitmap) {
    const { blockSize } = geometry;
    const blocks = Buffer.alloc(length * blockSize);
    header.copy(blocks, 0, 0, RESOURCE_GROUP_HEADER_BYTES);
    blocks.writeUInt32BE(free, offsets.free);
    blocks.writeUInt32BE(usedDinodes, offsets.dinodes);
    writeInt64BE(blocks, generation, offsets.generation);
    blocks.writeUInt32BE(checksumOfResourceGroup(blocks), offsets.crc);
    for (let index = 1; index < length; index++)
      writeMetadataHeader(blocks.subarray(index * blockSize), 'resourceGroupBitmap');
    for (const { start, position, length: count } of bitmapParts(geometry, length, bitmap.length))
      blocks.set(bitmap.subarray(start, start + count), position);
    return blocks;
  },
};
