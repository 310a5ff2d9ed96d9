import { spawn } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type ByteSource, FileSource } from '../images/bytes/byte-source.js';
import { readableHostError, systemErrorCode } from '../images/bytes/host-error.js';
import { SparseStream } from '../images/bytes/sparse-stream.js';
import { DiagnosticError, hostError, imageError } from '../images/diagnostic.js';
import { type Compression, compressionOf } from './compression.js';

export interface DecompressOptions {
  /** Folder for the decompressed copy; by default the system's for temporary files. */
  readonly scratch?: string;
  readonly signal?: AbortSignal;
}

export interface OpenedSource {
  readonly source: ByteSource;
  close(): void;
}

/** Programs for what Node can't decode, and the Debian packages that bring them. */
const programs = { xz: 'xz-utils', zstd: 'zstd' } as const;

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
  const sink = new Writable({
    highWaterMark: 1024 * 1024,
    write(chunk: Buffer, _encoding, done) {
      try {
        file.append(chunk);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
  try {
    await run(path, compression, sink, signal);
    file.close();
  } catch (error) {
    file.abandon();
    throw errorOf(error, path, compression, signal);
  }
}

/** One message for whatever went wrong on the way. */
function errorOf(error: unknown, path: string, compression: Compression, signal?: AbortSignal): Error {
  if (signal?.aborted === true) return new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
  if (error instanceof DiagnosticError) return error;
  if (systemErrorCode(error) !== undefined && error instanceof Error && 'syscall' in error)
    return readableHostError(error, path);
  const detail = error instanceof Error ? error.message : String(error);
  return imageError(
    { file: path },
    `damaged or cut ${compression} data (${detail})`,
    'Get the file again and compare its digest.',
  );
}

async function run(
  path: string,
  compression: Compression,
  sink: Writable,
  signal?: AbortSignal,
): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  switch (compression) {
    case 'gzip':
      return pipeline(createReadStream(path), createGunzip(), sink, options);
    case 'bzip2':
      // Loaded when it is needed: most commands never meet bzip2.
      return pipeline(createReadStream(path), (await import('unbzip2-stream')).default(), sink, options);
    case 'xz':
    case 'zstd':
      return runProgram(compression, path, sink, signal);
  }
}

async function runProgram(
  program: keyof typeof programs,
  path: string,
  sink: Writable,
  signal?: AbortSignal,
): Promise<void> {
  const child = spawn(program, ['-dc', '--', path], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (data: Buffer) => {
    if (errors.length < 4096) errors += data.toString();
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', (cause) => {
      reject(
        systemErrorCode(cause) === 'ENOENT'
          ? hostError(
              `${path} is compressed with ${program}, but the program ${program} is missing`,
              `Install it (Debian package ${programs[program]}), or decompress the file yourself.`,
            )
          : cause,
      );
    });
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(errors.trim().split('\n')[0] ?? `exit code ${code}`));
    });
  });
  try {
    const copied = pipeline(child.stdout as Readable, sink, signal === undefined ? {} : { signal });
    const results = await Promise.allSettled([ended, copied]);
    // A full disk breaks the pipe, and then the program fails too: the cause is what the copy says.
    const failed = [results[1], results[0]].find((result) => result.status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  } finally {
    child.kill('SIGKILL');
  }
}
