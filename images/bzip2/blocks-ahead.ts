import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { ByteSource } from '../bytes/byte-source.js';
import type { Pace } from '../bytes/pace.js';
import { hostError } from '../diagnostic.js';
import { MAX_COMPRESSED_BYTES } from './format.js';
import { possibleBlocks } from './scanner.js';
import type { Bzip2Sink } from './sink.js';
import type { BlockEnd, Chunk, Job, Part, Release, WorkerSettings } from './worker-messages.js';

const entry = new URL('./worker.js', import.meta.url);

const CHUNK_BYTES = 1024 * 1024;

/** Data, but for zeros, that may wait to be asked for, of all workers together; each has at least three chunks. */
const WAITING_BYTES = 32 * CHUNK_BYTES;

/** A job takes as many blocks as begin in so many bytes: messages cost more than they hold. */
const JOB_BYTES = 256 * 1024;
const JOB_BLOCKS = 8;

/** Jobs that a worker has at a time, so that it need not wait for the next. */
const JOBS_EACH = 2;

/** After so many places that looked like a block and were none this is no accident: better go step by step. */
const MAX_FALSE_BLOCKS = 64;

/** Whether blocks can be decoded in worker threads: not where the sources run as they are, uncompiled. */
export function hasWorkers(): boolean {
  return existsSync(entry);
}

interface GivenJob {
  readonly worker: WorkerThread;
  /** Byte of the source that the job's bytes begin at. */
  readonly start: number;
  /** Whether the job's bytes end with the source. */
  readonly toEnd: boolean;
  /** Places of the possible blocks in the source. */
  readonly bits: readonly number[];
}

/**
 * Decodes blocks in worker threads before their turn: at every place that looks like one. Which of them are blocks
 * is decided by who takes them: each must begin where the one before ended.
 */
export class BlocksAhead {
  private readonly places: Generator<number>;
  private nextPlace: number | undefined;
  private readonly workers: WorkerThread[];
  private given: GivenJob[] = [];
  private falseBlocks = 0;
  /** What of the first job's data is at hand, and how far it is taken. */
  private chunk: Chunk | undefined;
  private part = 0;
  private position = 0;

  constructor(
    private readonly source: ByteSource,
    workers: number,
  ) {
    const settings: WorkerSettings = {
      chunkBytes: CHUNK_BYTES,
      chunks: Math.max(3, Math.floor(WAITING_BYTES / CHUNK_BYTES / workers)),
    };
    this.places = possibleBlocks(source);
    this.nextPlace = this.places.next().value ?? undefined;
    this.workers = Array.from({ length: workers }, () => new WorkerThread(settings));
    try {
      this.giveJobs();
    } catch (error) {
      void this.close();
      throw error;
    }
  }

  /**
   * Gives the data of the block at `bit` to `sink`, and returns how it ended; undefined, and no data, when it has
   * not been decoded. Each call must ask for a later place. Throws a DiagnosticError when a thread failed.
   */
  async take(bit: number, sink: Bzip2Sink, pace: Pace): Promise<BlockEnd | undefined> {
    for (;;) {
      const next = await this.nextPart();
      if (next === undefined) return undefined;
      const { job, part, bytes } = next;
      const place = job.bits[part.index]!;
      if (place > bit) return undefined;
      this.skipPart(part);
      if (place < bit) {
        if (part.end !== undefined && ++this.falseBlocks > MAX_FALSE_BLOCKS) await this.close();
        continue;
      }
      // The next place that looked like a block was none, and so this one's bytes were cut off there.
      if (part.end?.fault?.cut === true && !job.toEnd) return undefined;
      if (part.bytes > 0) sink.write(bytes);
      if (part.zeros > 0) sink.zeros(part.zeros);
      // A message of a few bytes may stand for hundreds of megabytes of zeros.
      if (pace.due()) await pace.breathe();
      if (part.end !== undefined) return inSource(part.end, job.start * 8);
    }
  }

