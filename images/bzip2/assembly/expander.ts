import { CRC_START, crcOf, crcOfZeros } from './crc';
import { RUN_BYTES } from './format';
import { text } from './rotations';

/** Most bytes that come out at once. */
export const OUTPUT_BYTES: u32 = 64 * 1024;

/** What comes out; copying may write a little further. */
export const output: usize = memory.data(64 * 1024 + 64, 64);

/** From here on it is worth while to leave zeros out of the checksum's loop. */
const LONG_RUN: u32 = 32;

let textEnd: usize = 0;
/** How far the text has come out. */
let position: usize = 0;
/** Where the next run can begin: behind the last one's number. */
let runStart: usize = 0;
let repeated: u32 = 0;
let left: u32 = 0;
let crc: u32 = CRC_START;
let unfinished: bool = false;

/** Begins with the first `length` bytes of the text. */
export function beginRuns(length: u32): void {
  textEnd = text + length;
  position = text;
  runStart = text;
  left = 0;
  crc = CRC_START;
  unfinished = false;
}

/** Whether all of the text has come out. */
export function isDone(): bool {
  return position === textEnd && left === 0;
}

/** Whether the text ended where the number of a run should have been. */
export function isUnfinished(): bool {
  return unfinished;
}

/** Checksum of all that came out. */
export function outputChecksum(): u32 {
  return ~crc;
}

/**
 * Lengthens the runs of the block's text: four equal bytes are followed by the number of further ones. Fills up to
 * `capacity` bytes, at most OUTPUT_BYTES, and returns how many; a block can come out as 46 million.
 */
export function expand(capacity: u32): u32 {
  const end = output + min(capacity, OUTPUT_BYTES);
  let at = output;
  let summed = output;
  for (;;) {
    if (left > 0) {
      const count = min(left, <u32>(end - at));
      const to = at + count;
      const bytes = i8x16.splat(<i8>repeated);
      for (let place = at; place < to; place += 16) v128.store(place, bytes);
      if (repeated === 0 && count >= LONG_RUN) {
        crc = crcOfZeros(crcOf(crc, summed, at), count);
        summed = to;
      }
      at = to;
      left -= count;
    }
    if (at === end || position === textEnd) break;
    const run = findRun(max(runStart, position - (RUN_BYTES - 1)));
    const whole = min(run + RUN_BYTES, textEnd) - position;
    const room = end - at;
    if (whole > room) {
      copy(at, position, room);
      position += room;
      at = end;
      break;
    }
    copy(at, position, whole);
    position += whole;
    at += whole;
    if (run + RUN_BYTES > textEnd) continue;
    repeated = load<u8>(run);
    if (position === textEnd) unfinished = true;
    else left = load<u8>(position++);
    runStart = position;
  }
  crc = crcOf(crc, summed, at);
  return <u32>(at - output);
}

/** Whether the first `count` bytes of what came out are all zeros. */
export function isZeroOutput(count: u32): bool {
  let at = output;
  for (const whole = output + (count & ~15); at < whole; at += 16)
    if (v128.any_true(v128.load(at))) return false;
  for (const end = output + count; at < end; at++) if (load<u8>(at) !== 0) return false;
  return true;
}

/** Where the first four equal bytes begin; the text's end or behind it when there are none. */
function findRun(from: usize): usize {
  let at = from;
  for (; at + 4 <= textEnd; at += 16) {
    const bytes = v128.load(at);
    const equal = v128.and(
      v128.and(i8x16.eq(bytes, v128.load(at, 1)), i8x16.eq(bytes, v128.load(at, 2))),
      i8x16.eq(bytes, v128.load(at, 3)),
    );
    const found = i8x16.bitmask(equal);
    if (found !== 0) return at + ctz(found);
  }
  return textEnd;
}

function copy(to: usize, from: usize, count: usize): void {
  for (let at: usize = 0; at < count; at += 16) v128.store(to + at, v128.load(from + at));
}
