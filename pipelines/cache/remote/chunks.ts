import { createHash } from 'node:crypto';
import type { FileSource } from '../../../images/bytes/byte-source.js';
import type { Pace } from '../../../images/bytes/pace.js';
import { isZero } from '../../../images/bytes/zeros.js';

/** No chunk is shorter, but where data ends, in bytes. */
const CHUNK_BYTES_MIN = 256 * 1024;

/** No chunk is longer. */
export const CHUNK_BYTES_MAX = 4 * 1024 * 1024;

/** So many bits of the rolling hash are zero where a chunk ends: after 512 KiB on average beyond the shortest. */
const CUT_BITS = 19;

/** Zeros count as a hole in units of this size, at multiples of it. */
const HOLE_BYTES = 64 * 1024;

/** A piece of a file: bytes, or a length of zeros. */
export type Piece =
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'hole'; readonly length: number };

/**
 * The 256 random numbers of the rolling hash: a chunk ends where its last bytes say so, so that what is inserted or
 * removed changes only the chunks around it. (The gear hash of Xia et al., "FastCDC", USENIX ATC 2016.)
 */
const gear = Int32Array.from({ length: 256 }, (_, byte) =>
  createHash('sha256').update(`chunk ${byte}`).digest().readInt32LE(0),
);

/** Cuts a file into pieces from `start`, where one begins, to its end. The bytes of a piece are its own. */
export async function* piecesOf(source: FileSource, start: number, pace: Pace): AsyncGenerator<Piece> {
  const window = new Window(source, start);
  while (window.position < source.size) {
    const hole = await window.skipHole(pace);
    if (hole > 0) {
      yield { kind: 'hole', length: hole };
      continue;
    }
    yield { kind: 'data', bytes: window.takeChunk() };
    if (pace.due()) await pace.breathe();
  }
}

/** Part of a file in memory, moved from front to back. */
class Window {
  private readonly buffer: Buffer;
  private from = 0;
  private to = 0;

  constructor(
    private readonly source: FileSource,
    /** Where in the file the next piece begins. */
    public position: number,
  ) {
    this.buffer = Buffer.allocUnsafe(Math.min(2 * CHUNK_BYTES_MAX, source.size - position));
  }

  /** The length of the hole that begins here; goes behind it. */
  async skipHole(pace: Pace): Promise<number> {
    const start = this.position;
    for (;;) {
      const unit = Math.min(HOLE_BYTES, this.source.size - this.position);
      if (unit === 0 || this.position % HOLE_BYTES !== 0) break;
      this.fill(unit);
      if (!isZero(this.buffer, this.from, this.from + unit)) break;
      this.advance(unit);
      if (pace.due()) await pace.breathe();
    }
    return this.position - start;
  }

  takeChunk(): Buffer {
    const most = Math.min(CHUNK_BYTES_MAX, this.source.size - this.position);
    this.fill(most);
    const chunk = this.buffer.subarray(this.from, this.from + most);
    const data = chunk.subarray(0, lengthBeforeHole(chunk, this.position));
    const bytes = Buffer.from(data.subarray(0, lengthOfChunk(data)));
    this.advance(bytes.length);
    return bytes;
  }

  /** Has at least so many bytes at hand. */
  private fill(length: number): void {
    if (this.to - this.from >= length) return;
    this.buffer.copyWithin(0, this.from, this.to);
    this.to -= this.from;
    this.from = 0;
    const rest = this.source.size - this.position - this.to;
    const count = Math.min(this.buffer.length - this.to, rest);
    this.source.readInto(this.buffer.subarray(this.to, this.to + count), this.position + this.to);
    this.to += count;
  }

  private advance(length: number): void {
    this.from += length;
    this.position += length;
  }
}

/** Length of the data before the first hole after the start. */
function lengthBeforeHole(bytes: Buffer, position: number): number {
  const first = HOLE_BYTES - (position % HOLE_BYTES);
  for (let start = first; start < bytes.length; start += HOLE_BYTES) {
    const end = Math.min(bytes.length, start + HOLE_BYTES);
    // Less than a unit is one only at the end of the file; a chunk that ends there by its length is rare enough.
    if (end - start === HOLE_BYTES && isZero(bytes, start, end)) return start;
  }
  return bytes.length;
}

function lengthOfChunk(bytes: Buffer): number {
  let hash = 0;
  for (let index = CHUNK_BYTES_MIN; index < bytes.length; index++) {
    hash = ((hash << 1) + gear[bytes[index]!]!) | 0;
    if (hash >>> (32 - CUT_BITS) === 0) return index + 1;
  }
  return bytes.length;
}
