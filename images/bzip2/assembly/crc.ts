/** The generator of bzip2's CRC-32: that of Ethernet, but the top bit of each byte comes first. */
const POLYNOMIAL: u32 = 0x04c11db7;

/** Sixteen bytes are taken at once: table n tells what a byte with n bytes behind it adds. */
const slices: usize = memory.data(16 * 1024, 64);

/** By power of two, byte of the checksum (lowest first) and its value: what becomes of it after so many zeros. */
const zeros: usize = memory.data(8 * 4 * 1024, 64);

/** Fills the tables; once. */
export function prepareChecksums(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let value = byte << 24;
    for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (<i32>value < 0 ? POLYNOMIAL : 0);
    store<u32>(slices + ((<usize>byte) << 2), value);
  }
  for (let at: usize = 1024; at < 16 * 1024; at += 4)
    store<u32>(slices + at, afterZero(load<u32>(slices + at - 1024)));
  for (let at: u32 = 0; at < 4 * 256; at++)
    store<u32>(zeros + ((<usize>at) << 2), afterZero((at & 0xff) << ((at >>> 8) * 8)));
  for (let power: usize = 1; power < 8; power++)
    for (let at: usize = 0; at < 4096; at += 4) {
      const half = zeros + (power - 1) * 4096;
      store<u32>(half + 4096 + at, afterZeros(load<u32>(half + at), half));
    }
}

function slice(table: u32, byte: u32): u32 {
  return load<u32>(slices + ((<usize>table) << 10) + ((<usize>byte) << 2));
}

function afterZero(crc: u32): u32 {
  return (crc << 8) ^ slice(0, crc >>> 24);
}

function afterZeros(crc: u32, table: usize): u32 {
  return (
    load<u32>(table + ((<usize>(crc & 0xff)) << 2)) ^
    load<u32>(table + ((<usize>((crc >>> 8) & 0xff)) << 2), 1024) ^
    load<u32>(table + ((<usize>((crc >>> 16) & 0xff)) << 2), 2048) ^
    load<u32>(table + ((<usize>(crc >>> 24)) << 2), 3072)
  );
}

/** What a checksum begins with. Between calls it is not yet inverted. */
export const CRC_START: u32 = 0xffff_ffff;

/** Goes on with the bytes from `from` to `to`. */
export function crcOf(crc: u32, from: usize, to: usize): u32 {
  let value = crc;
  let at = from;
  for (; at + 16 <= to; at += 16) {
    const a = load<u32>(at) ^ bswap<u32>(value);
    const b = load<u32>(at, 4);
    const c = load<u32>(at, 8);
    const d = load<u32>(at, 12);
    value =
      slice(15, a & 0xff) ^
      slice(14, (a >>> 8) & 0xff) ^
      slice(13, (a >>> 16) & 0xff) ^
      slice(12, a >>> 24) ^
      slice(11, b & 0xff) ^
      slice(10, (b >>> 8) & 0xff) ^
      slice(9, (b >>> 16) & 0xff) ^
      slice(8, b >>> 24) ^
      slice(7, c & 0xff) ^
      slice(6, (c >>> 8) & 0xff) ^
      slice(5, (c >>> 16) & 0xff) ^
      slice(4, c >>> 24) ^
      slice(3, d & 0xff) ^
      slice(2, (d >>> 8) & 0xff) ^
      slice(1, (d >>> 16) & 0xff) ^
      slice(0, d >>> 24);
  }
  for (; at < to; at++) value = (value << 8) ^ slice(0, (value >>> 24) ^ load<u8>(at));
  return value;
}

/** Goes on with `count` zeros, 0 to 255, without looking at them: images are full of them. */
export function crcOfZeros(crc: u32, count: u32): u32 {
  let value = crc;
  for (let power: usize = 0, left = count; left !== 0; power++, left >>>= 1)
    if ((left & 1) !== 0) value = afterZeros(value, zeros + power * 4096);
  return value;
}
