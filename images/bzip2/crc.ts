/** The generator of bzip2's CRC-32: that of Ethernet, but the top bit of each byte comes first. */
const POLYNOMIAL = 0x04c11db7;

/** Eight bytes are taken at once: table n tells what a byte with n bytes behind it adds. */
const SLICES = 8;

const slices = new Int32Array(SLICES * 256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value < 0 ? POLYNOMIAL : 0);
  slices[byte] = value;
}
for (let at = 256; at < slices.length; at++) {
  const value = slices[at - 256]!;
  slices[at] = (value << 8) ^ slices[value >>> 24]!;
}

/** Lengths of runs are told by a byte: eight tables, for 1, 2, 4 … 128 zeros, make up each. */
const RUN_BITS = 8;

/** By power of two, byte of the checksum (lowest first) and its value: what becomes of it after so many zeros. */
const zeros = new Int32Array(RUN_BITS * 4 * 256);
for (let at = 0; at < 4 * 256; at++) {
  const value = (at & 0xff) << ((at >>> 8) * 8);
  zeros[at] = (value << 8) ^ slices[value >>> 24]!;
}
for (let power = 1; power < RUN_BITS; power++)
  for (let at = 0; at < 4 * 256; at++)
    zeros[power * 1024 + at] = afterZeros(zeros[(power - 1) * 1024 + at]!, (power - 1) * 1024);

function afterZeros(crc: number, table: number): number {
  return (
    zeros[table + (crc & 0xff)]! ^
    zeros[table + 256 + ((crc >>> 8) & 0xff)]! ^
    zeros[table + 512 + ((crc >>> 16) & 0xff)]! ^
    zeros[table + 768 + (crc >>> 24)]!
  );
}

/** What a checksum begins with. Between calls it is not yet inverted: see `crcValue`. */
export const CRC_START = -1;

/** The checksum as files have it: 32 bits without a sign. */
export function crcValue(crc: number): number {
  return ~crc >>> 0;
}

/** Goes on with the bytes from `from` to `to`; `view` shows the same bytes. */
export function crcOf(crc: number, bytes: Uint8Array, view: DataView, from: number, to: number): number {
  let value = crc;
  let at = from;
  for (const whole = to - 7; at < whole; at += 8) {
    const a = value ^ view.getInt32(at);
    const b = view.getInt32(at + 4);
    value =
      slices[1792 + (a >>> 24)]! ^
      slices[1536 + ((a >>> 16) & 0xff)]! ^
      slices[1280 + ((a >>> 8) & 0xff)]! ^
      slices[1024 + (a & 0xff)]! ^
      slices[768 + (b >>> 24)]! ^
      slices[512 + ((b >>> 16) & 0xff)]! ^
      slices[256 + ((b >>> 8) & 0xff)]! ^
      slices[b & 0xff]!;
  }
  for (; at < to; at++) value = (value << 8) ^ slices[(value >>> 24) ^ bytes[at]!]!;
  return value;
}

/** Goes on with `count` zeros, 0 to 255, without looking at them: images are full of them. */
export function crcOfZeros(crc: number, count: number): number {
  let value = crc;
  for (let power = 0; count >>> power !== 0; power++)
    if (((count >>> power) & 1) !== 0) value = afterZeros(value, power * 1024);
  return value;
}
