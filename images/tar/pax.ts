import { type ByteString, byteString } from '../bytes/byte-string.js';
import type { Timestamp } from '../tree/node.js';

/** What PAX extended headers say of the next member, or of all that follow (POSIX pax, "Extended Header"). */
export type PaxRecords = ReadonlyMap<ByteString, ByteString>;

/** One "LENGTH KEY=VALUE\n" record after the other, in order; what is wrong comes back as text. */
export function decodePax(data: Buffer): (readonly [key: ByteString, value: ByteString])[] | string {
  const records: [ByteString, ByteString][] = [];
  let offset = 0;
  while (offset < data.length) {
    const space = data.indexOf(0x20, offset);
    const digits = space < 0 ? '' : byteString(data.subarray(offset, space));
    const length = /^\d{1,15}$/.test(digits) ? Number(digits) : Number.NaN;
    const end = offset + length;
    if (!(end <= data.length) || end - 1 <= space || data[end - 1] !== 0x0a)
      return 'a record has no valid length';
    const record = byteString(data.subarray(space + 1, end - 1));
    const equals = record.indexOf('=');
    if (equals < 1) return 'a record has no key';
    records.push([record.slice(0, equals), record.slice(equals + 1)]);
    offset = end;
  }
  return records;
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

const XATTR_PREFIX = 'SCHILY.xattr.';
const LIBARCHIVE_PREFIX = 'LIBARCHIVE.xattr.';

/** Extended attributes: GNU tar and star write them as they are, libarchive with URL-escaped names and in base 64. */
export function paxAttributes(records: PaxRecords): Map<ByteString, Buffer> {
  const attributes = new Map<ByteString, Buffer>();
  for (const [key, value] of records) {
    if (key.startsWith(LIBARCHIVE_PREFIX)) {
      const name = key
        .slice(LIBARCHIVE_PREFIX.length)
        .replace(/%([0-9A-Fa-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
      if (!attributes.has(name)) attributes.set(name, Buffer.from(value, 'base64'));
    }
  }
  for (const [key, value] of records) {
    if (key.startsWith(XATTR_PREFIX))
      attributes.set(key.slice(XATTR_PREFIX.length), Buffer.from(value, 'latin1'));
  }
  return attributes;
}
