import { cutAt } from './bit-reader.js';
import type { BlockHeader } from './block-header.js';
import { Bzip2Fault, GROUP_SYMBOLS, MAX_BLOCK_BYTES, MAX_CODE_BITS } from './format.js';
import { MoveToFront } from './move-to-front.js';
import {
  LOOKUP_BITS,
  STEP_BITS_MASK,
  STEP_COUNT_MASK,
  STEP_COUNT_SHIFT,
  STEP_RUN_SHIFT,
  STEP_SYMBOL_MASK,
  STEP_SYMBOL_SHIFT,
} from './prefix-codes.js';
import type { CompressedWindow } from './window.js';

const TOO_LONG = 'it is longer than a block can be';

/** A run of more digits than come to this weight fits no block. */
const MAX_RUN_WEIGHT = 1 << 21;

/** So many bytes are written for every run, whatever its length: cheaper than to ask, as nobody can guess it. */
const SHORT_RUN = 4;

/** From here on it is cheaper to call the engine's own fill than to loop. */
const LONG_RUN = 200;

/** The last column of a block's sorted rotations: what the prefix codes of a block stand for. Made for many blocks. */
export class BlockColumn {
  /** The first `length` bytes. */
  readonly bytes = new Uint8Array(MAX_BLOCK_BYTES + SHORT_RUN);
  length = 0;
  /** How often each byte occurs in it. */
  readonly counts = new Int32Array(256);
  /** Where the block ends. */
  endBit = 0;

  private readonly list = new MoveToFront();

  /**
   * Undoes prefix codes, runs and move-to-front of the symbols behind `header`. Throws a Bzip2Fault.
   *
   * Half of all the time of decoding goes into this loop. What costs is a branch that can't be foreseen, so a table
   * of steps takes several symbols at once, and short runs and moves are done the same way whatever their length.
   */
  read(window: CompressedWindow, header: BlockHeader): void {
    const { bytes, counts, list } = this;
    const { view, endBit } = window;
    const { codes, selectors, selectorCount } = header;
    const { steps, valid } = codes;
    const endOfBlock = header.usedCount + 1;
    list.reset(header.used);
    counts.fill(0);
    let bit = header.endBit;
    let length = 0;
    let run = 0;
    let weight = 1;
    for (let group = 0; group < selectorCount; group++) {
      const table = selectors[group]!;
      // The window's padding is longer than a group of codes.
      if (bit > endBit) throw cutAt(endBit);
      if (valid[table] === 0) throw new Bzip2Fault('its code lengths make no code', bit);
      const start = table << LOOKUP_BITS;
      let left = GROUP_SYMBOLS;
      while (left > 0) {
        const next = view.getUint32(bit >>> 3) << (bit & 7);
        let step = steps[start + (next >>> (32 - LOOKUP_BITS))]!;
        let count = (step >>> STEP_COUNT_SHIFT) & STEP_COUNT_MASK;
        if (count > left || step === 0) {
          step = codes.single(table, next >>> (32 - MAX_CODE_BITS));
          if (step === 0) throw faultAt(bit + MAX_CODE_BITS, endBit, 'it has a code that stands for nothing');
          count = 1;
        }
        left -= count;
        bit += step & STEP_BITS_MASK;
        run += Math.imul(weight, step >>> STEP_RUN_SHIFT);
        const symbol = (step >>> STEP_SYMBOL_SHIFT) & STEP_SYMBOL_MASK;
        if (symbol === 0) {
          weight <<= count;
          if (weight > MAX_RUN_WEIGHT) throw faultAt(bit, endBit, 'it has a run that no block can hold');
          continue;
        }
        const end = length + run;
        if (end > MAX_BLOCK_BYTES) throw faultAt(bit, endBit, TOO_LONG);
        const repeated = list.front;
        counts[repeated]! += run;
        bytes[length] = repeated;
        bytes[length + 1] = repeated;
        bytes[length + 2] = repeated;
        bytes[length + 3] = repeated;
        if (run > SHORT_RUN) fillRun(bytes, repeated, length + SHORT_RUN, end);
        length = end;
        run = 0;
        weight = 1;
        if (symbol === endOfBlock) {
          if (bit > endBit) throw cutAt(endBit);
          this.length = length;
          this.endBit = bit;
          return;
        }
        if (length === MAX_BLOCK_BYTES) throw faultAt(bit, endBit, TOO_LONG);
        const byte = list.take(symbol - 1);
        counts[byte]!++;
        bytes[length++] = byte;
      }
    }
    throw faultAt(bit, endBit, 'it has fewer selectors than its symbols need');
  }
}

function fillRun(bytes: Uint8Array, byte: number, from: number, to: number): void {
  if (to - from > LONG_RUN) bytes.fill(byte, from, to);
  else for (let at = from; at < to; at++) bytes[at] = byte;
}

/** What is wrong with a block, unless it is that the bytes have ended: then zeros have been read for its codes. */
function faultAt(bit: number, endBit: number, message: string): Bzip2Fault {
  return bit > endBit ? cutAt(endBit) : new Bzip2Fault(message, bit);
}
