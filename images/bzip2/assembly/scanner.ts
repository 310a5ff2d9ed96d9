import { window } from './window';

/** By the value of two bytes, the first one lowest: a bit. */
export const pairs: usize = memory.data(8192, 16);

/**
 * The first place from `from` on, in steps of `step` bytes, below `to`, where two bytes of the window, which here is not
 * in reverse, are a pair whose bit is set; `to` or above for none.
 */
export function findPair(from: u32, to: u32, step: u32): u32 {
  let at = from;
  for (; at < to; at += step) {
    const pair = <u32>load<u16>(window + at);
    if (((<u32>load<u8>(pairs + (pair >>> 3)) >>> (pair & 7)) & 1) !== 0) break;
  }
  return at;
}
