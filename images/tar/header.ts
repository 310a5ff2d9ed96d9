import { type ByteString, byteString } from '../bytes/byte-string.js';

/** The unit of a tar archive: headers and data are padded to it. */
export const RECORD_BYTES = 512;

/** A member's header as it stands in its 512 bytes (POSIX ustar, with GNU's and the old form's fields). */
export interface TarHeader {
  readonly name: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
  readonly linkName: ByteString;
  readonly major: number;
  readonly minor: number;
  /** Written by GNU tar in its own format: the prefix field has other uses. */
  readonly gnu: boolean;
}

const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const;

type Field = keyof typeof fields;

function fieldOf(record: Buffer, name: Field): Buffer {
  const [offset, length] = fields[name];
  return record.subarray(offset, offset + length);
}

/** Text up to the first NUL. */
function textOf(record: Buffer, name: Field): ByteString {
  const field = fieldOf(record, name);
  const end = field.indexOf(0);
  return byteString(end < 0 ? field : field.subarray(0, end));
}

/**
 * A number: octal digits, or with the top bit of the first byte a two's complement integer in base 256 (GNU, star).
 * NaN when it is neither.
 */
export function readNumber(field: Buffer): number {
  const first = field[0] ?? 0;
  if ((first & 0x80) !== 0) {
    // The top bit is the mark; the next one is the sign.
    let value = BigInt(first & 0x7f);
    if ((first & 0x40) !== 0) value -= 128n;
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : Number.NaN;
  }
  return readOctal(field);
}

const ZERO = 0x30;
const SEVEN = 0x37;
const SPACE = 0x20;

/** Octal digits, with blanks or NULs around them; an empty field is 0. Every header has six: no strings are made. */
function readOctal(field: Buffer): number {
  let index = 0;
  while (index < field.length && (field[index] === SPACE || field[index] === 0)) index += 1;
  let value = 0;
  for (; index < field.length; index++) {
    const byte = field[index]!;
    if (byte === SPACE || byte === 0) return value;
    if (byte < ZERO || byte > SEVEN) return Number.NaN;
    value = value * 8 + byte - ZERO;
  }
  return value;
}

/** Whether the checksum is right, summed over unsigned bytes or, as some old tars did, over signed ones. */
export function hasValidChecksum(record: Buffer): boolean {
  const [start, length] = fields.checksum;
  const expected = readNumber(fieldOf(record, 'checksum'));
  let unsigned = length * SPACE;
  let high = 0;
  for (let index = 0; index < RECORD_BYTES; index++) {
    const byte = record[index]!;
    unsigned += byte;
    if (byte > 127) high += 1;
  }
  for (let index = start; index < start + length; index++) {
    const byte = record[index]!;
    unsigned -= byte;
    if (byte > 127) high -= 1;
  }
  // A byte above 127 counts 256 less when bytes have signs.
  return expected === unsigned || expected === unsigned - high * 256;
}

/** Decodes a header; what is wrong comes back as text. The caller has checked the checksum. */
export function decodeHeader(record: Buffer): TarHeader | string {
  const numbers = { mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, major: 0, minor: 0 };
  const type = byteString(fieldOf(record, 'type'));
  const isDevice = type === '3' || type === '4';
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) {
    // Device fields of other types are not always filled in.
    if ((name === 'major' || name === 'minor') && !isDevice) continue;
    const value = readNumber(fieldOf(record, name));
    if (Number.isNaN(value) || (value < 0 && name !== 'mtime')) return `its ${name} is no number`;
    numbers[name] = value;
  }
  const magic = byteString(fieldOf(record, 'magic'));
  const gnu = magic === 'ustar  \0';
  const posix = magic.startsWith('ustar\0');
  const prefix = posix ? textOf(record, 'prefix') : '';
  const name = textOf(record, 'name');
  return {
    ...numbers,
    name: prefix === '' ? name : `${prefix}/${name}`,
    type: type === '\0' ? '0' : type,
    linkName: textOf(record, 'linkName'),
    gnu,
  };
}
