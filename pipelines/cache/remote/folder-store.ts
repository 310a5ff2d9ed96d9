import { randomBytes } from 'node:crypto';
import { lstat, open, readFile, rename, rm, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { readableHostError, systemErrorCode } from '../../../images/bytes/host-error.js';
import { makeFolder } from '../make-folder.js';
import { OBJECT_BYTES_MAX, type ObjectKind, type ObjectStore, StoreFault } from './object-store.js';

const NOTHING = { missing: undefined };

/** A folder as a remote cache: on a disk that several machines mount, or that a CI system keeps. */
export class FolderStore implements ObjectStore {
  readonly name: string;

  constructor(folder: string) {
    this.name = resolve(folder);
  }

  get(kind: ObjectKind, name: string): Promise<Buffer | undefined> {
    return this.attempt(NOTHING, async () => {
      const path = join(this.name, kind, name);
      const status = await lstat(path);
      if (!status.isFile() || status.size > OBJECT_BYTES_MAX)
        throw new StoreFault('lasting', `${path} is no object of a cache`);
      const bytes = await readFile(path);
      await this.touch(path);
      return bytes;
    });
  }

  has(kind: ObjectKind, name: string): Promise<boolean> {
    return this.attempt({ missing: false }, async () => {
      const path = join(this.name, kind, name);
      const isThere = (await lstat(path)).isFile();
      if (isThere) await this.touch(path);
      return isThere;
    });
  }

  async put(kind: ObjectKind, name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.name, kind, name);
    // Whoever reads sees all of it or nothing.
    const arriving = `${path}.${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
    try {
      await this.attempt(undefined, async () => {
        makeFolder(join(this.name, kind));
        const file = await open(arriving, 'wx', 0o644);
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(arriving, path);
      });
    } catch (error) {
      await rm(arriving, { force: true }).catch(() => {});
      throw error;
    }
  }

  close(): void {}

  /** What was read lately is of use: whoever clears the folder goes by that. */
  private async touch(path: string): Promise<void> {
    const now = new Date();
    await utimes(path, now, now).catch(() => {});
  }

  private async attempt<T>(missing: { readonly missing: T } | undefined, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof StoreFault) throw cause;
      const code = systemErrorCode(cause);
      if (code === 'ENOENT' && missing !== undefined) return missing.missing;
      const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
      throw new StoreFault(denied ? 'denied' : 'lasting', messageOf(cause, this.name));
    }
  }
}

function messageOf(cause: unknown, name: string): string {
  try {
    return readableHostError(cause, name).message;
  } catch {
    return cause instanceof Error ? cause.message : 'it can not be read';
  }
}
