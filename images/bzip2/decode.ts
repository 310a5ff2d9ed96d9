import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { Pace } from '../bytes/pace.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import { BlockDecoder } from './block-decoder.js';
import { BlocksAhead, hasWorkers } from './blocks-ahead.js';
import {
  BLOCK_MAGIC,
  Bzip2Fault,
  END_BITS,
  END_MAGIC,
  LEVEL_BYTES,
  MAX_COMPRESSED_BYTES,
  MAX_LEVEL,
  STREAM_HEADER_BYTES,
  STREAM_MAGIC,
} from './format.js';
import { magicAt } from './scanner.js';
import { type Bzip2Sink, writeZeros } from './sink.js';
import type { BlockEnd } from './worker-messages.js';

/** More threads than this are not kept busy by the one that takes their data. */
const MAX_WORKERS = 8;

/** Below this threads cost more time than they save. */
const SMALL_BYTES = 256 * 1024;

/** Compressed bytes that are read at once; the longest block is half of it. */
const WINDOW_BYTES = 2 * MAX_COMPRESSED_BYTES;

const CHUNK_BYTES = 1024 * 1024;

export interface Bzip2Options {
  /** Worker threads; with 0 all is done in this thread, which lets others in between. */
  readonly jobs?: number;
  readonly signal?: AbortSignal;
  /** Called now and then with the compressed bytes done so far. */
  onProgress?(bytesIn: number): void;
  /** Called instead of `write` where many zeros come. */
  onZeros?(count: number): void;
}

/**
 * Decodes all streams of a bzip2 file. `write` gets the data piece by piece, in order; a piece is valid until it
 * returns. As bzip2 does, takes what follows the last stream for garbage unless it begins like a further one.
 *
 * Throws a DiagnosticError that names file, block and byte when the data is damaged or cut (some of it has been
 * written by then), and of kind `interrupted` on an abort. No thread is left behind.
 */
export async function decodeBzip2(
  source: ByteSource,
  write: (bytes: Uint8Array) => void,
  options: Bzip2Options = {},
): Promise<void> {
  const workers = Math.min(options.jobs ?? 0, MAX_WORKERS);
  const ahead =
    workers > 0 && source.size > SMALL_BYTES && hasWorkers() ? new BlocksAhead(source, workers) : undefined;
  try {
    await new Bzip2File(source, write, options, ahead).decode();
  } finally {
    await ahead?.close();
  }
}

/** Goes from stream to stream and block to block. */
class Bzip2File {
  private readonly pace: Pace;
  private blocks = 0;
  private here: BlocksHere | undefined;
  private readonly sink: Bzip2Sink;

  constructor(
    private readonly source: ByteSource,
    write: (bytes: Uint8Array) => void,
    private readonly options: Bzip2Options,
    private readonly ahead: BlocksAhead | undefined,
  ) {
    this.pace = new Pace(options.signal);
    this.sink = {
      write: (bytes) => {
        this.pace.check();
        write(bytes);
      },
      zeros: (count) => {
        this.pace.check();
        if (options.onZeros === undefined) writeZeros(write, count);
        else options.onZeros(count);
      },
    };
  }

  async decode(): Promise<void> {
    let position = 0;
    for (;;) {
      const level = this.readHeader(position);
      if (level === undefined) return;
      position = await this.decodeStream(position + STREAM_HEADER_BYTES, level);
    }
  }

  /** The level of the stream at a byte; undefined when there is no further one. */
  private readHeader(offset: number): number | undefined {
    const { source } = this;
    if (offset === source.size && offset > 0) return undefined;
    const header = readBytes(source, offset, Math.min(STREAM_HEADER_BYTES, source.size - offset));
    const level = (header[3] ?? 0x31) - 0x30;
    const differs = STREAM_MAGIC.some((byte, index) => header[index] !== undefined && header[index] !== byte);
    if (differs || level < 1 || level > MAX_LEVEL) {
      if (offset > 0) return undefined;
      throw imageError({ file: source.name, offset }, 'no bzip2 data: it does not begin with BZh1 to BZh9');
    }
    if (header.length < STREAM_HEADER_BYTES)
      throw this.fail(source.size, 'it ends in the header of a stream');
    return level;
  }

  /** Decodes the blocks behind a stream's header, checks the whole, and returns the byte behind it. */
  private async decodeStream(start: number, level: number): Promise<number> {
    let bit = start * 8;
    let combined = 0;
    for (;;) {
      const magic = this.magicAt(bit);
      if (magic !== BLOCK_MAGIC) {
        if (magic !== END_MAGIC) throw this.noMagic(bit);
        return this.endStream(bit, combined);
      }
      const end = await this.decodeBlock(bit, level);
      combined = ((combined << 1) | (combined >>> 31)) ^ end.checksum;
      bit = end.endBit;
    }
  }

