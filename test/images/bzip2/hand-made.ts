/**
 * bzip2 files made by hand, for what no program writes any more or ever did. Slow and simple on purpose: nothing is
 * shared with the decoder that it is used to test.
 */

const BLOCK_MAGIC = '314159265359';
const END_MAGIC = '177245385090';

/** Bits one after the other, the top bit of a number first. */
export class Bits {
  readonly list: number[] = [];

  add(value: number, count: number): this {
    for (let bit = count - 1; bit >= 0; bit--) this.list.push(Math.floor(value / 2 ** bit) % 2);
    return this;
  }

  addHex(hex: string): this {
    for (const digit of hex) this.add(Number.parseInt(digit, 16), 4);
    return this;
  }

  addBits(bits: readonly number[]): this {
    for (const bit of bits) this.list.push(bit);
    return this;
  }

  /** As bytes, filled up with zeros. */
  toBuffer(): Buffer {
    const bytes = Buffer.alloc(Math.ceil(this.list.length / 8));
    for (const [index, bit] of this.list.entries()) bytes[index >> 3]! |= bit << (7 - (index & 7));
    return bytes;
  }
}

/** The checksum of bzip2, bit by bit. */
export function slowCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x80000000 ? 0x04c11db7 : 0);
  }
  return ~crc >>> 0;
}

/** What a block is made of, as it is written; nothing is checked. */
export interface RawBlock {
  checksum: number;
  randomised?: boolean;
  origin: number;
  /** Bytes that occur. */
  used: readonly number[];
  /** Code lengths of each table's symbols. */
  tables: readonly (readonly number[])[];
  /** Table of each group of 50 symbols. */
  selectors: readonly number[];
  /** The codes themselves. */
  codes: readonly number[];
  /** Instead of what follows from the fields. */
  tableCount?: number;
  selectorCount?: number;
}

export function blockBits(block: RawBlock): number[] {
  const bits = new Bits().addHex(BLOCK_MAGIC).add(block.checksum, 32);
  bits.add(block.randomised === true ? 1 : 0, 1).add(block.origin, 24);
  const groups = Array.from({ length: 16 }, (_, group) => block.used.filter((byte) => byte >> 4 === group));
  for (const group of groups) bits.add(group.length > 0 ? 1 : 0, 1);
  for (const group of groups.filter((each) => each.length > 0))
    for (let byte = 0; byte < 16; byte++) bits.add(group.some((each) => (each & 15) === byte) ? 1 : 0, 1);
  bits.add(block.tableCount ?? block.tables.length, 3).add(block.selectorCount ?? block.selectors.length, 15);
  const order = block.tables.map((_, table) => table);
  for (const table of block.selectors) {
    const place = order.includes(table) ? order.indexOf(table) : table;
    bits.addBits(new Array<number>(place).fill(1)).add(0, 1);
    if (order.includes(table)) order.unshift(...order.splice(place, 1));
  }
  for (const lengths of block.tables) {
    let last = lengths[0]!;
    bits.add(last, 5);
    for (const length of lengths) {
      for (; last < length; last++) bits.add(0b10, 2);
      for (; last > length; last--) bits.add(0b11, 2);
      bits.add(0, 1);
    }
  }
  return bits.addBits(block.codes).list;
}

/** A stream of blocks that are given as bits, with their checksums. */
export function streamOf(
  blocks: readonly { bits: readonly number[]; checksum: number }[],
  options: { level?: number; checksum?: number } = {},
): Buffer {
  const stream = new Bits().addHex('425a68').add(0x30 + (options.level ?? 9), 8);
  let combined = 0;
  for (const { bits, checksum } of blocks) {
    stream.addBits(bits);
    combined = (((combined << 1) | (combined >>> 31)) ^ checksum) >>> 0;
  }
  return stream
    .addHex(END_MAGIC)
    .add(options.checksum ?? combined, 32)
    .toBuffer();
}

/** Codes by symbol, shortest first, as their lengths say. */
export function codesOf(lengths: readonly number[]): string[] {
  const codes: string[] = [];
  let code = 0;
  for (let length = 1; length <= 20; length++) {
    for (const [symbol, each] of lengths.entries())
      if (each === length) codes[symbol] = (code++).toString(2).padStart(length, '0');
    code *= 2;
  }
  return codes;
}

/** Symbols of a block's last column: runs as numbers with the digits 1 and 2, moves to the front, the end. */
export function symbolsOf(column: readonly number[], used: readonly number[]): number[] {
  const list = [...used];
  const symbols: number[] = [];
  let run = 0;
  const endRun = (): void => {
    for (; run > 0; run = (run - 1) >> 1) symbols.push(run % 2 === 1 ? 0 : 1);
  };
  for (const byte of column) {
    const place = list.indexOf(byte);
    if (place === 0) run++;
    else {
      endRun();
      symbols.push(place + 1);
      list.unshift(...list.splice(place, 1));
    }
  }
  endRun();
  return [...symbols, used.length + 1];
}

/** The last column of the sorted rotations, and the row of the text itself. */
export function sortedRotations(text: readonly number[]): { column: number[]; origin: number } {
  const compare = (a: number, b: number): number => {
    for (let index = 0; index < text.length; index++) {
      const difference = text[(a + index) % text.length]! - text[(b + index) % text.length]!;
      if (difference !== 0) return difference;
    }
    return a - b;
  };
  const rows = text.map((_, index) => index).sort(compare);
  return {
    column: rows.map((row) => text[(row + text.length - 1) % text.length]!),
    origin: rows.indexOf(0),
  };
}

