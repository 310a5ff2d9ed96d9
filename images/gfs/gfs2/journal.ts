import { crc32 } from 'node:zlib';
import { readUint64BE, writeInt64BE } from '../../bytes/integers.js';
import type { Pace } from '../../bytes/pace.js';
import { extentsOfFile } from '../block-tree-reader.js';
import { BlockType } from '../constants.js';
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

/** Journals are read in pieces of this many bytes, which a processor's cache holds. */
const PIECE_BYTES = 256 * 1024;

/** Blocks of a journal that follow each other on the device. `bytes` is valid until the next piece is asked for. */
export interface JournalPiece {
  /** First block, counted from the start of the journal, and on the device. */
  readonly index: number;
  readonly address: number;
  readonly bytes: Buffer;
}

/** A journal's blocks from front to back. Throws a DiagnosticError when its map is damaged. */
export function* journalPieces(image: Gfs2Image, address: number): Generator<JournalPiece> {
  const { blockSize } = image.geometry;
  const { size, height } = image.readDinode(address, 'the journal index').dinode;
  if (height === 0) return;
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  for (const { offset, position, length } of extentsOfFile(image, {
    address,
    size,
    height,
    journaled: false,
  })) {
    for (let done = 0; done + blockSize <= length; done += buffer.length) {
      const bytes = buffer.subarray(0, Math.min(buffer.length, length - (length % blockSize) - done));
      image.device.readInto(bytes, position + done);
      yield { index: (offset + done) / blockSize, address: (position + done) / blockSize, bytes };
    }
  }
}

/**
 * Finds the head of a journal: of all blocks that hold a log header for their own place with the right hash, the one
 * with the highest sequence number. Undefined when there is none. Throws a DiagnosticError when the journal's map is
 * damaged.
 */
export async function findJournalHead(
  image: Gfs2Image,
  address: number,
  pace: Pace,
): Promise<JournalHead | undefined> {
  const { blockSize } = image.geometry;
  let head: JournalHead | undefined;
  for (const piece of journalPieces(image, address)) {
    if (pace.due()) await pace.breathe();
    for (let offset = 0; offset < piece.bytes.length; offset += blockSize) {
      // Most blocks of a used journal hold something else.
      if (piece.bytes.readUInt32BE(offset + 4) !== BlockType.logHeader) continue;
      const block = piece.bytes.subarray(offset, offset + blockSize);
      const header = decodeGfs2LogHeader(block);
      if (head !== undefined && header.sequence <= head.header.sequence) continue;
      if (faultOfLogHeader(block, piece.index + offset / blockSize) === undefined)
        head = { address: piece.address + offset / blockSize, header };
    }
  }
  return head;
}

/** What is wrong with a log header that stands in block `index` of its journal, or undefined when nothing is. */
export function faultOfLogHeader(block: Buffer, index: number): string | undefined {
  const fault = faultOfHeader(block, 'logHeader');
  if (fault !== undefined) return fault;
  const header = decodeGfs2LogHeader(block);
  if (header.block !== index)
    return `a log header for block ${header.block} of the journal in block ${index}`;
  const hash = hashOfLogHeader(block);
  return header.hash === hash
    ? undefined
    : `a log header with the hash 0x${header.hash.toString(16)}, not 0x${hash.toString(16)}`;
}
