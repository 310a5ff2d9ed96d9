import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { hostError, imageError } from '../diagnostic.js';
import { readableHostError } from './host-error.js';

/**
 * A fixed number of bytes that can be read anywhere: an image file, a part of one, a pool of several, memory.
 * Reads are synchronous: they are short, and a synchronous read costs a tenth of a trip through the thread pool.
 */
export interface ByteSource {
  /** What to call it in messages: the path as the user gave it. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Fills all of `target` from byte `offset` on.
   * Throws a DiagnosticError when that reaches outside the source or the host can't read.
   */
  readInto(target: Uint8Array, offset: number): void;
  close(): void;
}

/** Throws unless `length` bytes from `offset` lie inside the source. */
export function checkRange(source: ByteSource, offset: number, length: number): void {
  if (!(offset >= 0) || !(length >= 0) || !(offset + length <= source.size)) {
    throw imageError(
      { file: source.name, offset },
      `${length} bytes are needed here, but the image ends at byte ${source.size}`,
      'The image is cut short or damaged.',
    );
  }
}

/** Reads `length` bytes from `offset` into a new buffer. The caller must have bounded `length`. */
export function readBytes(source: ByteSource, offset: number, length: number): Buffer {
  checkRange(source, offset, length);
  const bytes = Buffer.allocUnsafe(length);
  source.readInto(bytes, offset);
  return bytes;
}

/** A file or block device on the host, opened for reading. */
export class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  /** Identity on the host, to recognise the same file under another name. */
  readonly identity: { readonly device: number; readonly inode: number };
  private descriptor: number;

  /** Opens `path`. Throws a DiagnosticError when it can't be opened or is not a file or block device. */
  constructor(path: string | Buffer, name: string = path.toString()) {
    this.name = name;
    try {
      this.descriptor = openSync(path, 'r');
    } catch (cause) {
      throw readableHostError(cause, name);
    }
    const status = fstatSync(this.descriptor);
    this.identity = { device: status.dev, inode: status.ino };
    if (status.isFile()) this.size = status.size;
    else if (status.isBlockDevice()) this.size = blockDeviceSize(this.descriptor);
    else {
      closeSync(this.descriptor);
      throw hostError(
        `not a file: it is a ${status.isDirectory() ? 'directory' : 'device, pipe or socket'}`,
        undefined,
        {
          file: name,
        },
      );
    }
  }

  readInto(target: Uint8Array, offset: number): void {
    checkRange(this, offset, target.length);
    let done = 0;
    while (done < target.length) {
      let count: number;
      try {
        count = readSync(this.descriptor, target, done, target.length - done, offset + done);
      } catch (cause) {
        throw readableHostError(cause, this.name);
      }
      if (count === 0) {
        throw imageError(
          { file: this.name, offset: offset + done },
          'the file became shorter while it was read',
        );
      }
      done += count;
    }
  }

  close(): void {
    if (this.descriptor < 0) return;
    closeSync(this.descriptor);
    this.descriptor = -1;
  }
}

/** fstat says 0 for a block device: find its end by reading, as lseek is not to be had in Node. */
function blockDeviceSize(descriptor: number): number {
  const probe = Buffer.alloc(1);
  const readable = (offset: number): boolean => {
    try {
      return readSync(descriptor, probe, 0, 1, offset) === 1;
    } catch {
      return false;
    }
  };
  let low = 0;
  let high = 512;
  while (readable(high - 1) && high < Number.MAX_SAFE_INTEGER / 2) {
    low = high;
    high *= 2;
  }
  while (high - low > 512) {
    const middle = Math.floor((low + high) / 2 / 512) * 512;
    if (readable(middle - 1)) low = middle;
    else high = middle;
  }
  return low;
}

/** Bytes in memory. */
export class MemorySource implements ByteSource {
  readonly size: number;

  constructor(
    private readonly bytes: Uint8Array,
    readonly name = 'memory',
  ) {
    this.size = bytes.length;
  }

  readInto(target: Uint8Array, offset: number): void {
    checkRange(this, offset, target.length);
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  close(): void {}
}