/** Runs of four equal bytes get a number of further ones. */
export function shortenRuns(data: Uint8Array): number[] {
  const text: number[] = [];
  for (let at = 0; at < data.length; ) {
    const byte = data[at]!;
    let count = 1;
    while (count < 259 && data[at + count] === byte) count++;
    for (let index = 0; index < Math.min(count, 4); index++) text.push(byte);
    if (count >= 4) text.push(count - 4);
    at += count;
  }
  return text;
}

/** A whole block of some data, with codes all of the same length; `change` may change its text before sorting. */
export function blockOf(
  data: Uint8Array,
  change: (text: number[]) => void = () => {},
  more: Partial<RawBlock> = {},
): { bits: number[]; checksum: number; raw: RawBlock } {
  const text = shortenRuns(data);
  change(text);
  const { column, origin } = sortedRotations(text);
  const used = [...new Set(text)].sort((a, b) => a - b);
  const symbols = symbolsOf(column, used);
  const length = Math.ceil(Math.log2(used.length + 2));
  const lengths = new Array<number>(used.length + 2).fill(length);
  const codes = codesOf(lengths);
  const raw: RawBlock = {
    checksum: slowCrc(data),
    origin,
    used,
    tables: [lengths, lengths],
    selectors: new Array<number>(Math.ceil(symbols.length / 50)).fill(0),
    codes: [...symbols.map((symbol) => codes[symbol]!).join('')].map(Number),
    ...more,
  };
  return { bits: blockBits(raw), checksum: raw.checksum, raw };
}

/** Lengths with which any bits are codes: all bytes occur, and only nine ones end the block. */
const anyBits = [...new Array<number>(254).fill(8), 9, 9, 9, 9];

/**
 * A block whose codes are the bits that are given, whatever they are (but for the end of a block, which is nine ones
 * in a row at the place of a code), and its data.
 */
export function blockOfCodes(given: readonly number[]): { bits: number[]; checksum: number; data: Buffer } {
  const symbols: number[] = [];
  const codes: number[] = [];
  for (let at = 0; at < given.length; ) {
    let code = 0;
    for (let bit = 0; bit < 8; bit++) code = code * 2 + (given[at + bit] ?? 0);
    const length = code < 254 ? 8 : 9;
    const symbol = code < 254 ? code : 254 + (code - 254) * 2 + (given[at + 8] ?? 0);
    if (symbol === 257) throw new Error('these bits end the block');
    for (let bit = 0; bit < length; bit++) codes.push(given[at + bit] ?? 0);
    symbols.push(symbol);
    at += length;
  }
  symbols.push(257);
  codes.push(...new Array<number>(9).fill(1));
  const data = dataOfSymbols(symbols);
  const raw: RawBlock = {
    checksum: slowCrc(data),
    origin: 0,
    used: Array.from({ length: 256 }, (_, byte) => byte),
    tables: [anyBits, anyBits],
    selectors: new Array<number>(Math.ceil(symbols.length / 50)).fill(0),
    codes,
  };
  return { bits: blockBits(raw), checksum: raw.checksum, data };
}

/** A block whose codes have other bits somewhere within: with as much noise before them as it takes. */
export function blockAround(
  inside: readonly number[],
  random: () => number,
  before = 4000,
  behind = 4000,
): ReturnType<typeof blockOfCodes> {
  const noise = [...noiseBits(before, random)];
  for (let tries = 0; tries < 64; tries++) {
    try {
      return blockOfCodes([...noise, ...inside, 0, ...noiseBits(behind, random)]);
    } catch {
      noise.push(0);
    }
  }
  throw new Error('these bits end a block wherever they begin');
}

/** Bits at random, but never so many ones that they would end a block of any bits. */
export function noiseBits(count: number, random: () => number): number[] {
  const bits: number[] = [];
  for (let ones = 0; bits.length < count; ) {
    const bit = ones < 6 && random() < 0.5 ? 1 : 0;
    ones = bit === 1 ? ones + 1 : 0;
    bits.push(bit);
  }
  return bits;
}

/** What symbols with all 256 bytes stand for, from row 0 on. */
function dataOfSymbols(symbols: readonly number[]): Buffer {
  const list = Array.from({ length: 256 }, (_, byte) => byte);
  const column: number[] = [];
  let [run, weight] = [0, 1];
  for (const symbol of symbols) {
    if (symbol < 2) {
      run += weight * (symbol + 1);
      weight *= 2;
      continue;
    }
    for (; run > 0; run--) column.push(list[0]!);
    weight = 1;
    if (symbol === 257) break;
    const [byte] = list.splice(symbol - 1, 1);
    list.unshift(byte!);
    column.push(byte!);
  }
  const rows = column.map((byte, row) => ({ byte, row })).sort((a, b) => a.byte - b.byte || a.row - b.row);
  const data: number[] = [];
  let [row, equal, last] = [0, 0, -1];
  for (let count = 0; count < column.length; count++) {
    const { byte, row: next } = rows[row]!;
    row = next;
    if (equal === 4) {
      for (let more = 0; more < byte; more++) data.push(last);
      [equal, last] = [0, -1];
      continue;
    }
    equal = byte === last ? equal + 1 : 1;
    last = byte;
    data.push(byte);
  }
  return Buffer.from(data);
}

/** Numbers that look random and are the same in every run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