  private endStream(bit: number, combined: number): number {
    const end = Math.ceil((bit + END_BITS) / 8);
    if (end > this.source.size) throw this.fail(this.source.size, `it ends in the checksum of a stream`);
    // Its upper and lower half, as magics are longer than numbers that bits can be shifted in.
    const stored = this.magicAt(bit + 32) % 2 ** 32;
    if (stored !== combined >>> 0)
      throw this.fail(Math.floor(bit / 8), 'the checksum of a whole stream is wrong');
    return end;
  }

  private async decodeBlock(bit: number, level: number): Promise<BlockEnd> {
    this.blocks++;
    const end = (await this.ahead?.take(bit, this.sink, this.pace)) ?? (await this.decodeHere(bit));
    if (end.fault !== undefined) {
      const message = end.fault.cut ? 'it is cut off' : end.fault.message;
      throw this.fail(Math.floor(end.fault.bit / 8), `block ${this.blocks}: ${message}`);
    }
    if (end.length > level * LEVEL_BYTES)
      throw this.fail(Math.floor(bit / 8), `block ${this.blocks}: it is longer than level ${level} allows`);
    this.pace.check();
    this.options.onProgress?.(Math.floor(end.endBit / 8));
    return end;
  }

  private decodeHere(bit: number): Promise<BlockEnd> {
    this.here ??= new BlocksHere(this.source);
    return this.here.decode(bit, this.sink, this.pace);
  }

  /** The 48 bits at a place, followed by zeros where the file ends. */
  private magicAt(bit: number): number {
    const start = Math.floor(bit / 8);
    const bytes = Buffer.alloc(8);
    const length = Math.max(0, Math.min(8, this.source.size - start));
    if (length > 0) this.source.readInto(bytes.subarray(0, length), start);
    return magicAt(new DataView(bytes.buffer, bytes.byteOffset, 8), bit % 8);
  }

  private noMagic(bit: number): DiagnosticError {
    const left = this.source.size * 8 - bit;
    if (left < END_BITS) return this.fail(this.source.size, `it ends after block ${this.blocks}`);
    return this.fail(
      Math.floor(bit / 8),
      `neither a block nor the end of the stream follows ${this.blocks === 0 ? 'its header' : `block ${this.blocks}`}`,
    );
  }

  private fail(offset: number, message: string): DiagnosticError {
    return imageError(
      { file: this.source.name, offset },
      `damaged or cut bzip2 data: ${message}`,
      'Get the file again and compare its digest.',
    );
  }
}

/** Decodes one block after the other in this thread. */
class BlocksHere {
  private readonly decoder = new BlockDecoder();
  private readonly chunk = new Uint8Array(CHUNK_BYTES);
  /** The part of the source that the decoder has. */
  private start = 0;
  private end = 0;

  constructor(private readonly source: ByteSource) {}

  /** Gives the data of the block at `bit` to `sink`, and returns how it ended. */
  async decode(bit: number, sink: Bzip2Sink, pace: Pace): Promise<BlockEnd> {
    const { decoder, chunk } = this;
    this.openAt(Math.floor(bit / 8));
    const base = this.start * 8;
    try {
      decoder.begin(bit - base);
    } catch (fault) {
      if (!(fault instanceof Bzip2Fault)) throw fault;
      const { message, cut } = fault;
      return { endBit: 0, length: 0, checksum: 0, fault: { message, bit: fault.bit + base, cut } };
    }
    while (!decoder.done) {
      const zeros = decoder.takeZeros();
      if (zeros > 0) sink.zeros(zeros);
      else sink.write(chunk.subarray(0, decoder.fill(chunk, 0)));
      if (pace.due()) await pace.breathe();
    }
    if (pace.due()) await pace.breathe();
    const { length, checksum } = decoder;
    const message = decoder.fault();
    const end = { endBit: decoder.endBit + base, length, checksum };
    return message === undefined ? end : { ...end, fault: { message, bit, cut: false } };
  }

  /** Gives the decoder all of a block that begins at a byte. */
  private openAt(byte: number): void {
    const { source, start, end } = this;
    if (byte >= start && (end === source.size || byte + MAX_COMPRESSED_BYTES <= end)) return;
    this.start = byte;
    this.end = Math.min(byte + WINDOW_BYTES, source.size);
    this.decoder.open(readBytes(source, byte, this.end - byte));
  }
}
