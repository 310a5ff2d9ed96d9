import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { byteString, bytesOf } from '../bytes/byte-string.js';
import { imageError } from '../diagnostic.js';
import { SUPERBLOCK_OFFSET } from './constants.js';
import { isBlockSize } from './geometry.js';
import { type InodeNumber, readInodeNumber, writeInodeNumber } from './inode-number.js';
import { faultOfHeader, writeMetadataHeader } from './metadata-header.js';

/** Bytes of the superblock that have a meaning; the rest of its block is zero (§3.3). */
export const SUPERBLOCK_BYTES = 352;
/** Longest lock protocol and lock table name, without the NUL (§3.3). */
export const LOCK_NAME_BYTES_MAX = 63;

/** The OpenGFS superblock (§3.3). */
export interface Superblock {
  /** Filesystem format number: 1309 today's tools, 1308 and lower in the period's (§12). */
  readonly filesystemFormat: number;
  /** Multihost format number: 1401, or 1400 in old images. */
  readonly multihostFormat: number;
  readonly flags: number;
  /** Bytes in a block. */
  readonly blockSize: number;
  readonly blockSizeShift: number;
  /** Blocks in a journal segment. */
  readonly segmentBlocks: number;
  readonly journalIndex: InodeNumber;
  readonly resourceIndex: InodeNumber;
  readonly root: InodeNumber;
  readonly lockProtocol: string;
  readonly lockTable: string;
  readonly quota: InodeNumber;
  readonly license: InodeNumber;
}

const offsets = {
  filesystemFormat: 24,
  multihostFormat: 28,
  flags: 32,
  blockSize: 36,
  blockSizeShift: 40,
  segmentBlocks: 44,
  journalIndex: 48,
  resourceIndex: 64,
  root: 80,
  lockProtocol: 96,
  lockTable: 160,
  quota: 224,
  license: 240,
} as const;

const LOCK_NAME_FIELD_BYTES = 64;

/** A lock protocol or lock table name, up to its NUL. */
export function readLockName(bytes: Buffer, offset: number): string {
  const field = bytes.subarray(offset, offset + LOCK_NAME_FIELD_BYTES);
  const end = field.indexOf(0);
  return byteString(end < 0 ? field : field.subarray(0, end));
}

/** Decodes the fields as they are; nothing is checked. `bytes` needs SUPERBLOCK_BYTES. */
export function decodeSuperblock(bytes: Buffer): Superblock {
  return {
    filesystemFormat: bytes.readUInt32BE(offsets.filesystemFormat),
    multihostFormat: bytes.readUInt32BE(offsets.multihostFormat),
    flags: bytes.readUInt32BE(offsets.flags),
    blockSize: bytes.readUInt32BE(offsets.blockSize),
    blockSizeShift: bytes.readUInt32BE(offsets.blockSizeShift),
    segmentBlocks: bytes.readUInt32BE(offsets.segmentBlocks),
    journalIndex: readInodeNumber(bytes, offsets.journalIndex),
    resourceIndex: readInodeNumber(bytes, offsets.resourceIndex),
    root: readInodeNumber(bytes, offsets.root),
    lockProtocol: readLockName(bytes, offsets.lockProtocol),
    lockTable: readLockName(bytes, offsets.lockTable),
    quota: readInodeNumber(bytes, offsets.quota),
    license: readInodeNumber(bytes, offsets.license),
  };
}

/** The superblock's whole block. Throws a RangeError on names that are too long. */
export function encodeSuperblock(superblock: Superblock): Buffer {
  for (const name of [superblock.lockProtocol, superblock.lockTable]) {
    if (bytesOf(name).length > LOCK_NAME_BYTES_MAX) throw new RangeError(`lock name too long: ${name}`);
  }
  const block = Buffer.alloc(superblock.blockSize);
  writeMetadataHeader(block, 'superblock');
  block.writeUInt32BE(superblock.filesystemFormat, offsets.filesystemFormat);
  block.writeUInt32BE(superblock.multihostFormat, offsets.multihostFormat);
  block.writeUInt32BE(superblock.flags, offsets.flags);
  block.writeUInt32BE(superblock.blockSize, offsets.blockSize);
  block.writeUInt32BE(superblock.blockSizeShift, offsets.blockSizeShift);
  block.writeUInt32BE(superblock.segmentBlocks, offsets.segmentBlocks);
  writeInodeNumber(block, superblock.journalIndex, offsets.journalIndex);
  writeInodeNumber(block, superblock.resourceIndex, offsets.resourceIndex);
  writeInodeNumber(block, superblock.root, offsets.root);
  bytesOf(superblock.lockProtocol).copy(block, offsets.lockProtocol);
  bytesOf(superblock.lockTable).copy(block, offsets.lockTable);
  writeInodeNumber(block, superblock.quota, offsets.quota);
  writeInodeNumber(block, superblock.license, offsets.license);
  return block;
}

/** The first format number of the GFS2 line: the magic is the same, the fields are not. */
export const GFS2_FILESYSTEM_FORMAT_MIN = 1800;

/** Whether the device holds OpenGFS of any format number. */
export function isOpenGfs(source: ByteSource): boolean {
  const format = filesystemFormatOf(source);
  return format !== undefined && format < GFS2_FILESYSTEM_FORMAT_MIN;
}

/** Whether the device holds GFS2. */
export function isGfs2(source: ByteSource): boolean {
  const format = filesystemFormatOf(source);
  return format !== undefined && format >= GFS2_FILESYSTEM_FORMAT_MIN;
}

/** The format number in a superblock of the GFS line, or undefined when there is none. */
function filesystemFormatOf(source: ByteSource): number | undefined {
  if (source.size < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) return undefined;
  const bytes = readBytes(source, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
  return faultOfHeader(bytes, 'superblock') === undefined
    ? decodeSuperblock(bytes).filesystemFormat
    : undefined;
}

/**
 * Reads the superblock. Throws a DiagnosticError when there is none or when its block size makes the rest
 * unreadable; everything else is left to the checker.
 */
export function readSuperblock(source: ByteSource): Superblock {
  const location = { file: source.name, offset: SUPERBLOCK_OFFSET };
  if (source.size < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) {
    throw imageError(location, `too small for a GFS filesystem: ${source.size} bytes`);
  }
  const bytes = readBytes(source, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
  const fault = faultOfHeader(bytes, 'superblock');
  if (fault !== undefined)
    throw imageError(location, fault, 'This is no OpenGFS filesystem, or its superblock is lost.');
  const superblock = decodeSuperblock(bytes);
  if (superblock.filesystemFormat >= GFS2_FILESYSTEM_FORMAT_MIN) {
    throw imageError(location, `filesystem format ${superblock.filesystemFormat} is GFS2, not OpenGFS`);
  }
  if (!isBlockSize(superblock.blockSize)) {
    throw imageError(location, `block size ${superblock.blockSize} is no power of two from 512 to 65536`);
  }
  return superblock;
}
