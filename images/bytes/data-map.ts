/** The unit of holes: what every filesystem in use allocates by. */
export const HOLE_BYTES = 4096;

/** Part of a file, in bytes from its start. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Where a file that was made as one hole has data by now, in units of 4 KiB; all else in it is zeros. */
export class DataMap {
  private readonly bits: Uint8Array;

  /** For a file of `size` bytes. */
  constructor(readonly size: number) {
    this.bits = new Uint8Array(Math.ceil(size / HOLE_BYTES / 8));
  }

  /** Whether there is data in the unit with that number. */
  has(unit: number): boolean {
    return (this.bits[unit >>> 3]! & (1 << (unit & 7))) !== 0;
  }

  add(unit: number): void {
    this.bits[unit >>> 3]! |= 1 << (unit & 7);
  }

  /** The parts with data, ascending, apart. */
  *ranges(): Generator<ByteRange> {
    const units = Math.ceil(this.size / HOLE_BYTES);
    let start = -1;
    for (let unit = 0; unit < units; unit++) {
      if (this.has(unit)) {
        if (start < 0) start = unit;
      } else if (start >= 0) {
        yield { start: start * HOLE_BYTES, end: unit * HOLE_BYTES };
        start = -1;
      }
    }
    if (start >= 0) yield { start: start * HOLE_BYTES, end: this.size };
  }
}
