import {
  lstatSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import { digestOfFile } from './file-digest.js';
import { acquireLock, type Lock, type LockOptions, sweepLocks } from './lock.js';
import { makeFolder } from './make-folder.js';
import { namesIn } from './names-in.js';
import { type Artifact, decodeRecord, encodeRecord, type StageRecord } from './record.js';
import { removeAll, Scratch } from './scratch.js';
import { StatCache } from './stat-cache.js';

/** Where stages are cached unless told otherwise. */
export function defaultCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment.SSI_IMAGES_CACHE;
  if (own !== undefined && own !== '') return own;
  const base = environment.XDG_CACHE_HOME;
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.cache'), 'ssi-images');
}

/** A record is a few kilobytes; a file longer than this is none. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024;

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
 *   logs/          what programs printed in the last failed run of a stage
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
  /** Files of blobs that this process has checked, or written itself: one that took their place is checked again. */
  private readonly checked = new Map<string, { readonly file: string; readonly isGood: Promise<boolean> }>();

  /** Blobs that are not flushed to the disk yet, and so have no name of theirs: where they are. */
  private readonly arriving = new Map<string, string>();

  private constructor(readonly folder: string) {
    this.scratch = new Scratch(join(folder, 'tmp'));
    this.statCache = StatCache.open(join(folder, 'files.json'), this.scratch);
  }

  /** Opens the cache in a folder and makes it if need be. Throws a DiagnosticError when it can't be written. */
  static open(folder: string): Cache {
    const absolute = resolve(folder);
    for (const name of ['ac', 'cas', 'bad', 'locks', 'tmp', 'downloads', 'logs'])
      makeFolder(join(absolute, name));
    return new Cache(absolute);
  }

  /** The same to look only: where there is none yet, none is made, and it is empty. */
  static look(folder: string): Cache {
    return new Cache(resolve(folder));
  }

  /** Where the bytes with a digest lie just now, if they are here: open it before anything else is waited for. */
  blobPath(sha256: string): string {
    return this.arriving.get(sha256) ?? this.finalPath(sha256);
  }

  /** Where a blob lies once the disk has it. */
  finalPath(sha256: string): string {
    return join(this.folder, 'cas', sha256);
  }

  recordPath(key: string): string {
    return join(this.folder, 'ac', key);
  }

  /** The record of a key; undefined when there is none, or a damaged one, which is put aside. */
  record(key: string): StageRecord | undefined {
    const path = this.recordPath(key);
    const status = statusOf(path);
    if (status === undefined) return undefined;
    const text = status.isFile() && status.size <= RECORD_BYTES_MAX ? readText(path) : '';
    if (text === undefined) return undefined;
    const record = decodeRecord(text, key);
    if (record === undefined) this.putAside(path, 'the record does not match its digest', status);
    return record;
  }

  /** Every record that is whole, and when it was last of use, in milliseconds since 1970. */
  *records(): Generator<{ key: string; record: StageRecord; used: number; bytes: number }> {
    for (const key of namesIn(join(this.folder, 'ac'))) {
      const status = statSync(this.recordPath(key), { throwIfNoEntry: false });
      const record = this.record(key);
      if (record !== undefined && status !== undefined)
        yield { key, record, used: status.mtimeMs, bytes: status.size };
    }
  }

  /** Whether there is a blob with that digest, whatever its length. */
  hasFile(sha256: string): boolean {
    return statusOf(this.blobPath(sha256))?.isFile() === true;
  }

  /** Whether a blob is here with the right length. Its bytes are checked before they are read, not now. */
  hasBlob(artifact: Pick<Artifact, 'sha256' | 'size'>): boolean {
    const path = this.blobPath(artifact.sha256);
    const status = statusOf(path);
    if (status === undefined) return false;
    if (status.isFile() && status.size === artifact.size) return true;
    const found = status.isFile() ? `it has ${status.size} bytes` : 'it is no file';
    this.putAside(path, `${found} and should have ${artifact.size}`, status);
    return false;
  }

  /** Reads a blob and compares it with its digest, once for each process. A bad one is put aside. */
  checkBlob(sha256: string, pace: Pace): Promise<boolean> {
    const status = statusOf(this.blobPath(sha256));
    if (status === undefined) return Promise.resolve(false);
    const file = identityOf(status);
    const checked = this.checked.get(sha256);
    if (checked?.file === file) return checked.isGood;
    const isGood = this.readAndCompare(sha256, status, pace);
    const entry = { file, isGood };
    this.checked.set(sha256, entry);
    const forget = (): void => {
      if (this.checked.get(sha256) === entry) this.checked.delete(sha256);
    };
    // An interruption is no verdict.
    isGood.then((good) => (good ? undefined : forget()), forget);
    return isGood;
  }

  private async readAndCompare(sha256: string, status: Stats, pace: Pace): Promise<boolean> {
    const path = this.blobPath(sha256);
    if (!status.isFile()) {
      this.putAside(path, 'it is no file', status);
      return false;
    }
    const fault = await this.faultOfBlob(path, sha256, pace);
    if (fault !== undefined) this.putAside(path, fault, status);
    return fault === undefined;
  }

  /** What is wrong with a blob; undefined when it has the bytes that its name says. */
  private async faultOfBlob(path: string, sha256: string, pace: Pace): Promise<string | undefined> {
    try {
      const digest = await digestOfFile(path, pace);
      return digest.sha256 === sha256 ? undefined : 'its bytes do not match its digest';
    } catch (error) {
      // Removed since we looked, on a bad sector, or not for us to read: either way its bytes are not here.
      if (statusOf(path) === undefined) return 'it is gone';
      if (error instanceof DiagnosticError && isUnreadable(error.cause)) return 'it can not be read';
      throw error;
    }
  }

  /**
   * Takes over the file at `path`, which must lie in `scratch` and whose bytes have the given digest. It can be read
   * from now on; the result is settled once the disk has it under its name.
   */
  async addFile(path: string, sha256: string): Promise<void> {
    const status = statSync(path);
    this.arriving.set(sha256, path);
    const checked = { file: identityOf(status), isGood: Promise.resolve(true) };
    this.checked.set(sha256, checked);
    try {
      await flush(path);
      this.moveInto(path, this.finalPath(sha256));
    } catch (cause) {
      rmSync(path, { force: true });
      if (this.checked.get(sha256) === checked) this.checked.delete(sha256);
      throw readableHostError(cause, path);
    } finally {
      if (this.arriving.get(sha256) === path) this.arriving.delete(sha256);
    }
  }

  /** Gives a finished file its name, also where something else has it that is no file. */
  private moveInto(path: string, target: string): void {
    try {
      renameSync(path, target);
    } catch (cause) {
      if (systemErrorCode(cause) !== 'EISDIR') throw cause;
      this.putAside(target, 'it is no file');
      renameSync(path, target);
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
      this.moveInto(path, this.recordPath(key));
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
    sweepLocks(join(this.folder, 'locks'));
  }

  /** Keeps what a program printed in a stage that failed, in the place of what it printed before. Returns where. */
  keepLog(path: string, name: string): string {
    const kept = join(this.folder, 'logs', name);
    try {
      renameSync(path, kept);
    } catch (cause) {
      throw readableHostError(cause, kept);
    }
    return kept;
  }

  /**
   * Takes a damaged entry out of the way, for somebody to look at. With `seen` only if it is still the one that was
   * looked at: another process may have put a good one there since.
   */
  putAside(path: string, reason: string, seen?: Stats): void {
    const now = statusOf(path);
    if (now === undefined || (seen !== undefined && identityOf(seen) !== identityOf(now))) return;
    this.quarantined.push({ path, reason });
    const target = join(this.folder, 'bad', basename(path));
    try {
      removeAll(target);
      renameSync(path, target);
    } catch {
      // Another process was faster, or this user may only read: then what should take its place says so.
    }
  }
}

/** What a path itself is, without following links; undefined when nothing is there. */
function statusOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

function identityOf({ dev, ino, size }: Stats): string {
  return `${dev}:${ino}:${size}`;
}

/** Undefined when it was removed just now. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return undefined;
    if (isUnreadable(cause)) return '';
    throw readableHostError(cause, path);
  }
}

/** On a bad sector, or without the permission for this user. */
function isUnreadable(cause: unknown): boolean {
  return ['EIO', 'EACCES', 'EPERM'].includes(systemErrorCode(cause) ?? '');
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
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
