import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { type ByteString, byteString } from '../bytes/byte-string.js';
import { CachedSource } from '../bytes/cached-source.js';
import { isZero } from '../bytes/zeros.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import { decodeHeader, hasValidChecksum, RECORD_BYTES, type TarHeader } from './header.js';
import { decodePax, type PaxRecords } from './pax.js';
import { isPaxSparse, OldSparseReader, readPaxSparse } from './sparse.js';

/** Headers that only describe the next member (long names, PAX records) are no longer than this. */
const DESCRIPTION_BYTES_MAX = 1024 * 1024;

const NO_RECORDS: PaxRecords = new Map();

/** A member with all that its headers say. */
export interface TarMember {
  readonly header: TarHeader;
  /** Byte offset of its header, for messages. */
  readonly offset: number;
  readonly path: ByteString;
  readonly linkName: ByteString;
  /** Size of the file, which for a sparse member is more than its data. */
  readonly size: number;
  readonly pax: PaxRecords;
  readonly extents: readonly {
    readonly offset: number;
    readonly position: number;
    readonly length: number;
  }[];
}

/** The members in order, with long names, PAX headers and sparse maps resolved. */
export function* membersOf(source: ByteSource): Generator<TarMember> {
  const reader = new MemberReader(source);
  for (let member = reader.next(); member !== undefined; member = reader.next()) yield member;
}

/** What headers before a member say of it. */
interface Description {
  longName?: ByteString;
  longLink?: ByteString;
  pax: (readonly [string, string])[];
}

class MemberReader {
  private readonly metadata: CachedSource;
  private readonly global = new Map<ByteString, ByteString>();
  private position = 0;

  constructor(private readonly source: ByteSource) {
    // Headers lie among data that need not be read: small pieces.
    this.metadata = new CachedSource(source, 4096, 64);
  }

  next(): TarMember | undefined {
    const description: Description = { pax: [] };
    for (;;) {
      const offset = this.position;
      const record = this.readRecord();
      if (record === undefined) return undefined;
      const header = this.headerOf(record, offset);
      switch (header.type) {
        case 'L':
          description.longName = withoutNul(this.readDescription(header, offset));
          break;
        case 'K':
          description.longLink = withoutNul(this.readDescription(header, offset));
          break;
        case 'x':
        case 'X':
          description.pax.push(...this.readPax(header, offset));
          break;
        case 'g':
          for (const [key, value] of this.readPax(header, offset)) this.global.set(key, value);
          break;
        case 'V':
          this.skip(header.size, offset);
          break;
        case 'M':
          throw this.fail(
            offset,
            'a part of a file that began in another volume: multi-volume archives are not read here',
          );
        default:
          return this.memberOf(header, record, offset, description);
      }
    }
  }

  /** The next record that is no padding; undefined at the end of the archive. */
  private readRecord(): Buffer | undefined {
    // Two empty records end an archive; one alone, or none at the very end, is tolerated as tar itself does.
    if (this.position === this.source.size) return undefined;
    if (this.position + RECORD_BYTES > this.source.size) {
      throw this.fail(this.position, 'the archive is cut short: a header would begin here');
    }
    const record = readBytes(this.metadata, this.position, RECORD_BYTES);
    if (isZero(record)) return undefined;
    this.position += RECORD_BYTES;
    return record;
  }

  private headerOf(record: Buffer, offset: number): TarHeader {
    if (!hasValidChecksum(record)) throw this.fail(offset, 'no tar header: its checksum is wrong');
    const header = decodeHeader(record);
    if (typeof header === 'string') throw this.fail(offset, `a tar header that can't be right: ${header}`);
    return header;
  }

  /** The data of a header that describes the next member. */
  private readDescription(header: TarHeader, offset: number): Buffer {
    if (header.size > DESCRIPTION_BYTES_MAX)
      throw this.fail(offset, `a name or extended header of ${header.size} bytes`);
    const start = this.position;
    this.skip(header.size, offset);
    return readBytes(this.source, start, header.size);
  }

  private readPax(header: TarHeader, offset: number): (readonly [string, string])[] {
    const records = decodePax(this.readDescription(header, offset));
    if (typeof records === 'string') throw this.fail(offset, `a damaged extended header: ${records}`);
    return records;
  }

  /** Steps over data and its padding. Throws when the archive ends before. */
  private skip(bytes: number, offset: number): void {
    const padded = Math.ceil(bytes / RECORD_BYTES) * RECORD_BYTES;
    if (!(this.position + padded <= this.source.size)) {
      throw this.fail(
        offset,
        `the archive is cut short: ${bytes} bytes of data and padding should follow, ${this.source.size - this.position} do`,
      );
    }
    this.position += padded;
  }

  private memberOf(header: TarHeader, record: Buffer, offset: number, description: Description): TarMember {
    const pax = this.recordsOf(description);
    const stored = pax.has('size') ? Number(pax.get('size')) : header.size;
    if (!Number.isSafeInteger(stored) || stored < 0) throw this.fail(offset, 'its size is no number');
    const path = pax.get('GNU.sparse.name') ?? pax.get('path') ?? description.longName ?? header.name;
    const linkName = pax.get('linkpath') ?? description.longLink ?? header.linkName;
    const member = { header, offset, path, linkName, pax };
    if (header.type === 'S') {
      const sparse = new OldSparseReader(record);
      const data = sparse.readExtensions(this.metadata, this.position);
      if (typeof data === 'string') throw this.fail(offset, data);
      this.position = data;
      this.skip(stored, offset);
      return { ...member, ...this.checked(sparse.member(data, stored), offset) };
    }
    const data = this.position;
    if (hasData(header.type, pax)) this.skip(stored, offset);
    if (!isFile(header.type)) return { ...member, size: 0, extents: [] };
    if (isPaxSparse(pax)) {
      return {
        ...member,
        ...this.checked(readPaxSparse(this.source, pax, description.pax, data, stored), offset),
      };
    }
    return {
      ...member,
      size: stored,
      extents: stored > 0 ? [{ offset: 0, position: data, length: stored }] : [],
    };
  }

  /** Global records, and those of the member itself over them; most members have neither. */
  private recordsOf({ pax }: Description): PaxRecords {
    return this.global.size === 0 && pax.length === 0 ? NO_RECORDS : new Map([...this.global, ...pax]);
  }

  private checked<T>(value: T | string, offset: number): T {
    if (typeof value === 'string') throw this.fail(offset, value);
    return value;
  }

  private fail(offset: number, message: string): DiagnosticError {
    return imageError({ file: this.source.name, offset }, message);
  }
}

/** Types of ordinary files; POSIX wants unknown types read as files too, but what they mean is not known then. */
function isFile(type: string): boolean {
  return type === '0' || type === '7' || type === 'S';
}

/** Whether data follows the header. A PAX hard link may carry its file's data once more. */
function hasData(type: string, pax: PaxRecords): boolean {
  if (type === '1') return pax.has('size');
  return !['2', '3', '4', '5', '6'].includes(type);
}

function withoutNul(bytes: Buffer): ByteString {
  const end = bytes.indexOf(0);
  return byteString(end < 0 ? bytes : bytes.subarray(0, end));
}
