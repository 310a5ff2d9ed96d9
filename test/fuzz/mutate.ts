import type { Random } from './random.js';

/** Values at which bounds checks fail. */
const interesting = [
  0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];

/** Undoes a mutation in place. */
export type Undo = () => void;

/** A mutated archive: the bytes, perhaps fewer than before, and how to get back. */
export interface Mutation {
  readonly bytes: Buffer;
  readonly undo: Undo;
}

/**
 * Mutates `bytes` in place, in one to four places. `hot` are the offsets of 512-byte pieces that hold something:
 * most of an image is empty, and changing that finds little.
 */
export function mutate(bytes: Buffer, hot: readonly number[], random: Random): Mutation {
  const undo: Undo[] = [];
  const patch = (offset: number, replacement: Uint8Array): void => {
    const end = Math.min(bytes.length, offset + replacement.length);
    const before = Buffer.from(bytes.subarray(offset, end));
    undo.push(() => before.copy(bytes, offset));
    bytes.set(replacement.subarray(0, end - offset), offset);
  };
  const place = (): number => Math.min(bytes.length - 1, random.pick(hot) + random.below(512));
  for (let count = 1 + random.below(4); count > 0; count--) mutateOnce(bytes, hot, random, patch, place);
  const cut = random.below(40) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
  return {
    bytes: cut,
    undo: () => {
      for (const step of undo.reverse()) step();
    },
  };
}

function mutateOnce(
  bytes: Buffer,
  hot: readonly number[],
  random: Random,
  patch: (offset: number, replacement: Uint8Array) => void,
  place: () => number,
): void {
  const offset = place();
  switch (random.below(8)) {
    case 0:
      patch(offset, Buffer.from([bytes[offset]! ^ (1 << random.below(8))]));
      return;
    case 1:
      patch(offset, Buffer.from([random.below(256)]));
      return;
    case 2: {
      // A 32-bit field in either byte order, where such fields stand.
      const word = Buffer.alloc(4);
      const value = random.pick(interesting);
      if (random.below(2) === 0) word.writeUInt32BE(value);
      else word.writeUInt32LE(value);
      patch(offset & ~3, word);
      return;
    }
    case 3: {
      // A pointer to somewhere else in the image, in either byte order.
      const pointer = Buffer.alloc(8);
      const value = BigInt(random.below(bytes.length >> random.pick([0, 9, 10, 12])));
      if (random.below(2) === 0) pointer.writeBigUInt64BE(value);
      else pointer.writeBigUInt64LE(value);
      patch(offset & ~7, pointer);
      return;
    }
    case 4:
      // One piece over another: right structures in the wrong place.
      patch(
        random.pick(hot),
        Buffer.from(bytes.subarray(random.pick(hot)).subarray(0, random.pick([64, 512, 1024, 4096]))),
      );
      return;
    case 5:
      patch(offset, Buffer.alloc(1 + random.below(64), random.pick([0, 0xff, 0x2f, 0x2e])));
      return;
    case 6:
      patch(offset, Buffer.from(Array.from({ length: 1 + random.below(16) }, () => random.below(256))));
      return;
    default: {
      const value = (bytes[offset]! + random.pick([1, 255, 8, 248])) & 0xff;
      patch(offset, Buffer.from([value]));
    }
  }
}

/** Offsets of the 512-byte pieces that hold something, each kind of content once: runs of data are dull. */
export function hotPieces(bytes: Buffer): number[] {
  const hot: number[] = [];
  const seen = new Set([Buffer.alloc(512).toString('latin1')]);
  for (let offset = 0; offset < bytes.length; offset += 512) {
    const piece = bytes.toString('latin1', offset, offset + 512);
    if (seen.has(piece)) continue;
    seen.add(piece);
    hot.push(offset);
  }
  return hot.length === 0 ? [0] : hot;
}
