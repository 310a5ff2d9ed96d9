import { readUint64BE, writeInt64BE } from '../bytes/integers.js';
import { JOURNAL_INDEX_RECORD_BYTES, LOG_HEADER_BYTES, LOG_HEADER_COPY_OFFSET } from './constants.js';
import { writeMetadataHeader } from './metadata-header.js';

/** Where a journal lies: a record of the journal index (§3.4). */
export interface JournalIndexRecord {
  /** First block; a multiple of the segment size. */
  readonly address: number;
  readonly segments: number;
}

export function decodeJournalIndexRecord(bytes: Buffer, offset: number): JournalIndexRecord {
  return { address: readUint64BE(bytes, offset), segments: bytes.readUInt32BE(offset + 8) };
}

export function encodeJournalIndexRecord(record: JournalIndexRecord): Buffer {
  const bytes = Buffer.alloc(JOURNAL_INDEX_RECORD_BYTES);
  writeInt64BE(bytes, record.address, 0);
  bytes.writeUInt32BE(record.segments, 8);
  return bytes;
}

/** Flag of a log header: the filesystem was unmounted cleanly at this point (§3.12). */
export const LOG_HEADER_CLEAN = 1;

/** The head of a journal segment (§3.12). */
export interface LogHeader {
  readonly flags: number;
  /** Block of the first header of this transaction; its own block for a header that stands alone. */
  readonly first: number;
  readonly sequence: number;
  readonly tail: number;
  readonly lastDump: number;
}

export function decodeLogHeader(block: Buffer, offset = 0): LogHeader {
  return {
    flags: block.readUInt32BE(offset + 24),
    first: readUint64BE(block, offset + 32),
    sequence: readUint64BE(block, offset + 40),
    tail: readUint64BE(block, offset + 48),
    lastDump: readUint64BE(block, offset + 56),
  };
}

/** Writes both copies of the header to a block that is zero otherwise: at 0 and at 384, whatever its size (§3.12). */
export function encodeLogHeader(header: LogHeader, block: Buffer): void {
  writeMetadataHeader(block, 'logHeader');
  block.writeUInt32BE(header.flags, 24);
  writeInt64BE(block, header.first, 32);
  writeInt64BE(block, header.sequence, 40);
  writeInt64BE(block, header.tail, 48);
  writeInt64BE(block, header.lastDump, 56);
  block.copy(block, LOG_HEADER_COPY_OFFSET, 0, LOG_HEADER_BYTES);
}
