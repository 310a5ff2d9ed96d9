/**
 * The list of bytes in which each one moves to the front when it is used. Its first 16 are a vector that callers
 * keep: four of five moves touch no others. The rest lies in memory.
 */
const list: usize = memory.data(256, 16);

/** By place in the vector: which byte comes to which place when that one moves to the front. */
const shuffles: usize = memory.data(16 * 16, 16);
/** By place in a vector: which bytes move when the list up to it does. */
const masks: usize = memory.data(16 * 16, 16);

/** Fills the tables; once. */
export function prepareMoves(): void {
  for (let place: u32 = 0; place < 16; place++)
    for (let index: u32 = 0; index < 16; index++) {
      const from = index === 0 ? place : index <= place ? index - 1 : index;
      store<u8>(shuffles + place * 16 + index, from);
      store<u8>(masks + place * 16 + index, index <= place ? 0xff : 0);
    }
}

/** Sets the list to these 256 bytes; returns its first 16. */
export function resetList(bytes: usize): v128 {
  memory.copy(list, bytes, 256);
  return v128.load(list);
}

/** Moves a byte of the first 16 to the front. */
export function moveNear(front: v128, place: u32): v128 {
  return i8x16.swizzle(front, v128.load(shuffles + ((<usize>place) << 4)));
}

/** Moves the byte at `place` (16 to 255) to the front. */
export function moveFar(front: v128, place: u32): v128 {
  const byte = i8x16.splat(<i8>load<u8>(list + place));
  const last = list + (place & ~15);
  let before = front;
  for (let at = list + 16; at < last; at += 16) {
    const bytes = v128.load(at);
    v128.store(at, moved(before, bytes));
    before = bytes;
  }
  const bytes = v128.load(last);
  v128.store(
    last,
    v128.bitselect(moved(before, bytes), bytes, v128.load(masks + ((<usize>(place & 15)) << 4))),
  );
  return moved(byte, front);
}

/** `bytes` one place further, the last one before them in front. */
function moved(before: v128, bytes: v128): v128 {
  return v128.shuffle<u8>(before, bytes, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
}
