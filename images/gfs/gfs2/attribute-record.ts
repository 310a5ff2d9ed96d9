import { type ByteString, byteString, bytesOf } from '../../bytes/byte-string.js';
import { readUint64BE, writeInt64BE } from '../../bytes/integers.js';
import { HEADER_BYTES } from '../constants.js';
import type { Geometry } from '../geometry.js';
import { FilesystemFormat } from './constants.js';

/** Bytes of a record before its name (docs/gfs2-format.md §7). */
export const RECORD_HEADER_BYTES = 16;
/** Longest value of an attribute, in bytes. */
export const VALUE_BYTES_MAX = 65536;
/** Longest name behind its prefix, in bytes. */
export const NAME_BYTES_MAX = 255;
const FLAG_LAST = 1;

/** What the start of a name becomes in a record. */
const types = { 'user.': 1, 'system.': 2, 'security.': 3, 'trusted.': 4 } as const;
const prefixes = new Map<number, string>(Object.entries(types).map(([prefix, type]) => [type, prefix]));
const TYPE_UNUSED = 0;

/** An attribute's name as a record has it. */
export interface AttributeName {
  readonly type: number;
  readonly name: Buffer;
}

/** Type and name for a full name (`user.x`); undefined for what has no type, an empty name or one that is too long. */
export function attributeNameOf(full: ByteString, filesystemFormat: number): AttributeName | undefined {
  const found = Object.entries(types).find(([prefix]) => full.startsWith(prefix));
  if (found === undefined) return undefined;
  const [prefix, type] = found;
  if (type === types['trusted.'] && filesystemFormat < FilesystemFormat.trustedAttributes) return undefined;
  const name = bytesOf(full.slice(prefix.length));
  return name.length < 1 || name.length > NAME_BYTES_MAX ? undefined : { type, name };
}

/** A record in a block of attributes: an attribute, or free space. */
export interface AttributeRecord {
  /** Byte offset in the block. */
  readonly offset: number;
  readonly recordBytes: number;
  /** Undefined for a record in which nothing is stored. */
  readonly attribute:
    | {
        /** With its prefix. */
        readonly name: ByteString;
        readonly valueBytes: number;
        /** The value, when it lies in the record. */
        readonly stored: Buffer | undefined;
        /** Blocks of the value, when it does not. */
        readonly pointers: readonly number[];
      }
    | undefined;
}

/**
 * The records of a block of attributes. A broken record ends them: `onFault` gets its offset and what is wrong, and
 * nothing after it is given.
 */
export function* readAttributeRecords(
  geometry: Geometry,
  block: Buffer,
  onFault: (offset: number, message: string) => void,
): Generator<AttributeRecord> {
  for (let offset = HEADER_BYTES; ; ) {
    const left = block.length - offset;
    const recordBytes = left < RECORD_HEADER_BYTES ? 0 : block.readUInt32BE(offset);
    if (recordBytes < RECORD_HEADER_BYTES || recordBytes > left || recordBytes % 8 !== 0) {
      onFault(offset, `an attribute record of ${recordBytes} bytes, with ${left} left in its block`);
      return;
    }
    const fault = yield* oneRecord(geometry, block, offset, recordBytes);
    if (fault !== undefined) {
      onFault(offset, fault);
      return;
    }
    const isLast = (block.readUInt8(offset + 10) & FLAG_LAST) !== 0;
    if (isLast !== (recordBytes === left)) {
      onFault(offset, 'an attribute record that is marked as the last and is not, or the other way round');
      return;
    }
    if (isLast) return;
    offset += recordBytes;
  }
}

function* oneRecord(
  geometry: Geometry,
  block: Buffer,
  offset: number,
  recordBytes: number,
): Generator<AttributeRecord, string | undefined> {
  const type = block.readUInt8(offset + 9);
  if (type === TYPE_UNUSED) {
    yield { offset, recordBytes, attribute: undefined };
    return undefined;
  }
  const prefix = prefixes.get(type);
  if (prefix === undefined) return `an attribute record of the unknown type ${type}`;
  const valueBytes = block.readUInt32BE(offset + 4);
  const nameBytes = block.readUInt8(offset + 8);
  const pointerCount = block.readUInt8(offset + 11);
  if (nameBytes === 0) return 'an attribute without a name';
  if (valueBytes > VALUE_BYTES_MAX) return `an attribute value of ${valueBytes} bytes`;
  const nameAt = offset + RECORD_HEADER_BYTES;
  const isStored = pointerCount === 0;
  if (!isStored && pointerCount !== Math.ceil(valueBytes / geometry.journaledBytes))
    return `${pointerCount} blocks for an attribute value of ${valueBytes} bytes`;
  const needed = isStored
    ? RECORD_HEADER_BYTES + nameBytes + valueBytes
    : RECORD_HEADER_BYTES + aligned(nameBytes) + pointerCount * 8;
  if (needed > recordBytes) return `an attribute record of ${recordBytes} bytes that needs ${needed}`;
  const valueAt = nameAt + nameBytes;
  const pointersAt = nameAt + aligned(nameBytes);
  const attribute = {
    name: prefix + byteString(block.subarray(nameAt, valueAt)),
    valueBytes,
    stored: isStored ? Buffer.from(block.subarray(valueAt, valueAt + valueBytes)) : undefined,
    pointers: Array.from({ length: pointerCount }, (_, index) => readUint64BE(block, pointersAt + index * 8)),
  };
  yield { offset, recordBytes, attribute };
  return undefined;
}

function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** How an attribute will be stored. */
export interface AttributePlan extends AttributeName {
  readonly value: Uint8Array;
  /** Least length of its record. */
  readonly recordBytes: number;
  /** Blocks of its value; 0 when that lies in the record. */
  readonly valueBlocks: number;
}

/** A value lies in its record when the record then fits in a block, otherwise in blocks of its own (§7). */
export function planAttribute(
  geometry: Geometry,
  { type, name }: AttributeName,
  value: Uint8Array,
): AttributePlan {
  const stored = aligned(RECORD_HEADER_BYTES + name.length + value.length);
  if (stored <= geometry.journaledBytes) return { type, name, value, recordBytes: stored, valueBlocks: 0 };
  const valueBlocks = Math.ceil(value.length / geometry.journaledBytes);
  const recordBytes = RECORD_HEADER_BYTES + aligned(name.length) + valueBlocks * 8;
  return { type, name, value, recordBytes, valueBlocks };
}

/** Writes one record at `offset`; `recordBytes` may be more than the minimum. */
export function encodeAttributeRecord(
  block: Buffer,
  plan: AttributePlan,
  pointers: readonly number[],
  offset: number,
  recordBytes: number,
  isLast: boolean,
): void {
  const { type, name, value } = plan;
  block.writeUInt32BE(recordBytes, offset);
  block.writeUInt32BE(value.length, offset + 4);
  block.writeUInt8(name.length, offset + 8);
  block.writeUInt8(type, offset + 9);
  block.writeUInt8(isLast ? FLAG_LAST : 0, offset + 10);
  block.writeUInt8(pointers.length, offset + 11);
  const nameAt = offset + RECORD_HEADER_BYTES;
  block.set(name, nameAt);
  if (pointers.length === 0) block.set(value, nameAt + name.length);
  for (const [index, pointer] of pointers.entries())
    writeInt64BE(block, pointer, nameAt + aligned(name.length) + index * 8);
}
