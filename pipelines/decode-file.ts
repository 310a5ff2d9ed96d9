import { createReadStream } from 'node:fs';
import { availableParallelism } from 'node:os';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { FileSource } from '../images/bytes/byte-source.js';
import { readableHostError, systemErrorCode } from '../images/bytes/host-error.js';
import { decodeBzip2 } from '../images/bzip2/decode.js';
import { DiagnosticError, imageError } from '../images/diagnostic.js';
import type { Compression } from './compression.js';
import { type DecoderProgram, decodeWithProgram, ProgramMissing } from './decoder-program.js';

/** Pieces in which gzip data is read and comes out. */
const GZIP_PIECE_BYTES = 256 * 1024;

/** What decoded a file: a program, the decoder of this project, or Node's zlib. */
export type Decoder = 'own' | 'zlib' | DecoderProgram;

export interface DecodeOptions {
  /** Threads; by default as many as the host has processors. */
  readonly jobs?: number;
  readonly signal?: AbortSignal;
  /** Called now and then with the compressed bytes that have been read. */
  onProgress?(bytesIn: number): void;
}

/** Where decoded data goes. */
export interface DecodedSink {
  /** Takes the next bytes, which are valid until it returns. */
  write(bytes: Uint8Array): void;
  /** May be called instead where the next bytes are so many zeros. */
  zeros?(count: number): void;
}

/**
 * Decodes a compressed file. Throws a DiagnosticError that names the file when its data is damaged or cut, when the
 * program it needs is missing, or on an abort; and whatever the sink throws. Then no process or thread is left.
 */
export async function decodeFile(
  path: string,
  compression: Compression,
  sink: DecodedSink,
  options: DecodeOptions = {},
): Promise<Decoder> {
  try {
    options.signal?.throwIfAborted();
    switch (compression) {
      case 'bzip2':
        return await decodeBzip2File(path, sink, options);
      case 'gzip':
        return await decodeGzip(path, sink, options);
      case 'xz':
      case 'zstd':
        return await runProgram(compression, path, sink, options);
    }
  } catch (error) {
    throw explained(error, path, compression, options.signal);
  }
}

/** By our own decoder, which is quicker than any of the programs. */
async function decodeBzip2File(path: string, sink: DecodedSink, options: DecodeOptions): Promise<Decoder> {
  const { signal, onProgress } = options;
  const source = new FileSource(path);
  try {
    await decodeBzip2(source, (bytes) => sink.write(bytes), {
      jobs: threadsOf(options),
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
      ...(sink.zeros === undefined ? {} : { onZeros: (count: number) => sink.zeros?.(count) }),
    });
  } finally {
    source.close();
  }
  return 'own';
}

async function decodeGzip(
  path: string,
  sink: DecodedSink,
  { signal, onProgress }: DecodeOptions,
): Promise<Decoder> {
  const file = createReadStream(path, { highWaterMark: GZIP_PIECE_BYTES });
  const gunzip = createGunzip({ chunkSize: GZIP_PIECE_BYTES });
  const write = async (decoded: AsyncIterable<Buffer>): Promise<void> => {
    for await (const bytes of decoded) {
      sink.write(bytes);
      onProgress?.(file.bytesRead);
    }
  };
  await pipeline(file, gunzip, write, signal === undefined ? {} : { signal });
  return 'zlib';
}

async function runProgram(
  program: DecoderProgram,
  path: string,
  sink: DecodedSink,
  options: DecodeOptions,
): Promise<Decoder> {
  await decodeWithProgram(program, path, (bytes) => sink.write(bytes), {
    ...options,
    jobs: threadsOf(options),
  });
  return program;
}

function threadsOf({ jobs }: DecodeOptions): number {
  return Math.max(1, jobs ?? availableParallelism());
}

/** One message for whatever went wrong on the way. */
function explained(error: unknown, path: string, compression: Compression, signal?: AbortSignal): unknown {
  if (signal?.aborted === true) return new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
  if (error instanceof DiagnosticError) return error;
  if (error instanceof ProgramMissing) return error.explain(path);
  if (systemErrorCode(error) !== undefined && error instanceof Error && 'syscall' in error)
    return readableHostError(error, path);
  const detail = error instanceof Error ? error.message : String(error);
  return imageError(
    { file: path },
    `damaged or cut ${compression} data (${detail})`,
    'Get the file again and compare its digest.',
  );
}
