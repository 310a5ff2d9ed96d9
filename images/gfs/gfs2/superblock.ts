import { type ByteSource, readBytes } from '../../bytes/byte-source.js';
import { imageError } from '../../diagnostic.js';
import { SUPERBLOCK_OFFSET } from '../constants.js';
import { isBlockSize } from '../geometry.js';
import { type InodeNumber, readInodeNumber } from '../inode-number.js';
import { faultOfHeader } from '../metadata-header.js';
import { GFS2_FILESYSTEM_FORMAT_MIN, readLockName } from '../superblock.js';

/** Bytes of the superblock that have a meaning (docs/gfs2-format.md §3.1). */
export const GFS2_SUPERBLOCK_BYTES = 272;

/** The GFS2 superblock (§3.1). */
export interface Gfs2Superblock {
  /** 1801, or 1802 where attributes of the type `trusted` are allowed. */
  readonly filesystemFormat: number;
  readonly multihostFormat: number;
  /** Bytes in a block. */
  readonly blockSize: number;
  readonly blockSizeShift: number;
  /** The directory of the filesystem's own files, which has no name. */
  readonly master: InodeNumber;
  readonly root: InodeNumber;
  readonly lockProtocol: string;
  readonly lockTable: string;
  /** 32 hexadecimal digits with dashes; all zero in old images. */
  readonly uuid: string;
}

export const gfs2SuperblockOffsets = {
  filesystemFormat: 24,
  multihostFormat: 28,
  blockSize: 36,
  blockSizeShift: 40,
  master: 48,
  root: 80,
  lockProtocol: 96,
  lockTable: 160,
  uuid: 256,
} as const;

/** Decodes the fields as they are; nothing is checked. `bytes` needs GFS2_SUPERBLOCK_BYTES. */
export function decodeGfs2Superblock(bytes: Buffer): Gfs2Superblock {
  const offsets = gfs2SuperblockOffsets;
  return {
    filesystemFormat: bytes.readUInt32BE(offsets.filesystemFormat),
    multihostFormat: bytes.readUInt32BE(offsets.multihostFormat),
    blockSize: bytes.readUInt32BE(offsets.blockSize),
    blockSizeShift: bytes.readUInt32BE(offsets.blockSizeShift),
    master: readInodeNumber(bytes, offsets.master),
    root: readInodeNumber(bytes, offsets.root),
    lockProtocol: readLockName(bytes, offsets.lockProtocol),
    lockTable: readLockName(bytes, offsets.lockTable),
    uuid: formatUuid(bytes.subarray(offsets.uuid, offsets.uuid + 16)),
  };
}

function formatUuid(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/**
 * Reads the superblock. Throws a DiagnosticError when there is none or when its block size makes the rest
 * unreadable; everything else is left to the checker.
 */
export function readGfs2Superblock(source: ByteSource): Gfs2Superblock {
  const location = { file: source.name, offset: SUPERBLOCK_OFFSET };
  if (source.size < SUPERBLOCK_OFFSET + GFS2_SUPERBLOCK_BYTES) {
    throw imageError(location, `too small for a GFS2 filesystem: ${source.size} bytes`);
  }
  const bytes = readBytes(source, SUPERBLOCK_OFFSET, GFS2_SUPERBLOCK_BYTES);
  const fault = faultOfHeader(bytes, 'superblock');
  if (fault !== undefined)
    throw imageError(location, fault, 'This is no GFS2 filesystem, or its superblock is lost.');
  const superblock = decodeGfs2Superblock(bytes);
  if (superblock.filesystemFormat < GFS2_FILESYSTEM_FORMAT_MIN) {
    throw imageError(location, `filesystem format ${superblock.filesystemFormat} is OpenGFS, not GFS2`);
  }
  if (!isBlockSize(superblock.blockSize)) {
    throw imageError(location, `block size ${superblock.blockSize} is no power of two from 512 to 65536`);
  }
  return superblock;
}
