import { createHash } from 'node:crypto';
import { FileSource } from '../images/bytes/byte-source.js';
import { SparseStream } from '../images/bytes/sparse-stream.js';
import { imageError } from '../images/diagnostic.js';
import { type Compression, compressionOf } from './compression.js';
import { type Decoder, decodeFile } from './decode-file.js';

export interface UnpackOptions {
  /** Threads; by default as many as the host has processors. */
  readonly jobs?: number;
  readonly signal?: AbortSignal;
  /** Called now and then: compressed bytes read, of how many, and bytes written. */
  onProgress?(bytesIn: number, totalIn: number, bytesOut: number): void;
}

export interface Unpacked {
  /** Decoded bytes. */
  readonly size: number;
  /** Digest of the decoded bytes, in hexadecimal. */
  readonly sha256: string;
  readonly compression: Compression;
  readonly decoder: Decoder;
}

/**
 * Decodes a .bz2, .gz, .xz or .zst file into a new file, in which pieces of zeros are holes, and digests it on the
 * way. Throws a DiagnosticError when the file is not compressed, damaged or cut, when the program it needs is
 * missing, when the destination exists or can't be written, or on an abort. Then the destination is gone again.
 */
export async function unpack(
  path: string,
  destination: string,
  options: UnpackOptions = {},
): Promise<Unpacked> {
  const { compression, totalIn } = identify(path);
  const output = new UnpackedFile(destination);
  const { jobs, signal, onProgress } = options;
  try {
    const used = await decodeFile(path, compression, output, {
      ...(jobs === undefined ? {} : { jobs }),
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined
        ? {}
        : { onProgress: (bytesIn: number) => onProgress(bytesIn, totalIn, output.size) }),
    });
    const sha256 = output.finish();
    onProgress?.(totalIn, totalIn, output.size);
    return { size: output.size, sha256, compression, decoder: used };
  } catch (error) {
    output.discard();
    throw error;
  }
}

function identify(path: string): { compression: Compression; totalIn: number } {
  const source = new FileSource(path);
  try {
    const compression = compressionOf(source);
    if (compression !== undefined) return { compression, totalIn: source.size };
    throw imageError(
      { file: path },
      'not compressed in a way that is known here',
      'Known are bzip2, gzip, xz and zstd.',
    );
  } finally {
    source.close();
  }
}

const zeroPiece = Buffer.alloc(256 * 1024);

/** The destination, as it grows. */
class UnpackedFile {
  private readonly file: SparseStream;
  private readonly hash = createHash('sha256');

  constructor(path: string) {
    this.file = new SparseStream(path);
  }

  /** Bytes written. */
  get size(): number {
    return this.file.size;
  }

  write(bytes: Uint8Array): void {
    this.file.append(bytes);
    this.hash.update(bytes);
  }

  zeros(count: number): void {
    this.file.skip(count);
    for (let left = count; left > 0; left -= zeroPiece.length)
      this.hash.update(left < zeroPiece.length ? zeroPiece.subarray(0, left) : zeroPiece);
  }

  /** Closes the file and returns the digest of what is in it. */
  finish(): string {
    this.file.close();
    return this.hash.digest('hex');
  }

  /** Closes and removes the file. */
  discard(): void {
    this.file.discard();
  }
}
