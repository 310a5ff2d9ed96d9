import { type ByteString, byteString } from '../bytes/byte-string.js';
import type { Timestamp } from '../tree/node.js';

/** What PAX extended headers say of the next member, or of all that follow (POSIX pax, "Extended Header"). */
export type PaxRecords = ReadonlyMap<ByteString, ByteString>;

/** Keys that say something a Tree holds. All others (atime, uname, comment, ...) are passed over. */
const KEYS = new Set(['path', 'linkpath', 'size', 'uid', 'gid', 'mtime']);

const XATTR_PREFIX = 'SCHILY.xattr.';
const LIBARCHIVE_PREFIX = 'LIBARCHIVE.xattr.';
const PREFIXES = [XATTR_PREFIX, LIBARCHIVE_PREFIX, 'SCHILY.acl.', 'GNU.sparse.'];

/** Keys that many files may share; a global header with another one would make all files the same. */
const GLOBAL_KEYS = new Set(['uid', 'gid', 'mtime']);

/** Whether a global header may say this of all members that follow. */
export function isGlobalKey(key: ByteString): boolean {
  return GLOBAL_KEYS.has(key);
}

/**
 * One "LENGTH KEY=VALUE\n" record after the other, in order, those that a Tree has no use for left out; what is wrong
 * comes back as text.
 */
export function decodePax(data: Buffer): (readonly [key: ByteString, value: ByteString])[] | string {
  const records: [ByteString, ByteString][] = [];
  let offset = 0;
  while (offset < data.length) {
    const space = data.indexOf(0x20, offset);
    const digits = space < 0 ? '' : byteString(data.subarray(offset, Math.min(space, offset + 20)));
    const length = /^\d{1,15}$/.test(digits) ? Number(digits) : Number.NaN;
    const end = offset + length;
    if (!(end <= data.length) || end - 1 <= space || data[end - 1] !== 0x0a)
      return 'a record has no valid length';
    const equals = data.subarray(0, end).indexOf(0x3d, space + 1);
    if (equals <= space + 1) return 'a record has no key';
    const key = byteString(data.subarray(space + 1, equals));
    if (KEYS.has(key) || PREFIXES.some((prefix) => key.startsWith(prefix)))
      records.push([key, byteString(data.subarray(equals + 1, end - 1))]);
    offset = end;
  }
  return records;
}

/**
 * The records that hold: later ones over earlier ones, and an empty value takes back what was said before. Only an
 * extended attribute can be empty.
 */
export function effectiveRecords(records: Iterable<readonly [ByteString, ByteString]>): PaxRecords {
  const effective = new Map<ByteString, ByteString>();
  for (const [key, value] of records) {
    if (value === '' && !key.startsWith(XATTR_PREFIX) && !key.startsWith(LIBARCHIVE_PREFIX))
      effective.delete(key);
    else effective.set(key, value);
  }
  return effective;
}

/** A whole number from 0 on; NaN for anything else. */
export function paxInteger(value: string): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(number) ? number : Number.NaN;
}

/** Seconds with a decimal fraction, negative before 1970: rounded down to nanoseconds. Undefined for anything else. */
export function paxTime(value: string): Timestamp | undefined {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(value);
  if (match === null) return undefined;
  const fraction = (match[3] ?? '').padEnd(9, '0');
  const nanoseconds = Number(fraction.slice(0, 9));
  const seconds = Number(match[2]);
  if (match[1] !== '-') return { seconds, nanoseconds };
  // -1.25 is 0.75 seconds after -2.
  const borrowed = nanoseconds > 0 || /[1-9]/.test(fraction.slice(9));
  return borrowed
    ? { seconds: -seconds - 1, nanoseconds: nanoseconds === 0 ? 999_999_999 : 1_000_000_000 - nanoseconds }
    : { seconds: -seconds || 0, nanoseconds: 0 };
}

/** Most bytes that the names of a file's extended attributes have (XATTR_LIST_MAX of Linux). */
const XATTR_NAMES_BYTES_MAX = 65536;

/**
 * Extended attributes: GNU tar and star write them as they are, libarchive with URL-escaped names and in base 64.
 * What is wrong comes back as text.
 */
export function paxAttributes(records: PaxRecords): Map<ByteString, Buffer> | string {
  const attributes = new Map<ByteString, Buffer>();
  let bytes = 0;
  for (const [key, value] of records) {
    const raw = key.startsWith(XATTR_PREFIX);
    if (!raw && !key.startsWith(LIBARCHIVE_PREFIX)) continue;
    // GNU tar escapes "=", which would end the key, and the mark of the escape; libarchive everything unusual.
    const name = raw
      ? key.slice(XATTR_PREFIX.length).replace(/%(3D|25)/g, unescapeByte)
      : key.slice(LIBARCHIVE_PREFIX.length).replace(/%([0-9A-Fa-f]{2})/g, unescapeByte);
    if (name === '' || name.includes('\0')) return 'an extended attribute without a proper name';
    bytes += name.length + 1;
    if (bytes > 2 * XATTR_NAMES_BYTES_MAX) return 'more extended attributes than a file can have';
    // Archives that have both forms say the same twice.
    if (raw) attributes.set(name, Buffer.from(value, 'latin1'));
    else if (!attributes.has(name)) {
      const decoded = decodeBase64(value);
      if (decoded === undefined) return 'an extended attribute that is no base 64';
      attributes.set(name, decoded);
    }
  }
  return attributes;
}

function unescapeByte(_: string, code: string): string {
  return String.fromCharCode(Number.parseInt(code, 16));
}

/** The bytes, or undefined when it is not base 64. Padding may be missing. */
function decodeBase64(text: string): Buffer | undefined {
  const decoded = Buffer.from(text, 'base64');
  const digits = text.replace(/[\r\n=]/g, '');
  return decoded.toString('base64').replace(/=/g, '') === digits ? decoded : undefined;
}
