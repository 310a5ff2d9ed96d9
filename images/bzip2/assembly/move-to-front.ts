/**
 * The list of bytes in which each one moves to the front when it is used. Its first 16 are a vector that callers
 * keep: in texts most moves touch no others. The rest lies in memory.
 */
const list: usize = memory.data(256, 16);

/** By place in the vector: which byte comes to which place when that one moves to the front. */
const shuffles: usize = memory.data(16 * 16, 16);
/** 256 bytes of ones, then zeros: from some place on, which of the list's bytes move when those up to one do. */
const moving: usize = memory.data(512, 64);

/** Fills the tables; once. */
export function prepareMoves(): void {
  memory.fill(moving, 0xff, 256);
  for (let place: u32 = 0; place < 16; place++)
    for (let index: u32 = 0; index < 16; index++) {
      const from = index === 0 ? place : index <= place ? index - 1 : index;
      store<u8>(shuffles + place * 16 + index, from);
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

/** Moves the byte at `place` (16 to 255) to the front. All vectors are gone through: to foresee how many costs more. */
export function moveFar(front: v128, place: u32): v128 {
  const byte = i8x16.splat(<i8>load<u8>(list + place));
  const mask = moving + 255 - place;
  let before = front;
  for (let at: usize = 16; at < 256; at += 16) {
    const bytes = v128.load(list + at);
    v128.store(list + at, v128.bitselect(moved(before, bytes), bytes, v128.load(mask + at)));
    before = bytes;
  }
  return moved(byte, front);
}

/** `bytes` one place further, the last one before them in front. */
function moved(before: v128, bytes: v128): v128 {
  return v128.shuffle<u8>(before, bytes, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
}
