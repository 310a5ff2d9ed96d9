import { MAX_CODE_BITS } from './format';

/** One look into a table takes so many bits: most codes, often several. Longer tables would leave the cache. */
export const LOOKUP_BITS: u32 = 11;
const LOOKUP_SIZE: u32 = 1 << 11;

/*
 * A step is what the next bits stand for, packed into a number: any symbols that lengthen a run (0 and 1, the digits
 * of a number), then at most one that does not. From the lowest bit up:
 */
/** How many bits it takes: 1 to 20. */
export const STEP_BITS_MASK: u32 = 0x1f;
/** How many symbols. */
export const STEP_COUNT_SHIFT: u32 = 5;
export const STEP_COUNT_MASK: u32 = 0xf;
/** The symbol that does not lengthen a run; 0 for none. */
export const STEP_SYMBOL_SHIFT: u32 = 9;
export const STEP_SYMBOL_MASK: u32 = 0x1ff;
/** What the symbols before it add to the run, if they are the lowest digits. */
export const STEP_RUN_SHIFT: u32 = 18;

/** By table, then by the next LOOKUP_BITS bits: a step, or 0 where the first code is longer or none. */
const steps: usize = memory.data(6 * (4 << 11), 16);
/** As `steps`, with one symbol each. */
const singles: usize = memory.data(6 * (4 << 11), 16);
/** By table: whether its lengths make a code. */
const valid: usize = memory.data(6, 16);
/** By table and length: the first code, widened to MAX_CODE_BITS bits, that is longer than that. */
const limits: usize = memory.data(6 * 32 * 4, 16);
/** By table and length: what to take from a code of that length to get its index in `symbols`. */
const bases: usize = memory.data(6 * 32 * 4, 16);
/** By table: symbols in the order of their codes; there are at most 258. */
const symbols: usize = memory.data(6 * 512 * 2, 16);
/** By length: how many codes have it, and the index of the next of them. */
const counts: usize = memory.data(32 * 4, 16);
const nexts: usize = memory.data(32 * 4, 16);
/** Lengths of the codes of the table that is read, a byte each. */
export const lengths: usize = memory.data(512, 16);

export function stepsOf(table: u32): usize {
  return steps + ((<usize>table * LOOKUP_SIZE) << 2);
}

export function isValid(table: u32): bool {
  return load<u8>(valid + table) !== 0;
}

/** A step of one symbol: 0 and 1 are the digits 1 and 2 of a run. */
function stepOf(symbol: u32, length: u32): u32 {
  const meaning = symbol < 2 ? (symbol + 1) << STEP_RUN_SHIFT : symbol << STEP_SYMBOL_SHIFT;
  return meaning | (1 << STEP_COUNT_SHIFT) | length;
}

/**
 * Takes the `lengths` (1 to MAX_CODE_BITS) of a table's symbols 0 to `alphabet` - 1.
 *
 * A code is given by its lengths only: shorter codes come first, and among codes of a length the symbol decides.
 * A table may leave codes unused (then meeting one is a fault) but not have more codes than bits can tell apart;
 * it is still no fault as long as the table is not used, so that this accepts what bzip2 accepts.
 */
export function buildTable(table: u32, alphabet: u32): void {
  memory.fill(counts, 0, 32 * 4);
  for (let symbol: u32 = 0; symbol < alphabet; symbol++) {
    const count = counts + ((<usize>load<u8>(lengths + symbol)) << 2);
    store<u32>(count, load<u32>(count) + 1);
  }
  store<u8>(valid + table, 0);
  const row = (<usize>table) << 7;
  let code: u32 = 0;
  let index: u32 = 0;
  for (let length: u32 = 1; length <= MAX_CODE_BITS; length++) {
    const count = load<u32>(counts + ((<usize>length) << 2));
    store<u32>(bases + row + ((<usize>length) << 2), code - index);
    store<u32>(nexts + ((<usize>length) << 2), index);
    code += count;
    index += count;
    if (code > (<u32>1) << length) return;
    store<u32>(limits + row + ((<usize>length) << 2), code << (MAX_CODE_BITS - length));
    code <<= 1;
  }
  store<u8>(valid + table, 1);
  const sorted = symbols + ((<usize>table) << 10);
  for (let symbol: u32 = 0; symbol < alphabet; symbol++) {
    const next = nexts + ((<usize>load<u8>(lengths + symbol)) << 2);
    const place = load<u32>(next);
    store<u16>(sorted + ((<usize>place) << 1), symbol);
    store<u32>(next, place + 1);
  }
  fillSingles(table, alphabet);
  fillSteps(table);
}

function fillSingles(table: u32, alphabet: u32): void {
  const sorted = symbols + ((<usize>table) << 10);
  let at: usize = singles + ((<usize>table * LOOKUP_SIZE) << 2);
  const whole = at + (LOOKUP_SIZE << 2);
  for (let index: u32 = 0; index < alphabet; index++) {
    const symbol = <u32>load<u16>(sorted + ((<usize>index) << 1));
    const length = <u32>load<u8>(lengths + symbol);
    if (length > LOOKUP_BITS) break;
    const step = stepOf(symbol, length);
    const end = at + (4 << (LOOKUP_BITS - length));
    for (; at < end; at += 4) store<u32>(at, step);
  }
  memory.fill(at, 0, whole - at);
}

/** Joins as many codes as LOOKUP_BITS bits hold whole. */
function fillSteps(table: u32): void {
  const start = (<usize>table * LOOKUP_SIZE) << 2;
  for (let bits: u32 = 0; bits < LOOKUP_SIZE; bits++) {
    let used: u32 = 0;
    let count: u32 = 0;
    let run: u32 = 0;
    let symbol: u32 = 0;
    while (symbol === 0) {
      const single = load<u32>(singles + start + ((<usize>((bits << used) & (LOOKUP_SIZE - 1))) << 2));
      const length = single & STEP_BITS_MASK;
      if (single === 0 || used + length > LOOKUP_BITS) break;
      used += length;
      symbol = (single >>> STEP_SYMBOL_SHIFT) & STEP_SYMBOL_MASK;
      run += (single >>> STEP_RUN_SHIFT) << count;
      count++;
    }
    const step = (run << STEP_RUN_SHIFT) | (symbol << STEP_SYMBOL_SHIFT) | (count << STEP_COUNT_SHIFT) | used;
    store<u32>(steps + start + ((<usize>bits) << 2), step);
  }
}

/** The next symbol as a step, from the next MAX_CODE_BITS bits; 0 for bits that are no code of the table. */
export function single(table: u32, bits: u32): u32 {
  const first = <usize>table * LOOKUP_SIZE + (bits >>> (MAX_CODE_BITS - LOOKUP_BITS));
  const step = load<u32>(singles + (first << 2));
  if (step !== 0) return step;
  const row = (<usize>table) << 7;
  for (let length = LOOKUP_BITS + 1; length <= MAX_CODE_BITS; length++) {
    if (bits >= load<u32>(limits + row + ((<usize>length) << 2))) continue;
    const index = (bits >>> (MAX_CODE_BITS - length)) - load<u32>(bases + row + ((<usize>length) << 2));
    return stepOf(<u32>load<u16>(symbols + ((<usize>table) << 10) + ((<usize>index) << 1)), length);
  }
  return 0;
}
