import { BitReader } from './bit-reader.js';
import {
  BLOCK_MAGIC,
  Bzip2Fault,
  MAX_ALPHABET,
  MAX_BLOCK_BYTES,
  MAX_CODE_BITS,
  MAX_SELECTORS,
  MAX_TABLES,
  MIN_TABLES,
} from './format.js';
import { PrefixCodes } from './prefix-codes.js';
import type { CompressedWindow } from './window.js';

/** What stands before a block's symbols. One is used again for block after block. */
export class BlockHeader {
  /** CRC-32 of the block's data. */
  checksum = 0;
  /** Whether some bytes were changed to break up repetitions (bzip2 before 0.9.5). */
  randomised = false;
  /** The row of the sorted rotations that is the data itself. */
  origin = 0;
  /** The bytes that occur, in order: the first `usedCount`. */
  readonly used = new Uint8Array(256);
  usedCount = 0;
  /** The table of each group of symbols: the first `selectorCount`. */
  readonly selectors = new Uint8Array(MAX_SELECTORS);
  selectorCount = 0;
  readonly codes = new PrefixCodes();
  /** Where the symbols begin. */
  endBit = 0;

  private readonly lengths = new Uint8Array(MAX_ALPHABET);

  /** Reads the header at `bit`, from its magic on. Throws a Bzip2Fault. */
  read(window: CompressedWindow, bit: number): void {
    const reader = new BitReader(window, bit);
    if (reader.readUint48() !== BLOCK_MAGIC) throw new Bzip2Fault('no block begins here', bit);
    this.checksum = reader.readUint32();
    this.randomised = reader.read(1) === 1;
    this.origin = reader.read(24);
    if (this.origin >= MAX_BLOCK_BYTES) throw new Bzip2Fault('its origin is outside of it', reader.bit);
    this.readUsed(reader);
    const tables = reader.read(3);
    if (tables < MIN_TABLES || tables > MAX_TABLES)
      throw new Bzip2Fault(`it has ${tables} code tables`, reader.bit);
    this.readSelectors(reader, tables);
    for (let table = 0; table < tables; table++) this.readTable(reader, table);
    this.endBit = reader.bit;
  }

  /** A map in two levels: which groups of 16 bytes occur, then which bytes of those. */
  private readUsed(reader: BitReader): void {
    const groups = reader.read(16);
    let count = 0;
    for (let group = 0; group < 16; group++) {
      if ((groups & (0x8000 >>> group)) === 0) continue;
      const bytes = reader.read(16);
      for (let index = 0; index < 16; index++)
        if ((bytes & (0x8000 >>> index)) !== 0) this.used[count++] = group * 16 + index;
    }
    if (count === 0) throw new Bzip2Fault('no byte occurs in it', reader.bit);
    this.usedCount = count;
  }

  /** Each is the place of a table in a list in which the table used last moves to the front, in unary. */
  private readSelectors(reader: BitReader, tables: number): void {
    const count = reader.read(15);
    if (count === 0) throw new Bzip2Fault('it has no selectors', reader.bit);
    const order = Uint8Array.from({ length: tables }, (_, table) => table);
    for (let index = 0; index < count; index++) {
      let place = 0;
      while (reader.read(1) === 1)
        if (++place >= tables) throw new Bzip2Fault('a selector of a table that is none', reader.bit);
      const table = order[place]!;
      order.copyWithin(1, 0, place);
      order[0] = table;
      if (index < MAX_SELECTORS) this.selectors[index] = table;
    }
    this.selectorCount = Math.min(count, MAX_SELECTORS);
  }

  /** Code lengths: the first, then each as steps from the one before. */
  private readTable(reader: BitReader, table: number): void {
    const alphabet = this.usedCount + 2;
    let length = reader.read(5);
    for (let symbol = 0; symbol < alphabet; symbol++) {
      for (;;) {
        if (length < 1 || length > MAX_CODE_BITS)
          throw new Bzip2Fault(`a code of ${length} bits`, reader.bit);
        if (reader.read(1) === 0) break;
        length += reader.read(1) === 0 ? 1 : -1;
      }
      this.lengths[symbol] = length;
    }
    this.codes.build(table, this.lengths, alphabet);
  }
}
