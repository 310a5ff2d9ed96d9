import { Fault, fault } from './fault';
import { BLOCK_MAGIC, MAX_BLOCK_BYTES, MAX_CODE_BITS, MAX_SELECTORS, MAX_TABLES, MIN_TABLES } from './format';
import { buildTable, lengths } from './prefix-codes';
import { bit, bitsAt, cut, endBit, has, seek, take } from './window';

/** CRC-32 of the block's data. */
export let checksum: u32 = 0;
/** Whether some bytes were changed to break up repetitions (bzip2 before 0.9.5). */
export let randomised: bool = false;
/** The row of the sorted rotations that is the data itself. */
export let origin: u32 = 0;
/** The bytes that occur, in order: the first `usedCount`. */
export const used: usize = memory.data(256, 16);
export let usedCount: u32 = 0;
/** The table of each group of symbols, a byte each: the first `selectorCount`. */
export const selectors: usize = memory.data(18_002, 16);
export let selectorCount: u32 = 0;

/** Reads what stands before a block's symbols, from its magic on. */
export function readHeader(place: u32): Fault {
  seek(place);
  if (!has(48 + 32 + 1 + 24)) return cut();
  if (take(48) !== BLOCK_MAGIC) return fault(Fault.NoMagic, place);
  checksum = <u32>take(32);
  randomised = take(1) !== 0;
  origin = <u32>take(24);
  if (origin >= MAX_BLOCK_BYTES) return fault(Fault.OriginOutside, bit);
  let kind = readUsed();
  if (kind !== Fault.None) return kind;
  if (!has(3)) return cut();
  const tables = <u32>take(3);
  if (tables < MIN_TABLES || tables > MAX_TABLES) return fault(Fault.TableCount, bit, tables);
  kind = readSelectors(tables);
  for (let table: u32 = 0; table < tables && kind === Fault.None; table++) kind = readTable(table);
  return kind;
}

/** A map in two levels: which groups of 16 bytes occur, then which bytes of those. */
function readUsed(): Fault {
  if (!has(16)) return cut();
  const groups = <u32>take(16);
  let count: u32 = 0;
  for (let group: u32 = 0; group < 16; group++) {
    if ((groups & (0x8000 >>> group)) === 0) continue;
    if (!has(16)) return cut();
    const bytes = <u32>take(16);
    for (let index: u32 = 0; index < 16; index++)
      if ((bytes & (0x8000 >>> index)) !== 0) store<u8>(used + count++, group * 16 + index);
  }
  usedCount = count;
  return count === 0 ? fault(Fault.NoByte, bit) : Fault.None;
}

/** Each is the place of a table in a list in which the table used last moves to the front, in unary. */
function readSelectors(tables: u32): Fault {
  if (!has(15)) return cut();
  const count = <u32>take(15);
  if (count === 0) return fault(Fault.NoSelectors, bit);
  // The list, four bits for each table, the first lowest.
  let order: u32 = 0x543210;
  for (let index: u32 = 0; index < count; index++) {
    const place = <u32>clz(~bitsAt(bit));
    if (place >= tables) {
      if (bit + tables > endBit) return cut();
      return fault(Fault.SelectorOfNoTable, bit + tables);
    }
    seek(bit + place + 1);
    if (bit > endBit) return cut();
    const shift = place << 2;
    const table = (order >>> shift) & 15;
    const moved = order & ((1 << shift) - 1);
    order = (order & ~((16 << shift) - 1)) | (moved << 4) | table;
    if (index < MAX_SELECTORS) store<u8>(selectors + index, table);
  }
  selectorCount = min(count, MAX_SELECTORS);
  return Fault.None;
}

/** Code lengths: the first, then each as steps from the one before. */
function readTable(table: u32): Fault {
  if (!has(5)) return cut();
  const alphabet = usedCount + 2;
  let length = <u32>take(5);
  for (let symbol: u32 = 0; symbol < alphabet; symbol++) {
    for (;;) {
      if (length < 1 || length > MAX_CODE_BITS) return fault(Fault.CodeLength, bit, length);
      if (!has(1)) return cut();
      if (take(1) === 0) break;
      if (!has(1)) return cut();
      length += take(1) === 0 ? 1 : -1;
    }
    store<u8>(lengths + symbol, length);
  }
  buildTable(table, alphabet);
  return Fault.None;
}
