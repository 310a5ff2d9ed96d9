import { readInt64BE, readUint64BE, writeInt64BE } from '../bytes/integers.js';
import { QUOTA_RECORD_BYTES } from './constants.js';

/** A record of the quota file (§3.13), in filesystem blocks. User n is record 2n, group n is record 2n + 1. */
export interface QuotaRecord {
  readonly limit: number;
  readonly warn: number;
  /** Blocks in use. */
  readonly value: number;
}

export function decodeQuotaRecord(bytes: Buffer, offset: number): QuotaRecord {
  return {
    limit: readUint64BE(bytes, offset),
    warn: readUint64BE(bytes, offset + 8),
    value: readInt64BE(bytes, offset + 16),
  };
}

export function encodeQuotaRecord(record: QuotaRecord): Buffer {
  const bytes = Buffer.alloc(QUOTA_RECORD_BYTES);
  writeInt64BE(bytes, record.limit, 0);
  writeInt64BE(bytes, record.warn, 8);
  writeInt64BE(bytes, record.value, 16);
  return bytes;
}
