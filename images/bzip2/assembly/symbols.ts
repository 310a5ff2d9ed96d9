import { Fault, fault } from './fault';
import { GROUP_SYMBOLS, MAX_BLOCK_BYTES, MAX_CODE_BITS } from './format';
import { selectorCount, selectors, used, usedCount } from './header';
import { moveFar, moveNear, resetList } from './move-to-front';
import {
  isValid,
  LOOKUP_BITS,
  STEP_BITS_MASK,
  STEP_COUNT_MASK,
  STEP_COUNT_SHIFT,
  STEP_RUN_SHIFT,
  STEP_SYMBOL_MASK,
  STEP_SYMBOL_SHIFT,
  single,
  stepsOf,
} from './prefix-codes';
import { bitsAt, cut, endBit, faultUnlessCut, bit as headerEnd } from './window';

/** A run of more digits than come to this weight fits no block. */
const MAX_RUN_WEIGHT: u64 = 1 << 21;

/**
 * The last column of a block's sorted rotations, as runs: how often a byte stands there (24 bits), and the byte (the
 * lowest 8). The first run may be of no bytes.
 */
export const runs: usize = memory.data((900_000 + 2) * 4, 16);
export let runsEnd: usize = 0;
/** Bytes in the column. */
export let columnBytes: u32 = 0;
/** How often each byte occurs in it. */
export const counts: usize = memory.data(256 * 4, 16);
/** Where the block ends. */
export let symbolsEnd: u32 = 0;

/**
 * Undoes prefix codes and move-to-front of the symbols behind the header.
 *
 * What costs is a branch that can't be foreseen, so a table of steps takes several symbols at once, and most moves
 * are done the same way whatever their length.
 */
export function readSymbols(): Fault {
  memory.fill(counts, 0, 256 * 4);
  const endOfBlock = usedCount + 1;
  const limit = endBit;
  let front = resetList(used);
  let bit = headerEnd;
  let at = runs;
  let length: u32 = 0;
  /** What the byte before the run adds to it: nothing at the beginning, where there is none. */
  let one: u32 = 0;
  /** In 64 bits, as the digits of one step can come to more than 32. */
  let run: u64 = 0;
  let weight: u64 = 1;
  for (let group: u32 = 0; group < selectorCount; group++) {
    // The window's padding is longer than a group of codes.
    if (bit > limit) return cut();
    const table = <u32>load<u8>(selectors + group);
    if (!isValid(table)) return fault(Fault.LengthsMakeNoCode, bit);
    const steps = stepsOf(table);
    let left = GROUP_SYMBOLS;
    // 57 bits are enough for two steps.
    let next: u64 = 0;
    let isSecond = false;
    while (left > 0) {
      if (!isSecond) next = bitsAt(bit);
      isSecond = !isSecond;
      let step = load<u32>(steps + ((<usize>(next >>> (64 - LOOKUP_BITS))) << 2));
      let count = (step >>> STEP_COUNT_SHIFT) & STEP_COUNT_MASK;
      if (count > left || step === 0) {
        step = single(table, <u32>(next >>> (64 - MAX_CODE_BITS)));
        if (step === 0) return faultUnlessCut(bit + MAX_CODE_BITS, Fault.NoSuchCode);
        count = 1;
      }
      left -= count;
      bit += step & STEP_BITS_MASK;
      next <<= step & STEP_BITS_MASK;
      run += weight * <u64>(step >>> STEP_RUN_SHIFT);
      const symbol = (step >>> STEP_SYMBOL_SHIFT) & STEP_SYMBOL_MASK;
      if (symbol === 0) {
        weight <<= count;
        if (weight > MAX_RUN_WEIGHT) return faultUnlessCut(bit, Fault.RunTooLong);
        continue;
      }
      run += one;
      const repeated = <u32>i8x16.extract_lane_u(front, 0);
      if (run > <u64>(MAX_BLOCK_BYTES - length)) return faultUnlessCut(bit, Fault.TooLong);
      length += <u32>run;
      const total = counts + ((<usize>repeated) << 2);
      store<u32>(total, load<u32>(total) + <u32>run);
      store<u32>(at, ((<u32>run) << 8) | repeated);
      at += 4;
      run = 0;
      weight = 1;
      one = 1;
      if (symbol === endOfBlock) {
        if (bit > limit) return cut();
        symbolsEnd = bit;
        closeColumn(at, length);
        return Fault.None;
      }
      const place = symbol - 1;
      front = place < 16 ? moveNear(front, place) : moveFar(front, place);
    }
  }
  return faultUnlessCut(bit, Fault.FewSelectors);
}

export function closeColumn(end: usize, length: u32): void {
  runsEnd = end;
  columnBytes = length;
}
