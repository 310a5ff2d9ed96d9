import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { FileSource } from './byte-source.js';
import { readableHostError } from './host-error.js';
import { isZero } from './zeros.js';

/** The unit of holes: what every filesystem in use allocates by. */
const HOLE_BYTES = 4096;

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
  private readonly fresh: boolean;
  private descriptor: number;
  private readonly buffer: Buffer;
  private start = 0;
  private filled = 0;
  /** One bit for each piece of a fresh file that is no hole any more: zeros over data must be written. */
  private readonly written: Uint8Array;

  private constructor(name: string, descriptor: number, size: number, fresh: boolean, bufferSize: number) {
    this.name = name;
    this.descriptor = descriptor;
    this.size = size;
    this.fresh = fresh;
    this.buffer = Buffer.allocUnsafe(bufferSize);
    this.written = new Uint8Array(fresh ? Math.ceil(size / HOLE_BYTES / 8) : 0);
  }

  /** Makes a new file of `size` bytes, all of it a hole. Throws a DiagnosticError when `path` exists. */
  static create(path: string, size: number, options: { name?: string; mode?: number } = {}): SparseFile {
    const name = options.name ?? path;
    let descriptor: number | undefined;
    try {
      descriptor = openSync(path, 'wx+', options.mode ?? 0o666);
      ftruncateSync(descriptor, size);
      return new SparseFile(name, descriptor, size, true, 1024 * 1024);
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
      return new SparseFile(name, descriptor, size, fresh, 1024 * 1024);
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
    if (offset !== this.start + this.filled || this.filled + bytes.length > this.buffer.length) {
      this.flush();
      this.start = offset;
      if (bytes.length * 2 > this.buffer.length) {
        // Large pieces go straight through: gathering them would only copy them once more.
        this.writeOut(bytes, offset);
        this.start = offset + bytes.length;
        return;
      }
    }
    this.buffer.set(bytes, this.filled);
    this.filled += bytes.length;
  }

  flush(): void {
    if (this.filled === 0) return;
    this.writeOut(this.buffer.subarray(0, this.filled), this.start);
    this.start += this.filled;
    this.filled = 0;
  }

  /** Flushes and waits until the data is on the disk. */
  sync(): void {
    this.flush();
    try {
      fsyncSync(this.descriptor);
    } catch (cause) {
      throw readableHostError(cause, this.name);
    }
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
    this.filled = 0;
  }

  private writeOut(bytes: Uint8Array, offset: number): void {
    if (!this.fresh) {
      this.writeAll(bytes, offset);
      return;
    }
    // Runs of pieces with data are written, pieces of zeros stay holes.
    let runStart = -1;
    let position = 0;
    while (position < bytes.length) {
      const boundary = HOLE_BYTES - ((offset + position) % HOLE_BYTES);
      const end = Math.min(bytes.length, position + boundary);
      if (this.staysHole(bytes.subarray(position, end), offset + position)) {
        if (runStart >= 0) this.writeAll(bytes.subarray(runStart, position), offset + runStart);
        runStart = -1;
      } else if (runStart < 0) {
        runStart = position;
      }
      position = end;
    }
    if (runStart >= 0) this.writeAll(bytes.subarray(runStart), offset + runStart);
  }

  /** Whether a piece need not be written; if it must be, it is no hole from now on. */
  private staysHole(piece: Uint8Array, offset: number): boolean {
    const index = Math.floor(offset / HOLE_BYTES);
    const bit = 1 << (index & 7);
    if ((this.written[index >>> 3]! & bit) === 0 && isZero(piece)) return true;
    this.written[index >>> 3]! |= bit;
    return false;
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

/** A part of another sink, with offsets counted from the part's start. */
export class WindowSink implements ByteSink {
  readonly name: string;

  constructor(
    private readonly parent: ByteSink,
    private readonly start: number,
    readonly size: number,
  ) {
    this.name = parent.name;
    if (start < 0 || start + size > parent.size) throw new RangeError(`window outside ${parent.name}`);
  }

  write(bytes: Uint8Array, offset: number): void {
    if (offset < 0 || offset + bytes.length > this.size)
      throw new RangeError(`write outside the window of ${this.name}`);
    this.parent.write(bytes, this.start + offset);
  }

  flush(): void {
    this.parent.flush();
  }
}
