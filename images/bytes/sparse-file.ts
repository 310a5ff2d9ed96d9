import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { FileSource } from './byte-source.js';
import { DataMap, HOLE_BYTES } from './data-map.js';
import { readableHostError } from './host-error.js';
import { isZero } from './zeros.js';

/** Small writes are gathered in chunks of the file of this size. */
const CHUNK_BYTES = 1024 * 1024;

/** Larger writes go straight out: copying them once more costs more than the call saves. */
const DIRECT_BYTES = 32 * 1024;

/** Where an image is written: positions may be given in any order, neighbours are written together. */
export interface ByteSink {
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** Writes all of `bytes` at `offset`. The bytes are taken over at once: the caller may reuse the buffer. */
  write(bytes: Uint8Array, offset: number): void;
  /** Hands everything written so far to the operating system. Throws a DiagnosticError when that fails. */
  flush(): void;
}

/**
 * A file that is written in large pieces and keeps holes where nothing but zeros was written.
 *
 * `fresh` says that the file was empty before, so that zeros need not be written at all. On a file that had other
 * content (`fresh: false`) zeros are data like any other.
 */
export class SparseFile implements ByteSink {
  readonly name: string;
  readonly size: number;
  /** Of a fresh file: what of it is no hole any more, once it is flushed. Zeros over data must be written. */
  readonly data: DataMap | undefined;
  private descriptor: number;
  /** A chunk of the file in which writes are gathered, in whatever order they come. */
  private readonly buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  /** Byte offset of the chunk in the file. */
  private chunk = 0;
  /** Starts and ends, in turn, of the ranges of the buffer that wait to be written; ascending, apart. */
  private filled: number[] = [];
  private constructor(name: string, descriptor: number, size: number, fresh: boolean) {
    this.name = name;
    this.descriptor = descriptor;
    this.size = size;
    this.data = fresh ? new DataMap(size) : undefined;
  }

  /** Makes a new file of `size` bytes, all of it a hole. Throws a DiagnosticError when `path` exists. */
  static create(path: string, size: number, options: { name?: string; mode?: number } = {}): SparseFile {
    const name = options.name ?? path;
    let descriptor: number | undefined;
    try {
      descriptor = openSync(path, 'wx+', options.mode ?? 0o666);
      ftruncateSync(descriptor, size);
      return new SparseFile(name, descriptor, size, true);
    } catch (cause) {
      if (descriptor !== undefined) closeSync(descriptor);
      throw readableHostError(cause, name);
    }
  }

  /** Opens an existing file or block device for writing in place. Its length stays. */
  static open(path: string, name: string = path): SparseFile {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(path, 'r+');
      const status = fstatSync(descriptor);
      // A wholly unallocated file is as good as new: dd count=0 or truncate made it.
      const fresh = status.isFile() && status.blocks === 0;
      let size = status.size;
      if (status.isBlockDevice()) {
        const source = new FileSource(path);
        size = source.size;
        source.close();
      }
      return new SparseFile(name, descriptor, size, fresh);
    } catch (cause) {
      if (descriptor !== undefined) closeSync(descriptor);
      throw readableHostError(cause, name);
    }
  }

  write(bytes: Uint8Array, offset: number): void {
    if (offset < 0 || offset + bytes.length > this.size) {
      throw new RangeError(
        `write of ${bytes.length} bytes at ${offset} outside ${this.name} (${this.size} bytes)`,
      );
    }
    for (let done = 0; done < bytes.length; ) {
      const position = offset + done;
      const chunk = Math.floor(position / CHUNK_BYTES) * CHUNK_BYTES;
      const count = Math.min(bytes.length - done, chunk + CHUNK_BYTES - position);
      this.writeToChunk(bytes.subarray(done, done + count), position, chunk);
      done += count;
    }
  }

  flush(): void {
    for (let index = 0; index < this.filled.length; index += 2) {
      const [start, end] = [this.filled[index]!, this.filled[index + 1]!];
      this.writeOut(this.buffer.subarray(start, end), this.chunk + start);
    }
    this.filled = [];
  }

  /** Gathers small writes that belong to the chunk at hand or begin a later one; anything else goes out by itself. */
  private writeToChunk(bytes: Uint8Array, offset: number, chunk: number): void {
    const start = offset - chunk;
    if (bytes.length >= DIRECT_BYTES || chunk < this.chunk) {
      if (chunk === this.chunk && this.touchesFilled(start, start + bytes.length)) this.flush();
      this.writeOut(bytes, offset);
      return;
    }
    if (chunk > this.chunk) {
      this.flush();
      this.chunk = chunk;
    }
    this.buffer.set(bytes, start);
    this.addFilled(start, start + bytes.length);
  }

  /** Whether something that waits to be written lies in this range of the buffer. */
  private touchesFilled(from: number, to: number): boolean {
    return this.filled.some(
      (start, index) => index % 2 === 0 && start < to && this.filled[index + 1]! > from,
    );
  }

  /** Marks a range of the buffer as filled, joined with those it touches. */
  private addFilled(from: number, to: number): void {
    const { filled } = this;
    let first = 0;
    while (first < filled.length && filled[first + 1]! < from) first += 2;
    let [start, end] = [from, to];
    let last = first;
    for (; last < filled.length && filled[last]! <= to; last += 2) {
      start = Math.min(start, filled[last]!);
      end = Math.max(end, filled[last + 1]!);
    }
    filled.splice(first, last - first, start, end);
  }

  /** Flushes and closes. */
  close(): void {
    if (this.descriptor < 0) return;
    try {
      this.flush();
    } finally {
      this.abandon();
    }
  }

  /** Closes without writing what is still buffered. */
  abandon(): void {
    if (this.descriptor < 0) return;
    closeSync(this.descriptor);
    this.descriptor = -1;
    this.filled = [];
  }

  /** Writes a part of one chunk: what has data in it, where the file was fresh. */
  private writeOut(bytes: Uint8Array, offset: number): void {
    const { data } = this;
    const ranges = data === undefined ? [0, bytes.length] : rangesOfData(bytes, offset, data);
    for (let index = 0; index < ranges.length; index += 2) {
      this.writeAll(bytes.subarray(ranges[index], ranges[index + 1]), offset + ranges[index]!);
    }
  }

  private writeAll(bytes: Uint8Array, offset: number): void {
    let done = 0;
    while (done < bytes.length) {
      try {
        done += writeSync(this.descriptor, bytes, done, bytes.length - done, offset + done);
      } catch (cause) {
        throw readableHostError(cause, this.name);
      }
    }
  }
}

/** Starts and ends, in turn, of the runs of pieces that are not all zero, or are no hole any more. Marks them as data. */
function rangesOfData(bytes: Uint8Array, offset: number, data: DataMap): number[] {
  const ranges: number[] = [];
  let runStart = -1;
  let position = 0;
  while (position < bytes.length) {
    const end = Math.min(bytes.length, position + HOLE_BYTES - ((offset + position) % HOLE_BYTES));
    const unit = Math.floor((offset + position) / HOLE_BYTES);
    if (!data.has(unit) && isZero(bytes, position, end)) {
      if (runStart >= 0) ranges.push(runStart, position);
      runStart = -1;
    } else {
      data.add(unit);
      if (runStart < 0) runStart = position;
    }
    position = end;
  }
  if (runStart >= 0) ranges.push(runStart, bytes.length);
  return ranges;
}
