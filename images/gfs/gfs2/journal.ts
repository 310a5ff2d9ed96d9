import { crc32 } from 'node:zlib';
import { readUint64BE, writeInt64BE } from '../../bytes/integers.js';
import { extentsOfFile } from '../block-tree-reader.js';
import { faultOfHeader } from '../metadata-header.js';
import type { Gfs2Image } from './image.js';

/** Bytes of a log header that its hash covers, the hash itself taken as 0 (docs/gfs2-format.md §8). */
export const LOG_HEADER_HASHED_BYTES = 48;
/** Flag of a log header: the filesystem was unmounted cleanly at this point. */
export const LOG_HEADER_UNMOUNT = 1;

/** A log header, as far as every version of it goes (§8). */
export interface Gfs2LogHeader {
  readonly sequence: number;
  readonly flags: number;
  /** Block of the journal, counted from its start, at which what must be replayed begins. */
  readonly tail: number;
  /** The header's own place, counted in the same way. */
  readonly block: number;
  readonly hash: number;
}

const offsets = { sequence: 24, flags: 32, tail: 36, block: 40, hash: 44 } as const;

export function decodeGfs2LogHeader(bytes: Buffer): Gfs2LogHeader {
  return {
    sequence: readUint64BE(bytes, offsets.sequence),
    flags: bytes.readUInt32BE(offsets.flags),
    tail: bytes.readUInt32BE(offsets.tail),
    block: bytes.readUInt32BE(offsets.block),
    hash: bytes.readUInt32BE(offsets.hash),
  };
}

/** The hash that belongs in a log header: CRC-32 as in zlib. */
export function hashOfLogHeader(bytes: Buffer): number {
  const copy = Buffer.from(bytes.subarray(0, LOG_HEADER_HASHED_BYTES));
  copy.writeUInt32BE(0, offsets.hash);
  return crc32(copy);
}

/** Gives the log header in `bytes` another sequence number, in place. */
export function setLogSequence(bytes: Buffer, sequence: number): void {
  writeInt64BE(bytes, sequence, offsets.sequence);
  bytes.writeUInt32BE(0, offsets.hash);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, LOG_HEADER_HASHED_BYTES)), offsets.hash);
}

/** What the head of a journal says. */
export interface JournalHead {
  /** Its block on the device. */
  readonly address: number;
  readonly header: Gfs2LogHeader;
}

/**
 * Finds the head of a journal: of all blocks that hold a log header for their own place with the right hash, the one
 * with the highest sequence number. Undefined when there is none. Throws a DiagnosticError when the journal's map is
 * damaged.
 */
export function findJournalHead(image: Gfs2Image, address: number): JournalHead | undefined {
  const { blockSize } = image.geometry;
  const { dinode } = image.readDinode(address, 'the journal index');
  if (dinode.height === 0) return undefined;
  const bytes = Buffer.alloc(LOG_HEADER_HASHED_BYTES);
  let head: JournalHead | undefined;
  const map = { address, size: dinode.size, height: dinode.height, journaled: false };
  for (const { offset, position, length } of extentsOfFile(image, map)) {
    for (let done = 0; done + blockSize <= length; done += blockSize) {
      image.device.readInto(bytes, position + done);
      // Most blocks of a used journal hold something else.
      if (faultOfHeader(bytes, 'logHeader') !== undefined) continue;
      const header = decodeGfs2LogHeader(bytes);
      if (header.block !== (offset + done) / blockSize || header.hash !== hashOfLogHeader(bytes)) continue;
      if (head === undefined || header.sequence > head.header.sequence)
        head = { address: (position + done) / blockSize, header };
    }
  }
  return head;
}
