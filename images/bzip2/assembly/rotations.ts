import { MAX_BLOCK_BYTES } from './format';
import { columnBytes, counts, runs, runsEnd } from './symbols';

/** So many walks go on at the same time, so that the processor has other work while it waits for memory. */
const LANES: u32 = 16;

/** So many pieces the text of a long block is cut into: enough that the lanes come to their ends together. */
const SEGMENTS: u32 = 256;

/** Below this a single walk is quicker; all of it stays in the cache. */
const SHORT_BLOCK_BYTES: u32 = 16 * 1024;

/** Marks a row at which a segment begins. */
const MARK: u32 = 0x8000_0000;

/** By row: the row of the next rotation above, the row's first byte in the low 8 bits. One more for idle lanes. */
const rows: usize = memory.data((900_000 + 8) * 4, 16);
/** By byte: the next row that begins with it, and the row behind its last. */
const starts: usize = memory.data(256 * 4, 16);
const ends: usize = memory.data(256 * 4, 16);

/** The block's text; what reads it may read a little further. */
export const text: usize = memory.data(900_000 + 64, 16);

/** What the lanes write, one behind the other. */
const lanes: usize = memory.data(16 * 900_000, 16);
/** By lane: the segment it is on; -1 when there is none left. */
const current: usize = memory.data(16 * 4, 16);
let walking: u32 = 0;

/** Segments begin at every row that `stride` divides, and the last one at the origin's. */
let stride: u32 = 1;
let firstRow: u32 = 0;
let begun: u32 = 0;
let segments: u32 = 0;
/** By segment: where it lies in `lanes`, and which segment the text goes on with. */
const froms: usize = memory.data(257 * 4, 16);
const tos: usize = memory.data(257 * 4, 16);
const nexts: usize = memory.data(257 * 4, 16);

/**
 * Undoes the Burrows-Wheeler transform: writes to `text` what the column of symbols.ts is the transform of. `origin`
 * (below the column's length) is the row of the text itself. A column that is none of any text does no harm: the
 * text is then a part of it, again and again.
 *
 * From the row of any rotation one gets to the row of the next rotation, the same text one byte later; a walk of
 * as many steps as there are rows from the origin's gives the text. Each step waits for memory, as rows are hit at
 * random. So the walk begins at many rows at once and each walk goes on until it meets the beginning of another one:
 * pieces of the text, which are then put together from the origin on.
 */
export function undoRotations(origin: u32): void {
  link();
  if (columnBytes < SHORT_BLOCK_BYTES) walk(origin);
  else {
    mark(origin);
    walkSegments();
    join();
  }
}

/** The rows are sorted: the n-th row that begins with a byte follows from the n-th row that ends with it. */
export function link(): void {
  let start: u32 = 0;
  for (let byte: usize = 0; byte < 1024; byte += 4) {
    store<u32>(starts + byte, start);
    start += load<u32>(counts + byte);
    store<u32>(ends + byte, start);
  }
  let row: u32 = 0;
  for (let at = runs; at < runsEnd; at += 4) {
    const run = load<u32>(at);
    const byte = (<usize>(run & 0xff)) << 2;
    const count = run >>> 8;
    const first = load<u32>(starts + byte);
    store<u32>(starts + byte, first + count);
    const entry = (row << 8) | (run & 0xff);
    row += count;
    const target = rows + ((<usize>first) << 2);
    let entries = i32x4.add(i32x4.splat(entry), i32x4(0, 256, 512, 768));
    // Four are written for every run; those too many are those of the byte's next runs, which come later.
    if (count <= 4 && first + 4 <= load<u32>(ends + byte)) {
      v128.store(target, entries);
      continue;
    }
    const end = target + ((<usize>count) << 2);
    let place = target;
    for (; place + 16 <= end; place += 16) {
      v128.store(place, entries);
      entries = i32x4.add(entries, i32x4.splat(1024));
    }
    let rest = <u32>i32x4.extract_lane(entries, 0);
    for (; place < end; place += 4) {
      store<u32>(place, rest);
      rest += 256;
    }
  }
}

function rowEntry(row: u32): u32 {
  return load<u32>(rows + ((<usize>row) << 2));
}

function walk(origin: u32): void {
  let row = origin;
  for (let at = text, end = text + columnBytes; at < end; at++) {
    const entry = rowEntry(row);
    store<u8>(at, entry);
    row = entry >>> 8;
  }
}

function markRow(row: u32): void {
  const at = rows + ((<usize>row) << 2);
  store<u32>(at, load<u32>(at) | MARK);
}

export function mark(origin: u32): void {
  const length = columnBytes;
  firstRow = origin;
  stride = (length + SEGMENTS - 1) / SEGMENTS;
  segments = (length + stride - 1) / stride;
  for (let row: u32 = 0; row < length; row += stride) markRow(row);
  if (origin % stride !== 0) segments++;
  markRow(origin);
  store<u32>(rows + ((<usize>length) << 2), length << 8);
  begun = 0;
  walking = LANES;
  memory.fill(current, 0xff, LANES * 4);
}

