import { readUint64BE, writeInt64BE } from '../bytes/integers.js';
import { BlockFormat, BlockType, type BlockTypeName, MAGIC } from './constants.js';

/** The first 24 bytes of every metadata block (§3.1). */
export interface MetadataHeader {
  readonly magic: number;
  readonly type: number;
  /** Compared at journal replay; 0 in an image made offline. */
  readonly generation: number;
  readonly format: number;
  readonly incarnation: number;
}

export function readMetadataHeader(block: Buffer): MetadataHeader {
  return {
    magic: block.readUInt32BE(0),
    type: block.readUInt32BE(4),
    generation: readUint64BE(block, 8),
    format: block.readUInt32BE(16),
    incarnation: block.readUInt32BE(20),
  };
}

/** Writes the header of a new block of this type. */
export function writeMetadataHeader(block: Buffer, type: BlockTypeName): void {
  block.writeUInt32BE(MAGIC, 0);
  block.writeUInt32BE(BlockType[type], 4);
  writeInt64BE(block, 0, 8);
  block.writeUInt32BE(BlockFormat[type], 16);
  block.writeUInt32BE(0, 20);
}

/** What is wrong with the header of a block that should be of this type, or undefined when nothing is. */
export function faultOfHeader(block: Buffer, type: BlockTypeName): string | undefined {
  const header = readMetadataHeader(block);
  if (header.magic !== MAGIC) {
    return `no ${type} block: its magic is 0x${header.magic.toString(16).padStart(8, '0')}, not 0x${MAGIC.toString(16).padStart(8, '0')}`;
  }
  if (header.type !== BlockType[type]) {
    return `no ${type} block: its type is ${header.type}, not ${BlockType[type]}`;
  }
  if (header.format !== BlockFormat[type]) {
    return `${type} block of format ${header.format}, not ${BlockFormat[type]}`;
  }
  return undefined;
}