  /** Ends all threads. */
  async close(): Promise<void> {
    this.given = [];
    this.nextPlace = undefined;
    this.chunk = undefined;
    await Promise.all(this.workers.map((worker) => worker.close()));
  }

  /** The next data of the first job that is not taken yet. */
  private async nextPart(): Promise<{ job: GivenJob; part: Part; bytes: Uint8Array } | undefined> {
    for (;;) {
      const job = this.given[0];
      if (job === undefined) return undefined;
      this.chunk ??= await job.worker.nextChunk();
      const part = this.chunk.parts[this.part];
      if (part !== undefined)
        return { job, part, bytes: new Uint8Array(this.chunk.buffer, this.position, part.bytes) };
      job.worker.release(this.chunk);
      if (this.chunk.last) {
        this.given.shift();
        this.giveJobs();
      }
      this.chunk = undefined;
      this.part = 0;
      this.position = 0;
    }
  }

  private skipPart(part: Part): void {
    this.part++;
    this.position += part.bytes;
  }

  private giveJobs(): void {
    while (this.nextPlace !== undefined && this.given.length < this.workers.length * JOBS_EACH) {
      const bits = this.placesOfJob(this.nextPlace);
      const start = Math.floor(bits[0]! / 8);
      const lastByte = Math.floor(bits.at(-1)! / 8);
      const end = Math.min(
        this.source.size,
        lastByte + MAX_COMPRESSED_BYTES,
        this.nextPlace === undefined ? this.source.size : Math.ceil(this.nextPlace / 8),
      );
      const bytes = new Uint8Array(end - start);
      this.source.readInto(bytes, start);
      const worker = this.idlest();
      worker.give({ kind: 'job', buffer: bytes.buffer, bits: bits.map((bit) => bit - start * 8) });
      this.given.push({ worker, start, toEnd: end === this.source.size, bits });
    }
  }

  private placesOfJob(first: number): number[] {
    const bits = [first];
    for (;;) {
      this.nextPlace = this.places.next().value ?? undefined;
      if (
        this.nextPlace === undefined ||
        bits.length === JOB_BLOCKS ||
        this.nextPlace - first > JOB_BYTES * 8
      )
        return bits;
      bits.push(this.nextPlace);
    }
  }

  /** The worker with the fewest jobs. */
  private idlest(): WorkerThread {
    const jobs = (worker: WorkerThread): number => this.given.filter((job) => job.worker === worker).length;
    return this.workers.reduce((best, worker) => (jobs(worker) < jobs(best) ? worker : best));
  }
}

function inSource(end: BlockEnd, base: number): BlockEnd {
  const { fault } = end;
  const placed = { ...end, endBit: end.endBit + base };
  return fault === undefined ? placed : { ...placed, fault: { ...fault, bit: fault.bit + base } };
}

/** One thread, and the chunks that it has sent and nobody has taken. */
class WorkerThread {
  private readonly worker: Worker;
  private readonly chunks: Chunk[] = [];
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  constructor(settings: WorkerSettings) {
    this.worker = new Worker(entry, { workerData: settings, execArgv: [] });
    this.worker.on('message', (chunk: Chunk) => {
      this.chunks.push(chunk);
      this.wake?.();
    });
    this.worker.on('error', (error) => this.fail(error.message));
    this.worker.on('exit', () => this.fail('it ended'));
  }

  give(job: Job): void {
    this.worker.postMessage(job, [job.buffer]);
  }

  release({ buffer }: Chunk): void {
    const message: Release = { kind: 'release', buffer };
    this.worker.postMessage(message, [buffer]);
  }

  async nextChunk(): Promise<Chunk> {
    for (;;) {
      const chunk = this.chunks.shift();
      if (chunk !== undefined) return chunk;
      if (this.failure !== undefined) throw this.failure;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private fail(reason: string): void {
    this.failure ??= hostError(`a thread of the bzip2 decoder failed: ${reason}`, 'Is there enough memory?');
    this.wake?.();
  }
}
