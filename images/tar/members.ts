import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { type ByteString, byteString } from '../bytes/byte-string.js';
import { CachedSource } from '../bytes/cached-source.js';
import { isZero } from '../bytes/zeros.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import { decodeHeader, hasValidChecksum, RECORD_BYTES, type TarHeader } from './header.js';
import { decodePax, effectiveRecords, isGlobalKey, type PaxRecords, paxInteger } from './pax.js';
import { isPaxSparse, OldSparseReader, readPaxSparse } from './sparse.js';

/** What headers say that only describe the next member (long names, PAX records) is no longer than this. */
const DESCRIPTION_BYTES_MAX = 8 * 1024 * 1024;

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
  readonly pax: (readonly [ByteString, ByteString])[];
  /** Bytes read for it so far; 0 when nothing came before the member. */
  bytes: number;
}

class MemberReader {
  private readonly metadata: CachedSource;
  private readonly global = new Map<ByteString, ByteString>();
  private isPax = false;
  private position = 0;

  constructor(private readonly source: ByteSource) {
    // Headers lie among data that need not be read: small pieces.
    this.metadata = new CachedSource(source, 4096, 64);
  }

  next(): TarMember | undefined {
    const description: Description = { pax: [], bytes: 0 };
    for (;;) {
      const offset = this.position;
      const record = this.readRecord();
      if (record === undefined) {
        if (description.bytes === 0) return undefined;
        throw this.fail(offset, 'the archive is cut short: a member was announced that does not follow');
      }
      const header = this.headerOf(record, offset);
      switch (header.type) {
        case 'L':
          description.longName = withoutNul(this.readDescription(header, offset, description));
          break;
        case 'K':
          description.longLink = withoutNul(this.readDescription(header, offset, description));
          break;
        case 'x':
        case 'X':
          for (const pair of this.readPax(header, offset, description)) description.pax.push(pair);
          break;
        case 'g':
          this.readGlobal(header, offset);
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
    // Two empty records end an archive. One or none at the very end is tolerated as tar itself does; but where one
    // stands between others a header was lost, and with it all that follows would be.
    if (this.position === this.source.size) return undefined;
    if (this.position + RECORD_BYTES > this.source.size) {
      throw this.fail(this.position, 'the archive is cut short: a header would begin here');
    }
    const record = readBytes(this.metadata, this.position, RECORD_BYTES);
    if (!isZero(record)) {
      this.position += RECORD_BYTES;
      return record;
    }
    const next = this.peekRecord(this.position + RECORD_BYTES);
    if (next === undefined || isZero(next)) return undefined;
    throw this.fail(
      this.position,
      'a single empty record, where two would end the archive: a header is lost',
    );
  }

  /** A whole record further on, or undefined when the archive ends before. */
  private peekRecord(position: number): Buffer | undefined {
    if (position + RECORD_BYTES > this.source.size) return undefined;
    return readBytes(this.metadata, position, RECORD_BYTES);
  }

  private headerOf(record: Buffer, offset: number): TarHeader {
    if (!hasValidChecksum(record)) throw this.fail(offset, 'no tar header: its checksum is wrong');
    const header = decodeHeader(record);
    if (typeof header === 'string') throw this.fail(offset, `a tar header that can't be right: ${header}`);
    return header;
  }

  /** The data of a header that describes the next member. */
  private readDescription(header: TarHeader, offset: number, description: Description): Buffer {
    // Any number of such headers may stand before a member.
    description.bytes += Math.max(1, header.size);
    if (description.bytes > DESCRIPTION_BYTES_MAX)
      throw this.fail(offset, `a name or extended header of ${header.size} bytes`);
    const start = this.position;
    this.skip(header.size, offset);
    return readBytes(this.source, start, header.size);
  }

  private readPax(header: TarHeader, offset: number, description: Description) {
    this.isPax = true;
    const records = decodePax(this.readDescription(header, offset, description));
    if (typeof records === 'string') throw this.fail(offset, `a damaged extended header: ${records}`);
    return records;
  }

  private readGlobal(header: TarHeader, offset: number): void {
    for (const [key, value] of this.readPax(header, offset, { pax: [], bytes: 0 })) {
      if (!isGlobalKey(key))
        throw this.fail(offset, `a global header that gives every member the same ${key}`);
      this.global.set(key, value);
    }
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
    const size = pax.get('size');
    const stored = size === undefined ? header.size : paxInteger(size);
    if (Number.isNaN(stored)) throw this.fail(offset, 'its size is no number');
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
    if (header.type === '1' ? this.linkHasData(stored) : hasData(header.type)) this.skip(stored, offset);
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
    if (this.global.size === 0 && pax.length === 0) return NO_RECORDS;
    return effectiveRecords([...this.global, ...pax]);
  }

  /**
   * Whether data follows a hard link that has a size. A PAX link may carry its file's data once more; older archivers
   * wrote the size and no data, so that the next header follows at once.
   */
  private linkHasData(stored: number): boolean {
    if (stored === 0 || this.isPax) return stored > 0;
    const next = this.peekRecord(this.position);
    return next !== undefined && !isZero(next) && !hasValidChecksum(next);
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

/** Whether data follows the header: of these types only a hard link may have any, whatever their size says (POSIX). */
function hasData(type: string): boolean {
  return !['2', '3', '4', '5', '6'].includes(type);
}

function withoutNul(bytes: Buffer): ByteString {
  const end = bytes.indexOf(0);
  return byteString(end < 0 ? bytes : bytes.subarray(0, end));
}
