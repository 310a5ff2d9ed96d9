import { createWriteStream, openSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { FileSource } from '../images/bytes/byte-source.js';
import { readableHostError, systemErrorCode } from '../images/bytes/host-error.js';
import { DiagnosticError } from '../images/diagnostic.js';

/** Smaller than level 9 makes it by a hundredth only, in a third of its time. */
const LEVEL = 6;

const PIECE_BYTES = 256 * 1024;

export interface GzipOptions {
  /** zlib's, 6 by default; 0 only stores the bytes. */
  readonly level?: number;
  /** What messages call the file; its path by default. */
  readonly name?: string;
  readonly signal?: AbortSignal;
}

/** Takes the bytes that are compressed; they may change again when the promise is fulfilled. */
export interface GzipStream {
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * Makes a new file at `path` that holds what `fill` writes, compressed with gzip. The header has neither a time nor a
 * name in it, so the same bytes and the same version of Node's zlib give the same file. Returns what `fill` returns.
 * Throws a DiagnosticError on a full disk or an abort, or whatever `fill` throws; no file is left then.
 */
export async function writeGzipFile<T>(
  path: string,
  fill: (stream: GzipStream) => Promise<T>,
  { name = path, signal, level = LEVEL }: GzipOptions = {},
): Promise<T> {
  const file = createWriteStream(path, { fd: makeFile(path, name) });
  const gzip = createGzip({ level, chunkSize: PIECE_BYTES });
  // A write that is under way when the stream breaks is never called back.
  let broken: (reason: unknown) => void = () => {};
  const written = pipeline(gzip, file, signal === undefined ? {} : { signal });
  written.catch((reason: unknown) => broken(reason));
  const send = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      broken = reject;
      // Called when zlib is done with the bytes.
      gzip.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  // What is only stored is divided where zlib's input is: always at the same places, however it comes.
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let held = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    for (let taken = 0; taken < bytes.length; ) {
      const part = bytes.subarray(taken, taken + piece.length - held);
      piece.set(part, held);
      taken += part.length;
      held += part.length;
      if (held < piece.length) return;
      await send(piece);
      held = 0;
    }
  };
  try {
    const result = await fill({ write });
    if (held > 0) await send(piece.subarray(0, held));
    gzip.end();
    await written;
    return result;
  } catch (error) {
    gzip.destroy();
    const [end] = await Promise.allSettled([written]);
    rmSync(path, { force: true });
    // A full disk breaks the stream, and then the writes fail too: the cause is what the file says.
    const cause = end.status === 'rejected' && systemErrorCode(end.reason) !== undefined ? end.reason : error;
    throw explained(cause, error, name, signal);
  }
}

function makeFile(path: string, name: string): number {
  try {
    return openSync(path, 'wx');
  } catch (cause) {
    throw readableHostError(cause, name);
  }
}

function explained(cause: unknown, error: unknown, name: string, signal?: AbortSignal): unknown {
  if (error instanceof DiagnosticError) return error;
  if (signal?.aborted === true) return new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
  return cause instanceof Error && 'syscall' in cause ? readableHostError(cause, name) : error;
}

/** Compresses a file into a new one. Throws a DiagnosticError when one can't be read or the other not be written. */
export async function gzipFile(from: string, to: string, options: GzipOptions = {}): Promise<void> {
  const source = new FileSource(from);
  try {
    await writeGzipFile(
      to,
      async (stream) => {
        const buffer = Buffer.allocUnsafe(PIECE_BYTES);
        for (let offset = 0; offset < source.size; offset += buffer.length) {
          const bytes = buffer.subarray(0, Math.min(buffer.length, source.size - offset));
          source.readInto(bytes, offset);
          await stream.write(bytes);
        }
      },
      options,
    );
  } finally {
    source.close();
  }
}
