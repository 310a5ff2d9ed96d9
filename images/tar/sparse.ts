import type { ByteSource } from '../bytes/byte-source.js';
import { readBytes } from '../bytes/byte-source.js';
import type { Extent } from '../tree/content.js';
import { RECORD_BYTES, readNumber } from './header.js';
import { type PaxRecords, paxInteger } from './pax.js';

/** Data of a sparse member: where each part belongs in the file. The parts follow each other in the archive. */
interface SparsePart {
  readonly offset: number;
  readonly length: number;
}

/** A sparse member's real size and where its data lies in the archive. */
export interface SparseMember {
  readonly size: number;
  readonly extents: readonly Extent[];
}

const OLD_ENTRY_BYTES = 24;
const OLD_HEADER = { entries: 386, count: 4, extended: 482, realSize: 483 } as const;
const OLD_EXTENSION = { count: 21, extended: 504 } as const;

/** More parts than a real file has: one in every 8 KiB of 8 GiB. */
const PARTS_MAX = 1024 * 1024;
const TOO_MANY_PARTS = `its sparse map has more than ${PARTS_MAX} parts`;

/** Reads the old GNU form: a few entries in the header, more in blocks that follow it. */
export class OldSparseReader {
  private readonly parts: SparsePart[] = [];
  private readonly size: number;
  private more: boolean;
  private isEnded = false;

  constructor(header: Buffer) {
    this.take(header, OLD_HEADER.entries, OLD_HEADER.count);
    this.more = header[OLD_HEADER.extended] !== 0;
    this.size = readNumber(header.subarray(OLD_HEADER.realSize, OLD_HEADER.realSize + 12));
  }

  /** Reads the extension blocks from `position` on; returns where the data begins, or what is wrong. */
  readExtensions(source: ByteSource, position: number): number | string {
    let offset = position;
    while (this.more) {
      if (offset + RECORD_BYTES > source.size) return 'its sparse map is cut short';
      const block = readBytes(source, offset, RECORD_BYTES);
      this.take(block, 0, OLD_EXTENSION.count);
      if (this.parts.length > PARTS_MAX) return TOO_MANY_PARTS;
      this.more = block[OLD_EXTENSION.extended] !== 0;
      offset += RECORD_BYTES;
    }
    return offset;
  }

  /** The member, given where its data lies; or what is wrong. */
  member(position: number, length: number): SparseMember | string {
    return layOut(this.parts, this.size, position, length);
  }

  private take(block: Buffer, start: number, count: number): void {
    for (let index = 0; index < count; index++) {
      const entry = block.subarray(start + index * OLD_ENTRY_BYTES, start + (index + 1) * OLD_ENTRY_BYTES);
      // An empty entry ends the map, whatever stands after it.
      if (entry[12] === 0) this.isEnded = true;
      if (this.isEnded) return;
      this.parts.push({
        offset: readNumber(entry.subarray(0, 12)),
        length: readNumber(entry.subarray(12, 24)),
      });
    }
  }
}

/** Whether the records are those of a sparse member in one of the PAX forms (GNU tar manual, "Sparse Formats"). */
export function isPaxSparse(records: PaxRecords): boolean {
  return records.has('GNU.sparse.major') || records.has('GNU.sparse.map') || records.has('GNU.sparse.size');
}

/**
 * Reads a sparse member in a PAX form: 0.0 and 0.1 have the map in the records, 1.0 in front of the data. `ordered`
 * are all records of the member in order: 0.0 repeats its keys. What is wrong comes back as text.
 */
export function readPaxSparse(
  source: ByteSource,
  records: PaxRecords,
  ordered: readonly (readonly [string, string])[],
  position: number,
  length: number,
): SparseMember | string {
  if (records.get('GNU.sparse.major') === '1' && records.get('GNU.sparse.minor') === '0') {
    const size = paxInteger(records.get('GNU.sparse.realsize') ?? '');
    const map = readMapInData(source, position, length);
    if (typeof map === 'string') return map;
    return layOut(map.parts, size, position + map.bytes, length - map.bytes);
  }
  const size = paxInteger(records.get('GNU.sparse.size') ?? records.get('GNU.sparse.realsize') ?? '');
  const map = records.get('GNU.sparse.map');
  const numbers =
    map === undefined
      ? ordered
          .filter(([key]) => key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes')
          .map(([, value]) => value)
      : map === ''
        ? []
        : map.split(',');
  return layOut(pairs(numbers.map(paxInteger)), size, position, length);
}

function pairs(numbers: readonly number[]): SparsePart[] {
  const parts: SparsePart[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    parts.push({ offset: numbers[index]!, length: numbers[index + 1] ?? Number.NaN });
  }
  return parts;
}

/** The 1.0 map: decimal lines, first how many pairs, padded to a whole record. */
function readMapInData(
  source: ByteSource,
  position: number,
  length: number,
): { parts: SparsePart[]; bytes: number } | string {
  const numbers: number[] = [];
  let expected = 1;
  let text = '';
  let bytes = 0;
  while (numbers.length < expected) {
    const line = text.indexOf('\n');
    if (line < 0) {
      if (text.length > 32 || bytes + RECORD_BYTES > length) return 'its sparse map is cut short';
      text += readBytes(source, position + bytes, RECORD_BYTES).toString('latin1');
      bytes += RECORD_BYTES;
      continue;
    }
    const value = paxInteger(text.slice(0, line));
    if (numbers.length === 0 && value > PARTS_MAX) return TOO_MANY_PARTS;
    // Each number takes at least two bytes of the data.
    if (Number.isNaN(value) || (numbers.length === 0 && value * 4 > length))
      return 'its sparse map has no valid numbers';
    if (numbers.length === 0) expected = 1 + 2 * value;
    numbers.push(value);
    text = text.slice(line + 1);
  }
  return { parts: pairs(numbers.slice(1)), bytes };
}

/** Checks a map against the member's size and data, and says where each part lies. */
function layOut(
  parts: readonly SparsePart[],
  size: number,
  position: number,
  length: number,
): SparseMember | string {
  if (!(size >= 0)) return 'its real size is no number';
  const extents: Extent[] = [];
  let end = 0;
  let used = 0;
  for (const part of parts) {
    if (!(part.offset >= end) || !(part.length >= 0) || !(part.offset + part.length <= size)) {
      return 'its sparse map is out of order or reaches past its size';
    }
    end = part.offset + part.length;
    if (part.length === 0) continue;
    // GNU tar goes on at the next record, others at the next byte: nobody can say which the writer meant.
    if (used % RECORD_BYTES !== 0) return 'a part of its sparse map ends inside a record';
    extents.push({ offset: part.offset, position: position + used, length: part.length });
    used += part.length;
  }
  return used === length ? { size, extents } : `its sparse map needs ${used} bytes of data, it has ${length}`;
}
