import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { readableHostError } from '../../images/bytes/host-error.js';

/** Bytes of a log after which it is put aside as `.1`: at most twice as much is kept. */
const LOG_BYTES_MAX = 4 * 1024 * 1024;

/** A log file that does not grow beyond all bounds: `PATH`, and what came before in `PATH.1`. */
export class BoundedLog {
  private descriptor: number;
  private size = 0;

  /** Begins the log anew; what was there is put aside. */
  constructor(
    private readonly path: string,
    private readonly bytesMax = LOG_BYTES_MAX,
  ) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.putAside();
      this.descriptor = openSync(path, 'w', 0o600);
    } catch (cause) {
      throw readableHostError(cause, path);
    }
  }

  /** A log that can't be written must not take the nodes down: what does not fit on the disk is lost. */
  append(bytes: Uint8Array): void {
    if (this.descriptor < 0) return;
    try {
      if (this.size > 0 && this.size + bytes.length > this.bytesMax) this.rotate();
      writeSync(this.descriptor, bytes);
      this.size += bytes.length;
    } catch {
      // A full disk.
    }
  }

  close(): void {
    if (this.descriptor >= 0) closeSync(this.descriptor);
    this.descriptor = -1;
  }

  private rotate(): void {
    closeSync(this.descriptor);
    this.descriptor = -1;
    this.putAside();
    this.descriptor = openSync(this.path, 'w', 0o600);
    this.size = 0;
  }

  private putAside(): void {
    try {
      renameSync(this.path, `${this.path}.1`);
    } catch {
      // There is none.
    }
  }
}