/** Sixteen walks in step: in each round every lane takes a byte. */
export function walkSegments(): void {
  let a = turn(0, 0, 0);
  let b = turn(1, 0, 0);
  let c = turn(2, 0, 0);
  let d = turn(3, 0, 0);
  let e = turn(4, 0, 0);
  let f = turn(5, 0, 0);
  let g = turn(6, 0, 0);
  let h = turn(7, 0, 0);
  let i = turn(8, 0, 0);
  let j = turn(9, 0, 0);
  let k = turn(10, 0, 0);
  let l = turn(11, 0, 0);
  let m = turn(12, 0, 0);
  let n = turn(13, 0, 0);
  let o = turn(14, 0, 0);
  let p = turn(15, 0, 0);
  let at: u32 = 0;
  while (walking > 0) {
    const place = lanes + at;
    store<u8>(place, a);
    store<u8>(place, b, 900_000);
    store<u8>(place, c, 2 * 900_000);
    store<u8>(place, d, 3 * 900_000);
    store<u8>(place, e, 4 * 900_000);
    store<u8>(place, f, 5 * 900_000);
    store<u8>(place, g, 6 * 900_000);
    store<u8>(place, h, 7 * 900_000);
    store<u8>(place, i, 8 * 900_000);
    store<u8>(place, j, 9 * 900_000);
    store<u8>(place, k, 10 * 900_000);
    store<u8>(place, l, 11 * 900_000);
    store<u8>(place, m, 12 * 900_000);
    store<u8>(place, n, 13 * 900_000);
    store<u8>(place, o, 14 * 900_000);
    store<u8>(place, p, 15 * 900_000);
    at++;
    const aRow = a >>> 8;
    const bRow = b >>> 8;
    const cRow = c >>> 8;
    const dRow = d >>> 8;
    const eRow = e >>> 8;
    const fRow = f >>> 8;
    const gRow = g >>> 8;
    const hRow = h >>> 8;
    const iRow = i >>> 8;
    const jRow = j >>> 8;
    const kRow = k >>> 8;
    const lRow = l >>> 8;
    const mRow = m >>> 8;
    const nRow = n >>> 8;
    const oRow = o >>> 8;
    const pRow = p >>> 8;
    a = rowEntry(aRow);
    b = rowEntry(bRow);
    c = rowEntry(cRow);
    d = rowEntry(dRow);
    e = rowEntry(eRow);
    f = rowEntry(fRow);
    g = rowEntry(gRow);
    h = rowEntry(hRow);
    i = rowEntry(iRow);
    j = rowEntry(jRow);
    k = rowEntry(kRow);
    l = rowEntry(lRow);
    m = rowEntry(mRow);
    n = rowEntry(nRow);
    o = rowEntry(oRow);
    p = rowEntry(pRow);
    if (((a | b | c | d | e | f | g | h | i | j | k | l | m | n | o | p) & MARK) === 0) continue;
    if (a & MARK) a = turn(0, aRow, at);
    if (b & MARK) b = turn(1, bRow, at);
    if (c & MARK) c = turn(2, cRow, at);
    if (d & MARK) d = turn(3, dRow, at);
    if (e & MARK) e = turn(4, eRow, at);
    if (f & MARK) f = turn(5, fRow, at);
    if (g & MARK) g = turn(6, gRow, at);
    if (h & MARK) h = turn(7, hRow, at);
    if (i & MARK) i = turn(8, iRow, at);
    if (j & MARK) j = turn(9, jRow, at);
    if (k & MARK) k = turn(10, kRow, at);
    if (l & MARK) l = turn(11, lRow, at);
    if (m & MARK) m = turn(12, mRow, at);
    if (n & MARK) n = turn(13, nRow, at);
    if (o & MARK) o = turn(14, oRow, at);
    if (p & MARK) p = turn(15, pRow, at);
  }
}

/**
 * Ends the segment of a lane that has come to `row`, where another begins, and begins one that nobody has begun.
 * `at` is how many bytes each lane has written. Returns the entry of the lane's new row.
 */
function turn(lane: u32, row: u32, at: u32): u32 {
  const place = lane * MAX_BLOCK_BYTES + at;
  const segmentOfLane = current + ((<usize>lane) << 2);
  const ended = load<i32>(segmentOfLane);
  if (ended >= 0) {
    store<u32>(tos + ((<usize>ended) << 2), place);
    store<u32>(nexts + ((<usize>ended) << 2), segmentAt(row));
  }
  if (begun === segments) {
    store<i32>(segmentOfLane, -1);
    walking--;
    return rowEntry(columnBytes);
  }
  const segment = begun++;
  store<u32>(segmentOfLane, segment);
  store<u32>(froms + ((<usize>segment) << 2), place);
  return rowEntry(startOf(segment)) & ~MARK;
}

function startOf(segment: u32): u32 {
  const row = segment * stride;
  return row < columnBytes ? row : firstRow;
}

function segmentAt(row: u32): u32 {
  return row % stride === 0 ? row / stride : segments - 1;
}

export function join(): void {
  const length = columnBytes;
  const first = segmentAt(firstRow);
  let segment = first;
  let at: u32 = 0;
  do {
    const from = load<u32>(froms + ((<usize>segment) << 2));
    const count = min(load<u32>(tos + ((<usize>segment) << 2)) - from, length - at);
    memory.copy(text + at, lanes + from, count);
    at += count;
    segment = load<u32>(nexts + ((<usize>segment) << 2));
  } while (segment !== first && at < length);
  // Repetitions all through a block make a walk come back before its end: the text begins again there.
  for (; at < length; at *= 2) memory.copy(text + at, text, min(at, length - at));
}
