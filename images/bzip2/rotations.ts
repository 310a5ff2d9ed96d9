import { MAX_BLOCK_BYTES } from './format.js';

/** So many walks go on at the same time, so that the processor has other work while it waits for memory. */
const LANES = 8;

/** So many pieces the text of a long block is cut into: enough that the lanes come to their ends together. */
const SEGMENTS = 256;

/** Below this a single walk is quicker; all of it stays in the cache. */
const SHORT_BLOCK_BYTES = 16 * 1024;

/** Marks a row at which a segment begins. */
const MARK = 1 << 31;

/**
 * Undoes the Burrows-Wheeler transform.
 *
 * From the row of any rotation one gets to the row of the next rotation, the same text one byte later; a walk of
 * `length` steps from the origin's row gives the text. Each step waits for memory, as rows are hit at random. So
 * the walk begins at many rows at once and each walk goes on until it meets the beginning of another one: pieces
 * of the text, which are then put together from the origin on.
 */
export class Rotations {
  /** By row: the row of the next rotation above, the row's first byte in the low 8 bits. One more for idle lanes. */
  private readonly rows = new Int32Array(MAX_BLOCK_BYTES + 1);
  private readonly starts = new Int32Array(256);
  private length = 0;

  /** What the lanes write, one behind the other. */
  private readonly lanes = new Uint8Array(LANES * MAX_BLOCK_BYTES);
  /** By lane: the segment it is on; -1 when there is none left. */
  private readonly current = new Int32Array(LANES);
  private walking = 0;

  /** Segments begin at every row that `stride` divides, and the last one at the origin's. */
  private stride = 1;
  private origin = 0;
  private begun = 0;
  private segments = 0;
  /** By segment: where it lies in `lanes`, and which segment the text goes on with. */
  private readonly froms = new Int32Array(SEGMENTS + 1);
  private readonly tos = new Int32Array(SEGMENTS + 1);
  private readonly nexts = new Int32Array(SEGMENTS + 1);

  /**
   * Writes the text of `length` bytes to `text`. `column` holds the last byte of each row, `counts` how often each
   * byte occurs in it, and `origin` (below `length`) is the row of the text itself. A column that is none of any
   * text does no harm: the text is then a part of it, again and again.
   */
  undo(column: Uint8Array, counts: Int32Array, length: number, origin: number, text: Uint8Array): void {
    this.link(column, counts, length);
    if (length < SHORT_BLOCK_BYTES) this.walk(origin, text);
    else {
      this.mark(origin);
      this.walkSegments();
      this.join(text);
    }
  }

  /** The rows are sorted: the n-th row that begins with a byte follows from the n-th row that ends with it. */
  private link(column: Uint8Array, counts: Int32Array, length: number): void {
    const { rows, starts } = this;
    let start = 0;
    for (let byte = 0; byte < 256; byte++) {
      starts[byte] = start;
      start += counts[byte]!;
    }
    for (let row = 0; row < length; row++) {
      const byte = column[row]!;
      rows[starts[byte]!++] = (row << 8) | byte;
    }
    this.length = length;
  }

  private walk(origin: number, text: Uint8Array): void {
    const { rows, length } = this;
    let row = origin;
    for (let at = 0; at < length; at++) {
      const entry = rows[row]!;
      text[at] = entry;
      row = entry >>> 8;
    }
  }

  private mark(origin: number): void {
    const { rows, length } = this;
    this.origin = origin;
    this.stride = Math.ceil(length / SEGMENTS);
    this.segments = Math.ceil(length / this.stride);
    for (let row = 0; row < length; row += this.stride) rows[row]! |= MARK;
    if (origin % this.stride !== 0) this.segments++;
    rows[origin]! |= MARK;
    rows[length] = length << 8;
    this.begun = 0;
    this.walking = LANES;
    this.current.fill(-1);
  }

  /** Eight walks in step: in each round every lane takes a byte. */
  private walkSegments(): void {
    const { rows, lanes } = this;
    let a = this.turn(0, 0, 0);
    let b = this.turn(1, 0, 0);
    let c = this.turn(2, 0, 0);
    let d = this.turn(3, 0, 0);
    let e = this.turn(4, 0, 0);
    let f = this.turn(5, 0, 0);
    let g = this.turn(6, 0, 0);
    let h = this.turn(7, 0, 0);
    for (let at = 0; this.walking > 0; ) {
      lanes[at] = a;
      lanes[MAX_BLOCK_BYTES + at] = b;
      lanes[2 * MAX_BLOCK_BYTES + at] = c;
      lanes[3 * MAX_BLOCK_BYTES + at] = d;
      lanes[4 * MAX_BLOCK_BYTES + at] = e;
      lanes[5 * MAX_BLOCK_BYTES + at] = f;
      lanes[6 * MAX_BLOCK_BYTES + at] = g;
      lanes[7 * MAX_BLOCK_BYTES + at] = h;
      at++;
      const aRow = a >> 8;
      const bRow = b >> 8;
      const cRow = c >> 8;
      const dRow = d >> 8;
      const eRow = e >> 8;
      const fRow = f >> 8;
      const gRow = g >> 8;
      const hRow = h >> 8;
      a = rows[aRow]!;
      b = rows[bRow]!;
      c = rows[cRow]!;
      d = rows[dRow]!;
      e = rows[eRow]!;
      f = rows[fRow]!;
      g = rows[gRow]!;
      h = rows[hRow]!;
      if ((a | b | c | d | e | f | g | h) >= 0) continue;
      if (a < 0) a = this.turn(0, aRow, at);
      if (b < 0) b = this.turn(1, bRow, at);
      if (c < 0) c = this.turn(2, cRow, at);
      if (d < 0) d = this.turn(3, dRow, at);
      if (e < 0) e = this.turn(4, eRow, at);
      if (f < 0) f = this.turn(5, fRow, at);
      if (g < 0) g = this.turn(6, gRow, at);
      if (h < 0) h = this.turn(7, hRow, at);
    }
  }

  /**
   * Ends the segment of a lane that has come to `row`, where another begins, and begins one that nobody has begun.
   * `at` is how many bytes each lane has written. Returns the entry of the lane's new row.
   */
  private turn(lane: number, row: number, at: number): number {
    const { rows, current } = this;
    const place = lane * MAX_BLOCK_BYTES + at;
    const ended = current[lane]!;
    if (ended >= 0) {
      this.tos[ended] = place;
      this.nexts[ended] = this.segmentAt(row);
    }
    if (this.begun === this.segments) {
      current[lane] = -1;
      this.walking--;
      return rows[this.length]!;
    }
    const segment = this.begun++;
    current[lane] = segment;
    this.froms[segment] = place;
    return rows[this.startOf(segment)]! & ~MARK;
  }

  private startOf(segment: number): number {
    const row = segment * this.stride;
    return row < this.length ? row : this.origin;
  }

  private segmentAt(row: number): number {
    return row % this.stride === 0 ? row / this.stride : this.segments - 1;
  }

  private join(text: Uint8Array): void {
    const { lanes, length } = this;
    const first = this.segmentAt(this.origin);
    let segment = first;
    let at = 0;
    do {
      const [from, to] = [this.froms[segment]!, this.tos[segment]!];
      text.set(lanes.subarray(from, Math.min(to, from + length - at)), at);
      at += to - from;
      segment = this.nexts[segment]!;
    } while (segment !== first && at < length);
    // Repetitions all through a block make a walk come back before its end: the text begins again there.
    for (; at < length; at *= 2) text.copyWithin(at, 0, Math.min(at, length - at));
  }
}
