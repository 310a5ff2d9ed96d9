import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { HOLE_BYTES } from './data-map.js';
import { readableHostError } from './host-error.js';
import { isZero } from './zeros.js';

/** A new file that grows as it is written from front to back; pieces of zeros become holes. */
export class SparseStream {
  private descriptor: number;
  private position = 0;

  /** Makes `path`, which must not exist, with `mode` less the umask. `name` is what messages call it. */
  constructor(
    private readonly path: string,
    private readonly name: string = path,
    mode = 0o600,
  ) {
    try {
      this.descriptor = openSync(path, 'wx', mode);
    } catch (cause) {
      throw readableHostError(cause, name);
    }
  }

  /** Bytes written so far. */
  get size(): number {
    return this.position;
  }

  append(bytes: Uint8Array): void {
    let runStart = 0;
    let offset = 0;
    while (offset < bytes.length) {
      const end = Math.min(bytes.length, offset + HOLE_BYTES - ((this.position + offset) % HOLE_BYTES));
      if (isZero(bytes, offset, end)) {
        if (offset > runStart) this.write(bytes.subarray(runStart, offset), this.position + runStart);
        runStart = end;
      }
      offset = end;
    }
    this.write(bytes.subarray(runStart), this.position + runStart);
    this.position += bytes.length;
  }

  /** So many zeros. */
  skip(bytes: number): void {
    this.position += bytes;
  }

  /** Sets the final length, which ends in a hole if zeros came last, and closes. */
  close(): void {
    if (this.descriptor < 0) return;
    try {
      ftruncateSync(this.descriptor, this.position);
    } catch (cause) {
      throw readableHostError(cause, this.name);
    } finally {
      this.abandon();
    }
  }

  /** Closes as it is. */
  abandon(): void {
    if (this.descriptor < 0) return;
    closeSync(this.descriptor);
    this.descriptor = -1;
  }

  /** Closes and removes the file. */
  discard(): void {
    this.abandon();
    rmSync(this.path, { force: true });
  }

  private write(bytes: Uint8Array, offset: number): void {
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
