import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ByteSource, FileSource } from '../images/bytes/byte-source.js';
import { readableHostError } from '../images/bytes/host-error.js';
import { SparseStream } from '../images/bytes/sparse-stream.js';
import { type Compression, compressionOf } from './compression.js';
import { decodeFile } from './decode-file.js';

export interface DecompressOptions {
  /** Folder for the decompressed copy; by default the system's for temporary files. */
  readonly scratch?: string;
  readonly signal?: AbortSignal;
}

export interface OpenedSource {
  readonly source: ByteSource;
  close(): void;
}

/**
 * Opens a file as it is, or what it decompresses to: that goes into a sparse temporary file, which has no name any
 * more when this returns, so that nothing is left behind whatever happens. Throws a DiagnosticError on damaged or
 * cut data, a missing program or a full disk.
 */
export async function openPossiblyCompressed(
  path: string,
  options: DecompressOptions = {},
): Promise<OpenedSource> {
  const source = new FileSource(path);
  let compression: Compression | undefined;
  try {
    compression = compressionOf(source);
    if (compression === undefined) return { source, close: () => source.close() };
  } catch (error) {
    source.close();
    throw error;
  }
  source.close();
  const scratch = options.scratch ?? tmpdir();
  let folder: string;
  try {
    folder = mkdtempSync(join(scratch, 'ssi-images-'));
  } catch (cause) {
    throw readableHostError(cause, scratch);
  }
  try {
    const copy = join(folder, 'decompressed');
    await decompress(path, compression, copy, options.signal);
    const decompressed = new FileSource(copy, path);
    return { source: decompressed, close: () => decompressed.close() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function decompress(
  path: string,
  compression: Compression,
  copy: string,
  signal?: AbortSignal,
): Promise<void> {
  const file = new SparseStream(copy, `${copy} (decompressed ${path})`);
  const sink = {
    write: (bytes: Uint8Array): void => file.append(bytes),
    zeros: (count: number): void => file.skip(count),
  };
  try {
    await decodeFile(path, compression, sink, signal === undefined ? {} : { signal });
    file.close();
  } finally {
    file.abandon();
  }
}
