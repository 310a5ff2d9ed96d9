/** Block states in resource-group bitmaps, two bits each (§2). */
export const BlockState = { free: 0, data: 1, freeMetadata: 2, metadata: 3 } as const;
export type BlockStateValue = (typeof BlockState)[keyof typeof BlockState];

/** State of allocatable block `index`: byte index/4, low bits first (§3.6). */
export function stateAt(bitmap: Uint8Array, index: number): number {
  return (bitmap[index >>> 2]! >>> ((index & 3) * 2)) & 3;
}

export function setStateAt(bitmap: Uint8Array, index: number, state: number): void {
  const shift = (index & 3) * 2;
  const byte = index >>> 2;
  bitmap[byte] = (bitmap[byte]! & ~(3 << shift)) | (state << shift);
}

/** How many blocks have each state: an array indexed by state. */
export function countStates(bitmap: Uint8Array, blocks: number): [number, number, number, number] {
  const counts: [number, number, number, number] = [0, 0, 0, 0];
  for (let index = 0; index < blocks; index++) counts[stateAt(bitmap, index) as BlockStateValue] += 1;
  return counts;
}

/** Index of the first free block at or after `from`, or -1. */
export function nextFree(bitmap: Uint8Array, from: number, blocks: number): number {
  let index = from;
  while (index < blocks) {
    if ((index & 3) === 0 && bitmap[index >>> 2] !== 0) {
      // Four blocks at once: a byte without a free pair of bits is passed over.
      const byte = bitmap[index >>> 2]!;
      const used = (byte | (byte >>> 1)) & 0x55;
      if (used === 0x55) {
        index += 4;
        continue;
      }
    }
    if (stateAt(bitmap, index) === BlockState.free) return index;
    index += 1;
  }
  return -1;
}
