import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { readableHostError } from '../../images/bytes/host-error.js';
import { isZero } from '../../images/bytes/zeros.js';
import { DiagnosticError, hostError } from '../../images/diagnostic.js';

/** How often what has arrived is made safe: a process that is killed loses at most this much, in milliseconds. */
const CHECKPOINT_MILLISECONDS = 2000;

/** Pieces of zeros of this size, at multiples of it, become holes. */
const HOLE_BYTES = 4096;

const READ_BYTES = 1024 * 1024;

/** A sidecar is a few lines; anything longer is not ours. */
const SIDECAR_BYTES = 64 * 1024;

/** A strong entity tag in ASCII (RFC 9110 §8.8.3): equal tags mean equal bytes. */
export const STRONG_ETAG = /^"[\x21\x23-\x7e]{0,1000}"$/;

/** A date in a header, as it may be sent back. */
export const HEADER_DATE = /^[\x20-\x7e]{1,64}$/;

const originSchema = z.strictObject({
  url: z.string().max(1024),
  etag: z.string().regex(STRONG_ETAG).optional(),
  lastModified: z.string().regex(HEADER_DATE).optional(),
  total: z.number().int().nonnegative().optional(),
});

const sidecarSchema = z.strictObject({
  version: z.literal(1),
  origin: originSchema,
  length: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/**
 * Where the bytes of a partial file come from, and what proves that a server still has the same file: a strong ETag
 * or a Last-Modified that is as good as one. `url` is redacted; `total` is the length of the whole file, in bytes.
 */
export type Origin = Readonly<z.infer<typeof originSchema>>;

/**
 * The part of a download that has arrived, kept between runs. Beside `path` lies `path.json`, which says where the
 * bytes come from, how many of them have reached the disk, and their SHA-256. Only bytes that this vouches for are
 * used again: whatever else happened to the file (a kill, a loss of power, another writer), it starts from nothing.
 * One process at a time may use a path.
 */
export class PartialFile {
  private hash: Hash = createHash('sha256');
  private size = 0;
  private fromEarlier = 0;
  private source: Origin | undefined;
  private joined = false;
  private lastCheckpoint = performance.now();

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** Opens or makes the file and takes over what its sidecar vouches for. Throws a DiagnosticError if it can't. */
  static async open(path: string, signal?: AbortSignal): Promise<PartialFile> {
    // O_NONBLOCK: a pipe of that name must not hold us up.
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK;
    const handle = await onDisk(path, () => open(path, flags, 0o666));
    const partial = new PartialFile(path, handle, signal);
    try {
      const status = await handle.stat();
      if (!status.isFile())
        throw hostError('not a file', 'Remove it, or choose another folder.', { file: path });
      await partial.takeOver(status.size);
      return partial;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes that are there. */
  get length(): number {
    return this.size;
  }

  /** Bytes of it that were there before this run. */
  get inherited(): number {
    return this.fromEarlier;
  }

  /** Where the bytes come from; undefined while there are none. */
  get origin(): Origin | undefined {
    return this.source;
  }

  /** Whether the bytes come from more than one answer of a server. */
  get isJoined(): boolean {
    return this.joined;
  }

  /** SHA-256 of all bytes so far, in hexadecimal. */
  digest(): string {
    return this.hash.copy().digest('hex');
  }

  /** Starts from nothing with bytes of this origin. */
  async restart(origin?: Origin): Promise<void> {
    this.hash = createHash('sha256');
    this.size = 0;
    this.fromEarlier = 0;
    this.joined = false;
    this.source = origin;
    await onDisk(this.path, async () => {
      await rm(this.sidecar, { force: true });
      await this.handle.truncate(0);
    });
    if (origin !== undefined) await this.checkpoint();
  }

  /** Goes on behind what is there, with bytes of this origin. */
  async resume(origin: Origin): Promise<void> {
    this.joined = true;
    this.source = origin;
    await this.checkpoint();
  }

  async append(bytes: Uint8Array): Promise<void> {
    await onDisk(this.path, async () => {
      for (const [start, end] of dataRuns(bytes, this.size))
        await this.write(bytes.subarray(start, end), this.size + start);
    });
    this.hash.update(bytes);
    this.size += bytes.length;
    if (performance.now() - this.lastCheckpoint > CHECKPOINT_MILLISECONDS) await this.checkpoint();
  }

  /** The first bytes, at most `length` of them. */
  async head(length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(Math.min(length, this.size));
    const { bytesRead } = await onDisk(this.path, () => this.handle.read(bytes, 0, bytes.length, 0));
    return bytes.subarray(0, bytesRead);
  }

  /** Brings the bytes to the disk, and then the sidecar that vouches for them. */
  async checkpoint(): Promise<void> {
    if (this.source === undefined) return;
    const record: z.infer<typeof sidecarSchema> = {
      version: 1,
      origin: this.source,
      length: this.size,
      sha256: this.digest(),
    };
    await onDisk(this.path, async () => {
      await this.handle.truncate(this.size); // also makes a hole at the end
      await this.handle.datasync();
      await writeFile(this.newSidecar, `${JSON.stringify(record)}\n`);
      await rename(this.newSidecar, this.sidecar);
    });
    this.lastCheckpoint = performance.now();
  }

  /** Gives the complete file its final name. After this only `close` may be called. */
  async finish(destination: string): Promise<void> {
    await onDisk(this.path, async () => {
      await this.handle.truncate(this.size);
      await this.handle.datasync();
    });
    await onDisk(destination, () => rename(this.path, destination));
    this.source = undefined;
    await this.removeSidecars();
  }

  /** Closes and keeps what is there for the next run; an empty file goes. Never throws. */
  async close(): Promise<void> {
    try {
      if (this.source !== undefined && this.size > 0) await this.checkpoint();
    } catch {
      // An earlier fault is being reported, or the last checkpoint has to do: some bytes are fetched again.
    }
    try {
      await this.handle.close();
      if (this.size > 0) return;
      await rm(this.path, { force: true });
      await this.removeSidecars();
    } catch {
      // An empty file that stays does no harm.
    }
  }

  private get sidecar(): string {
    return `${this.path}.json`;
  }

  private get newSidecar(): string {
    return `${this.path}.json.new`;
  }

  private async removeSidecars(): Promise<void> {
    await onDisk(this.path, async () => {
      await rm(this.sidecar, { force: true });
      await rm(this.newSidecar, { force: true });
    });
  }

  private async takeOver(fileSize: number): Promise<void> {
    const record = await readSidecar(this.sidecar);
    if (record !== undefined && record.length > 0 && record.length <= fileSize) {
      await this.readExisting(record.length);
      if (this.digest() === record.sha256) {
        this.size = record.length;
        this.fromEarlier = record.length;
        this.joined = true;
        this.source = record.origin;
        // What lies behind may not have reached the disk.
        await onDisk(this.path, () => this.handle.truncate(record.length));
        return;
      }
    }
    await this.restart();
  }

  private async readExisting(length: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, length));
    for (let offset = 0; offset < length; ) {
      if (this.signal?.aborted === true)
        throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
      const wanted = Math.min(buffer.length, length - offset);
      const { bytesRead } = await onDisk(this.path, () => this.handle.read(buffer, 0, wanted, offset));
      if (bytesRead === 0) return;
      this.hash.update(buffer.subarray(0, bytesRead));
      offset += bytesRead;
    }
  }

  private async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }
}

/** The sidecar when it is there and makes sense. */
async function readSidecar(path: string): Promise<z.infer<typeof sidecarSchema> | undefined> {
  try {
    const status = await stat(path);
    if (!status.isFile() || status.size > SIDECAR_BYTES) return undefined;
    return sidecarSchema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** What is to be written of some bytes for a file at `position`: all but whole pieces of zeros. */
function* dataRuns(bytes: Uint8Array, position: number): Generator<readonly [start: number, end: number]> {
  let runStart = 0;
  for (let offset = 0; offset < bytes.length; ) {
    const end = Math.min(bytes.length, offset + HOLE_BYTES - ((position + offset) % HOLE_BYTES));
    if (isZero(bytes, offset, end)) {
      if (offset > runStart) yield [runStart, offset];
      runStart = end;
    }
    offset = end;
  }
  if (bytes.length > runStart) yield [runStart, bytes.length];
}

async function onDisk<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}
