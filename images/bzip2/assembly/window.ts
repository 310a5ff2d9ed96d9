import { Fault, fault } from './fault';

/** Most compressed bytes that can be given at once. */
export const WINDOW_BYTES: u32 = 5_000_000;

/** So many bytes behind the window's last can be read (they are zero), so that hot loops check seldom. */
export const PADDING_BYTES: u32 = 256;

/**
 * The compressed bytes in reverse order, the padding before them: so 64 bits from any place on are one load, the first
 * bit on top, on machines that have the lowest byte first.
 */
export const window: usize = memory.data(5_000_000 + 256 + 8, 16);

/** Address that the 64 bits of byte 0 are loaded from. */
let top: usize = window;

/** The bit behind the last. */
export let endBit: u32 = 0;

/** Where the next bits of a header are read. */
export let bit: u32 = 0;

/** Begins with the first `length` bytes, which are in place. */
export function openWindow(length: u32): void {
  top = window + PADDING_BYTES + length - 8;
  endBit = length * 8;
}

/** The bits from a place on, the first on top: 57 of them, then zeros. */
export function bitsAt(place: u32): u64 {
  return load<u64>(top - (place >>> 3)) << (place & 7);
}

export function seek(place: u32): void {
  bit = place;
}

/** Whether `count` more bits are there. */
export function has(count: u32): bool {
  return bit + count <= endBit;
}

/** The next 1 to 48 bits; they must be there. */
export function take(count: u32): u64 {
  const bits = bitsAt(bit) >>> (64 - count);
  bit += count;
  return bits;
}

export function cut(): Fault {
  return fault(Fault.Cut, endBit);
}

/** What is wrong with a block, unless it is that the bytes have ended: then zeros have been read for its codes. */
export function faultUnlessCut(place: u32, kind: Fault): Fault {
  return place > endBit ? cut() : fault(kind, place);
}
