import type { ByteSource } from '../bytes/byte-source.js';
import { blockCode } from './block-code.js';
import { BLOCK_MAGIC, MAGIC_BITS, MAX_COMPRESSED_BYTES } from './format.js';

const PIECE_BYTES = 1024 * 1024;

/** No block is as long as this: where none begins for so long, what follows is no bzip2 data. */
const MAX_GAP_BYTES = 4 * MAX_COMPRESSED_BYTES;

/** Whatever bit it begins at, five bytes behind the magic's first are all its own. */
const WHOLE_BYTES = 5;

/** They hold four pairs of bytes, so one of them lies at a multiple of four. */
const STEP_BYTES = WHOLE_BYTES - 1;

/** By the value of two bytes, the first one lowest: a bit, whether they can be such a pair. */
const pairs = new Uint8Array(1 << 13);
for (let shift = 0; shift < 8; shift++)
  for (let byte = 1; byte < WHOLE_BYTES; byte++) {
    const pair = Math.floor(BLOCK_MAGIC / 2 ** (MAGIC_BITS - 16 + shift - byte * 8)) & 0xffff;
    const value = (pair >>> 8) | ((pair & 0xff) << 8);
    pairs[value >>> 3]! |= 1 << (value & 7);
  }

/**
 * Finds every place that looks like the beginning of a block: its magic, at any bit. Some may be none, as a block's
 * data can look like a magic by chance. Yields places in bits from the beginning of the source, in order, and gives
 * up where there are none for long.
 */
export function* possibleBlocks(source: ByteSource): Generator<number> {
  const code = blockCode();
  new Uint8Array(code.memory.buffer).set(pairs, code.pairs.value);
  // Bytes before and behind a piece that a magic can reach to.
  const [before, behind] = [WHOLE_BYTES, 8];
  const length = before + PIECE_BYTES + behind;
  const buffer = new Uint8Array(code.memory.buffer, code.window.value, length);
  const view = new DataView(code.memory.buffer, code.window.value, length);
  let last = 0;
  for (let start = 0; start < source.size && start - last < MAX_GAP_BYTES; start += PIECE_BYTES) {
    const from = Math.max(0, start - before);
    const to = Math.min(source.size, start + PIECE_BYTES + behind);
    const shiftOfBuffer = from - start + before;
    buffer.fill(0);
    source.readInto(buffer.subarray(shiftOfBuffer, shiftOfBuffer + to - from), from);
    const end = before + Math.min(PIECE_BYTES, source.size - start);
    for (let at = before; ; at += STEP_BYTES) {
      at = code.findPair(at, end, STEP_BYTES);
      if (at >= end) break;
      for (const bit of magicsAround(view, at)) {
        last = start;
        yield (start - before) * 8 + bit;
      }
    }
  }
}

/** The magics of which a pair of whole bytes lies at `at`. */
function magicsAround(view: DataView, at: number): number[] {
  const bits: number[] = [];
  for (let bit = (at - STEP_BYTES) * 8; bit < at * 8; bit++)
    if (magicAt(view, bit) === BLOCK_MAGIC) bits.push(bit);
  return bits;
}

/** The 48 bits at a place in bits; 7 bytes from there must be in the view. */
export function magicAt(view: DataView, bit: number): number {
  const [byte, shift] = [Math.floor(bit / 8), bit % 8];
  const high = (view.getUint32(byte) << shift) >>> 8;
  const low = (view.getUint32(byte + 3) << shift) >>> 8;
  return high * 0x1000000 + low;
}
