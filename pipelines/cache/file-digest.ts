import { createHash } from 'node:crypto';
import { closeSync, constants, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { ByteRange } from '../../images/bytes/data-map.js';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError, hostError } from '../../images/diagnostic.js';

/** It stays in a processor's own cache from the reading to the hashing. */
const PIECE_BYTES = 256 * 1024;
const zeros = Buffer.alloc(PIECE_BYTES);

/** Below this a thread takes longer to start than it saves. */
const ASIDE_BYTES = 64 * 1024 * 1024;

const workerEntry = new URL('./file-digest-worker.js', import.meta.url);

export interface FileDigest {
  /** In hexadecimal. */
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** What of a file of `size` bytes has data: these ranges, ascending, apart. All else in it is zeros. */
export interface KnownData {
  readonly size: number;
  readonly ranges: readonly ByteRange[];
}

/** What the thread is asked, and what it answers. */
export interface DigestTask {
  readonly path: string | Uint8Array;
  readonly data?: KnownData;
}
export type DigestAnswer = FileDigest | { readonly fault: DiagnosticError['diagnostics'] };

/**
 * SHA-256 and length of a file on the host. With `data` only what has data is read: whoever wrote the file knows. Throws
 * a DiagnosticError when it can't be read or is no file.
 */
export async function digestOfFile(path: string | Buffer, pace: Pace, data?: KnownData): Promise<FileDigest> {
  let descriptor: number | undefined;
  try {
    // A pipe would keep an open that waits for its other end waiting for ever.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(descriptor);
    if (!status.isFile() && !status.isBlockDevice())
      throw hostError('it is no file', 'Name a file.', { file: path.toString() });
    // A file that somebody appends to all the time would never end.
    const end = status.isFile() ? status.size : Number.POSITIVE_INFINITY;
    const digest = new Digesting(descriptor, end, pace);
    const isKnown = data?.size === end;
    for (const range of isKnown ? data.ranges : []) {
      await digest.hole(range.start);
      await digest.read(range.end);
    }
    if (isKnown) await digest.hole(end);
    else await digest.read(end);
    return digest.result();
  } catch (cause) {
    throw readableHostError(cause, path.toString());
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/**
 * The same in a thread of its own, so that something else can be done meanwhile; here where that is not worth it, or
 * where the sources run as they are, uncompiled. An abort ends it.
 */
export async function digestOfFileAside(
  path: string | Buffer,
  pace: Pace,
  data?: KnownData,
): Promise<FileDigest> {
  if (sizeOf(path) < ASIDE_BYTES || !existsSync(workerEntry)) return digestOfFile(path, pace, data);
  const task: DigestTask = data === undefined ? { path } : { path, data };
  const worker = new Worker(workerEntry, { workerData: task, execArgv: [] });
  const onAbort = (): void => void worker.terminate();
  pace.signal?.addEventListener('abort', onAbort, { once: true });
  if (pace.signal?.aborted === true) onAbort();
  try {
    const answer = await new Promise<DigestAnswer>((resolve, reject) => {
      const fail = (reason: string): void =>
        reject(hostError(`the thread that digests ${path} failed: ${reason}`, 'Is there enough memory?'));
      worker.once('message', resolve);
      worker.once('error', (error) => fail(error.message));
      worker.once('exit', () => fail('it ended'));
    });
    if ('fault' in answer) throw new DiagnosticError(answer.fault);
    return answer;
  } catch (error) {
    pace.check();
    throw error;
  } finally {
    pace.signal?.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}

/** Length of a file in bytes; 0 where it can't be told: who opens it says why. */
function sizeOf(path: string | Buffer): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/** Digests an open file from front to back. */
class Digesting {
  private readonly hash = createHash('sha256');
  private readonly buffer: Buffer;
  private size = 0;

  constructor(
    private readonly descriptor: number,
    end: number,
    private readonly pace: Pace,
  ) {
    this.buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, end));
  }

  /** Goes on to `end`, or to where the file ends by now. */
  async read(end: number): Promise<void> {
    const { buffer, descriptor } = this;
    while (this.size < end) {
      const count = readSync(descriptor, buffer, 0, Math.min(buffer.length, end - this.size), this.size);
      if (count === 0) return;
      await this.add(buffer.subarray(0, count));
    }
  }

  /** The same, where there are only zeros. */
  async hole(end: number): Promise<void> {
    while (this.size < end) await this.add(zeros.subarray(0, Math.min(zeros.length, end - this.size)));
  }

  result(): FileDigest {
    return { sha256: this.hash.digest('hex'), size: this.size };
  }

  private async add(bytes: Buffer): Promise<void> {
    this.hash.update(bytes);
    this.size += bytes.length;
    if (this.pace.due()) await this.pace.breathe();
  }
}
