import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { acquireLock, type Lock, type LockOptions, sweepLock } from './lock.js';
import { type Artifact, decodeRecord, encodeRecord, type StageRecord } from './record.js';
import { Scratch } from './scratch.js';
import { digestOfFile, StatCache } from './stat-cache.js';

/** Where stages are cached unless told otherwise. */
export function defaultCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment.SSI_IMAGES_CACHE;
  if (own !== undefined && own !== '') return own;
  const base = environment.XDG_CACHE_HOME;
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.cache'), 'ssi-images');
}

/** Something of the cache that turned out to be damaged, and where it was put. */
export interface Quarantined {
  readonly path: string;
  readonly reason: string;
}

/**
 * Results of stages on disk.
 *
 *   ac/<key>       record of a stage's run, named by its key
 *   cas/<sha256>   bytes, named by their digest; sparse where they are
 *   bad/           entries that did not hold what their names say
 *   locks/<key>    who runs the stage with that key just now
 *   tmp/           work at hand
 *   downloads/     downloads that were interrupted
 *   files.json     digests of files on the host that have not changed
 *
 * What it promises: an entry appears whole or not at all (written aside, flushed to the disk, renamed, the record after
 * what it names). Whatever is read is checked against its digest first; what does not match is no hit and is put aside.
 * Any number of processes may use it at once, and any of them may die at any moment.
 */
export class Cache {
  readonly scratch: Scratch;
  readonly statCache: StatCache;
  /** Damaged entries met so far. */
  readonly quarantined: Quarantined[] = [];
  /** Blobs that this process has checked, or written itself. */
  private readonly checked = new Map<string, Promise<boolean>>();

  /** Blobs that are not flushed to the disk yet, and so have no name of theirs: where they are. */
  private readonly arriving = new Map<string, string>();

  private constructor(readonly folder: string) {
    this.scratch = new Scratch(join(folder, 'tmp'));
    this.statCache = StatCache.open(join(folder, 'files.json'));
  }

  /** Opens the cache in a folder and makes it if need be. Throws a DiagnosticError when it can't be written. */
  static open(folder: string): Cache {
    for (const name of ['ac', 'cas', 'bad', 'locks', 'tmp', 'downloads']) {
      try {
        mkdirSync(join(folder, name), { recursive: true, mode: 0o755 });
      } catch (cause) {
        throw readableHostError(cause, join(folder, name));
      }
    }
    return new Cache(folder);
  }

  /** Where the bytes with a digest lie just now, if they are here: open it before anything else is waited for. */
  blobPath(sha256: string): string {
    return this.arriving.get(sha256) ?? this.finalPath(sha256);
  }

  private finalPath(sha256: string): string {
    return join(this.folder, 'cas', sha256);
  }

  recordPath(key: string): string {
    return join(this.folder, 'ac', key);
  }

  /** The record of a key; undefined when there is none, or a damaged one, which is put aside. */
  record(key: string): StageRecord | undefined {
    const path = this.recordPath(key);
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (cause) {
      if (systemErrorCode(cause) === 'ENOENT') return undefined;
      throw readableHostError(cause, path);
    }
    const record = decodeRecord(text, key);
    if (record === undefined) this.putAside(path, 'the record does not match its digest');
    return record;
  }

  /** Whether a blob is here with the right length. Its bytes are checked before they are read, not now. */
  hasBlob(artifact: Pick<Artifact, 'sha256' | 'size'>): boolean {
    const status = statSync(this.blobPath(artifact.sha256), { throwIfNoEntry: false });
    if (status === undefined) return false;
    if (status.isFile() && status.size === artifact.size) return true;
    this.putAside(this.blobPath(artifact.sha256), `it has ${status.size} bytes instead of ${artifact.size}`);
    return false;
  }

  /** Reads a blob and compares it with its digest, once for each process. A bad one is put aside. */
  checkBlob(sha256: string, pace: Pace): Promise<boolean> {
    let checked = this.checked.get(sha256);
    if (checked === undefined) {
      checked = this.readAndCompare(sha256, pace).then((isGood) => {
        if (!isGood) this.checked.delete(sha256);
        return isGood;
      });
      // An interruption is no verdict.
      checked.catch(() => this.checked.delete(sha256));
      this.checked.set(sha256, checked);
    }
    return checked;
  }

  private async readAndCompare(sha256: string, pace: Pace): Promise<boolean> {
    const path = this.blobPath(sha256);
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return false;
    const digest = await digestOfFile(path, pace);
    if (digest.sha256 === sha256) return true;
    this.putAside(path, 'its bytes do not match its digest');
    return false;
  }

  /**
   * Takes over the file at `path`, which must lie in `scratch` and whose bytes have the given digest. It can be read
   * from now on; the result is settled once the disk has it under its name.
   */
  async addFile(path: string, sha256: string): Promise<void> {
    this.arriving.set(sha256, path);
    this.checked.set(sha256, Promise.resolve(true));
    try {
      await flush(path);
      renameSync(path, this.finalPath(sha256));
    } catch (cause) {
      rmSync(path, { force: true });
      this.checked.delete(sha256);
      throw readableHostError(cause, path);
    } finally {
      this.arriving.delete(sha256);
    }
  }

  /** Stores bytes, in the same way. */
  async addBytes(bytes: Uint8Array, sha256: string): Promise<void> {
    const path = this.scratch.path('blob');
    writeNew(path, bytes);
    await this.addFile(path, sha256);
  }

  /** Stores a record. What it refers to must be stored before. */
  async addRecord(key: string, record: StageRecord): Promise<void> {
    const path = this.scratch.path('record');
    writeNew(path, encodeRecord(record));
    try {
      await flush(path);
      renameSync(path, this.recordPath(key));
    } catch (cause) {
      rmSync(path, { force: true });
      throw readableHostError(cause, path);
    }
  }

  /** Notes that entries were of use: what was not for long is removed first. */
  touch(paths: readonly string[]): void {
    const now = new Date();
    for (const path of paths) {
      try {
        utimesSync(path, now, now);
      } catch {
        // Somebody pruned it, or this user may only read: neither matters here.
      }
    }
  }

  /** Waits until this process is the only one that runs the stage with that key. */
  lock(key: string, options: LockOptions): Promise<Lock> {
    return acquireLock(join(this.folder, 'locks', key), options);
  }

  /** Removes what processes left that died in the middle of their work. */
  sweep(): void {
    this.scratch.sweep();
    const folder = join(this.folder, 'locks');
    for (const name of new Set(readdirSync(folder).map((file) => file.split('.')[0] ?? '')))
      sweepLock(join(folder, name));
  }

  /** Takes a damaged entry out of the way, for somebody to look at. */
  putAside(path: string, reason: string): void {
    this.quarantined.push({ path, reason });
    try {
      renameSync(path, join(this.folder, 'bad', basename(path)));
    } catch {
      // Another process was faster.
    }
  }
}

function writeNew(path: string, data: string | Uint8Array): void {
  try {
    writeFileSync(path, data, { flag: 'wx' });
  } catch (cause) {
    rmSync(path, { force: true });
    throw readableHostError(cause, path);
  }
}

/** Waits until the disk has all of a file. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
