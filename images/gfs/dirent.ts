import { crc32 } from 'node:zlib';
import { type ByteString, byteString, bytesOf } from '../bytes/byte-string.js';
import { DIRENT_HEADER_BYTES } from './constants.js';
import { INODE_NUMBER_BYTES, type InodeNumber, readInodeNumber, writeInodeNumber } from './inode-number.js';

/** A name in a directory (§3.11). */
export interface Dirent {
  readonly inode: InodeNumber;
  readonly hash: number;
  /** A code of FileType. */
  readonly type: number;
  readonly name: ByteString;
}

/** A record of a dirent chain as it lies in a block: a live one, or free space. */
export interface DirentRecord {
  /** Byte offset in the block. */
  readonly offset: number;
  readonly recordBytes: number;
  readonly nameBytes: number;
  /** Undefined for a record in which nothing is stored (formal inode 0). */
  readonly dirent: Dirent | undefined;
}

/** Hash of a name in a directory: CRC-32 as in zlib, over the raw bytes (§5). */
export function hashOfName(name: ByteString): number {
  return crc32(bytesOf(name));
}

/** Least length of a record for a name: head and name, rounded up to 8 bytes (§3.11). */
export function minimumRecordBytes(nameBytes: number): number {
  return (DIRENT_HEADER_BYTES + nameBytes + 7) & ~7;
}

/** Writes one record at `offset`; `recordBytes` may be more than the minimum. */
export function encodeDirent(block: Buffer, dirent: Dirent, offset: number, recordBytes: number): void {
  const { name } = dirent;
  writeInodeNumber(block, dirent.inode, offset);
  block.writeUInt32BE(dirent.hash, offset + INODE_NUMBER_BYTES);
  block.writeUInt16BE(recordBytes, offset + 20);
  block.writeUInt16BE(name.length, offset + 22);
  block.writeUInt16BE(dirent.type, offset + 24);
  block.write(name, offset + DIRENT_HEADER_BYTES, 'latin1');
}

/**
 * The records of a dirent chain from `start` to the end of `block`, as far as the chain can be followed. A broken
 * record ends it: `onFault` gets its offset and what is wrong, and nothing after it is given.
 */
export function* readDirents(
  block: Buffer,
  start: number,
  onFault: (offset: number, message: string) => void,
): Generator<DirentRecord> {
  let offset = start;
  while (offset < block.length) {
    if (block.length - offset < DIRENT_HEADER_BYTES) {
      onFault(offset, `a directory entry with only ${block.length - offset} bytes left in its block`);
      return;
    }
    const recordBytes = block.readUInt16BE(offset + 20);
    const nameBytes = block.readUInt16BE(offset + 22);
    const inode = readInodeNumber(block, offset);
    const live = inode.formal !== 0;
    if (recordBytes % 8 !== 0 || recordBytes < DIRENT_HEADER_BYTES || offset + recordBytes > block.length) {
      onFault(
        offset,
        `a directory entry of ${recordBytes} bytes, with ${block.length - offset} left in its block`,
      );
      return;
    }
    if (live && minimumRecordBytes(nameBytes) > recordBytes) {
      onFault(offset, `a directory entry of ${recordBytes} bytes with a name of ${nameBytes}`);
      return;
    }
    const name = offset + DIRENT_HEADER_BYTES;
    yield {
      offset,
      recordBytes,
      nameBytes,
      dirent: live
        ? {
            inode,
            hash: block.readUInt32BE(offset + INODE_NUMBER_BYTES),
            type: block.readUInt16BE(offset + 24),
            name: byteString(block.subarray(name, name + nameBytes)),
          }
        : undefined,
    };
    offset += recordBytes;
  }
}
