/**
 * 64-bit integers on disk. Inside the project block numbers, sizes and times are JavaScript numbers; a value that
 * does not fit (2^53 or more) can't be valid in any image this project reads, so it is read as Infinity: every
 * bounds check then fails as it should, and nothing is ever silently rounded. Writers refuse unsafe values.
 */
const HIGH = 0x1_0000_0000;

function unsigned(high: number, low: number): number {
  const value = high * HIGH + low;
  return Number.isSafeInteger(value) ? value : Number.POSITIVE_INFINITY;
}

function signed(high: number, low: number): number {
  const value = high * HIGH + low;
  if (Number.isSafeInteger(value)) return value;
  return high < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Big-endian unsigned 64 bits; Infinity for 2^53 and above. */
export function readUint64BE(bytes: Buffer, offset: number): number {
  return unsigned(bytes.readUInt32BE(offset), bytes.readUInt32BE(offset + 4));
}

/** Little-endian unsigned 64 bits; Infinity for 2^53 and above. */
export function readUint64LE(bytes: Buffer, offset: number): number {
  return unsigned(bytes.readUInt32LE(offset + 4), bytes.readUInt32LE(offset));
}

/** Big-endian signed 64 bits; ±Infinity beyond ±2^53. */
export function readInt64BE(bytes: Buffer, offset: number): number {
  return signed(bytes.readInt32BE(offset), bytes.readUInt32BE(offset + 4));
}

/** Writes a big-endian 64-bit integer. Throws a RangeError on anything but a safe integer: a bug, not bad input. */
export function writeInt64BE(bytes: Buffer, value: number, offset: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a safe integer: ${value}`);
  const high = Math.floor(value / HIGH);
  bytes.writeInt32BE(high, offset);
  bytes.writeUInt32BE(value - high * HIGH, offset + 4);
}
