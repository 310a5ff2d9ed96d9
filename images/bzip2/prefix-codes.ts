import { MAX_ALPHABET, MAX_CODE_BITS, MAX_TABLES } from './format.js';

/** One look into a table takes so many bits: most codes, often several. Longer tables would leave the cache. */
export const LOOKUP_BITS = 10;
const LOOKUP_SIZE = 1 << LOOKUP_BITS;

/*
 * A step is what the next bits stand for, packed into a number: any symbols that lengthen a run (0 and 1, the digits
 * of a number), then at most one that does not. From the lowest bit up:
 */
/** How many bits it takes: 1 to 20. */
export const STEP_BITS_MASK = 0x1f;
/** How many symbols. */
export const STEP_COUNT_SHIFT = 5;
export const STEP_COUNT_MASK = 0xf;
/** The symbol that does not lengthen a run; 0 for none. */
export const STEP_SYMBOL_SHIFT = 9;
export const STEP_SYMBOL_MASK = 0x1ff;
/** What the symbols before it add to the run, if they are the lowest digits. */
export const STEP_RUN_SHIFT = 18;

/** Entries of one table of `limits` and `bases`: one for each code length. */
const LENGTHS_SIZE = MAX_CODE_BITS + 1;

/**
 * The prefix codes of a block, up to six tables. A code is given by its lengths only: shorter codes come first, and
 * among codes of a length the symbol decides.
 *
 * A table may leave codes unused (then meeting one is a fault) but not have more codes than bits can tell apart;
 * it is still no fault as long as the table is not used, so that this accepts what bzip2 accepts.
 */
export class PrefixCodes {
  /** By table, then by the next LOOKUP_BITS bits: a step, or 0 where the first code is longer or none. */
  readonly steps = new Int32Array(MAX_TABLES * LOOKUP_SIZE);
  /** By table: whether its lengths make a code. */
  readonly valid = new Uint8Array(MAX_TABLES);

  /** As `steps`, with one symbol each. */
  private readonly singles = new Int32Array(MAX_TABLES * LOOKUP_SIZE);
  /** By table and length: the first code, widened to MAX_CODE_BITS bits, that is longer than that. */
  private readonly limits = new Int32Array(MAX_TABLES * LENGTHS_SIZE);
  /** By table and length: what to take from a code of that length to get its index in `symbols`. */
  private readonly bases = new Int32Array(MAX_TABLES * LENGTHS_SIZE);
  /** By table: symbols in the order of their codes. */
  private readonly symbols = new Uint16Array(MAX_TABLES * MAX_ALPHABET);
  private readonly counts = new Int32Array(LENGTHS_SIZE);
  private readonly next = new Int32Array(LENGTHS_SIZE);

  /** Takes the lengths (1 to MAX_CODE_BITS) of a table's symbols 0 to `alphabet` - 1. */
  build(table: number, lengths: Uint8Array, alphabet: number): void {
    const { counts, next, limits, bases, symbols } = this;
    counts.fill(0);
    for (let symbol = 0; symbol < alphabet; symbol++) counts[lengths[symbol]!]!++;
    this.valid[table] = 0;
    let code = 0;
    let index = 0;
    for (let length = 1; length <= MAX_CODE_BITS; length++) {
      const row = table * LENGTHS_SIZE + length;
      bases[row] = code - index;
      next[length] = index;
      code += counts[length]!;
      index += counts[length]!;
      if (code > 1 << length) return;
      limits[row] = code << (MAX_CODE_BITS - length);
      code <<= 1;
    }
    this.valid[table] = 1;
    for (let symbol = 0; symbol < alphabet; symbol++)
      symbols[table * MAX_ALPHABET + next[lengths[symbol]!]!++] = symbol;
    this.fillSingles(table, lengths, alphabet);
    this.fillSteps(table);
  }

  /** The next symbol as a step, from the next MAX_CODE_BITS bits; 0 for bits that are no code of the table. */
  single(table: number, bits: number): number {
    const step = this.singles[table * LOOKUP_SIZE + (bits >>> (MAX_CODE_BITS - LOOKUP_BITS))]!;
    if (step !== 0) return step;
    for (let length = LOOKUP_BITS + 1; length <= MAX_CODE_BITS; length++) {
      const row = table * LENGTHS_SIZE + length;
      if (bits >= this.limits[row]!) continue;
      const index = (bits >>> (MAX_CODE_BITS - length)) - this.bases[row]!;
      return stepOf(this.symbols[table * MAX_ALPHABET + index]!, length);
    }
    return 0;
  }

  private fillSingles(table: number, lengths: Uint8Array, alphabet: number): void {
    const start = table * LOOKUP_SIZE;
    let at = start;
    for (let index = 0; index < alphabet; index++) {
      const symbol = this.symbols[table * MAX_ALPHABET + index]!;
      const length = lengths[symbol]!;
      if (length > LOOKUP_BITS) break;
      const end = at + (1 << (LOOKUP_BITS - length));
      this.singles.fill(stepOf(symbol, length), at, end);
      at = end;
    }
    this.singles.fill(0, at, start + LOOKUP_SIZE);
  }

  /** Joins as many codes as LOOKUP_BITS bits hold whole. */
  private fillSteps(table: number): void {
    const { singles, steps } = this;
    const start = table * LOOKUP_SIZE;
    for (let bits = 0; bits < LOOKUP_SIZE; bits++) {
      let used = 0;
      let count = 0;
      let run = 0;
      let symbol = 0;
      while (symbol === 0) {
        const single = singles[start + ((bits << used) & (LOOKUP_SIZE - 1))]!;
        const length = single & STEP_BITS_MASK;
        if (single === 0 || used + length > LOOKUP_BITS) break;
        used += length;
        symbol = (single >>> STEP_SYMBOL_SHIFT) & STEP_SYMBOL_MASK;
        run += (single >>> STEP_RUN_SHIFT) << count;
        count++;
      }
      steps[start + bits] =
        (run << STEP_RUN_SHIFT) | (symbol << STEP_SYMBOL_SHIFT) | (count << STEP_COUNT_SHIFT) | used;
    }
  }
}

/** A step of one symbol: 0 and 1 are the digits 1 and 2 of a run. */
function stepOf(symbol: number, length: number): number {
  const meaning = symbol < 2 ? (symbol + 1) << STEP_RUN_SHIFT : symbol << STEP_SYMBOL_SHIFT;
  return meaning | (1 << STEP_COUNT_SHIFT) | length;
}
