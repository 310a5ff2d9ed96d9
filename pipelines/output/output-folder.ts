import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { copySparse } from '../../images/bytes/sparse-copy.js';
import { hostError } from '../../images/diagnostic.js';
import { acquireLock, type Lock, type LockOptions, sweepLock } from '../cache/lock.js';
import { identityIn, mayBeAlive, nameOf, thisProcess } from '../cache/process-identity.js';
import { removeAll } from '../cache/scratch.js';
import type { StatCache } from '../cache/stat-cache.js';
import { MANIFEST_NAME, type Manifest, readManifest, SUMS_NAME } from './manifest.js';

/**
 * The folder in which a build's outputs appear, all at once. While a build runs it holds the lock beside the folder;
 * what it makes lies in a folder with a hidden name beside it until everything is done.
 *
 *   out/sample              what the last build made
 *   out/.sample.lock        a build runs
 *   out/.sample.<id>.new    what it has made so far
 *   out/.sample.<id>.old    what was there before, for the moment of the change
 */
export class OutputFolder {
  readonly staging: string;
  /** Notes on what was kept of the user's. */
  readonly notes: string[] = [];
  private readonly parent: string;
  private readonly prefix: string;

  private constructor(
    readonly path: string,
    private readonly lock: Lock,
    private readonly statCache: StatCache,
    private readonly pace: Pace,
  ) {
    this.parent = dirname(path);
    this.prefix = `.${basename(path)}.`;
    this.staging = join(this.parent, `${this.prefix}${nameOf(thisProcess)}.new`);
  }

  /**
   * Takes the folder for a build, and first puts right what a build left that died. Waits while another build has it.
   * Throws a DiagnosticError when it holds something else than a build's outputs.
   */
  static async open(
    path: string,
    statCache: StatCache,
    pace: Pace,
    options: LockOptions,
  ): Promise<OutputFolder> {
    const folder = existsSync(path) ? realpathSync(path) : resolve(path);
    try {
      mkdirSync(dirname(folder), { recursive: true });
    } catch (cause) {
      throw readableHostError(cause, dirname(folder));
    }
    const lockPath = join(dirname(folder), `.${basename(folder)}.lock`);
    const lock = await acquireLock(lockPath, options);
    const output = new OutputFolder(folder, lock, statCache, pace);
    try {
      sweepLock(lockPath);
      await output.recover();
      output.checkOurs();
      mkdirSync(output.staging);
    } catch (error) {
      lock.release();
      throw 'syscall' in (error as object) ? readableHostError(error, folder) : error;
    }
    return output;
  }

  /** What the last build made; undefined when there was none. */
  previous(): Manifest | undefined {
    return readManifest(this.path);
  }

  /** A file of the last build with these bytes, if it still has them. */
  async locate(sha256: string, size: number): Promise<string | undefined> {
    for (const output of this.previous()?.outputs ?? []) {
      if (output.sha256 !== sha256) continue;
      const path = join(this.path, output.name);
      const status = statSync(path, { throwIfNoEntry: false });
      if (status?.isFile() !== true || status.size !== size) continue;
      if ((await this.statCache.digest(path, this.pace)).sha256 === sha256) return path;
    }
    return undefined;
  }

  /** Puts a file of the last build into the new set without copying it where that can be. */
  async reuse(path: string, name: string, sha256: string): Promise<void> {
    const target = join(this.staging, name);
    if (existsSync(target)) return;
    try {
      linkSync(path, target);
    } catch {
      await copySparse(path, target, this.pace);
    }
    this.statCache.remember(target, sha256);
  }

  /** Writes a small file of the new set. */
  write(name: string, text: string): void {
    try {
      writeFileSync(join(this.staging, name), text, { flag: 'wx' });
    } catch (cause) {
      throw readableHostError(cause, join(this.staging, name));
    }
  }

  /** Makes the new set the folder's content. Files in it that no build made, or that changed since, stay. */
  async publish(): Promise<void> {
    try {
      if (existsSync(this.path)) {
        const old = join(this.parent, `${this.prefix}${nameOf(thisProcess)}.old`);
        renameSync(this.path, old);
        renameSync(this.staging, this.path);
        await this.dissolve(old);
      } else {
        renameSync(this.staging, this.path);
      }
    } catch (cause) {
      throw readableHostError(cause, this.path);
    }
  }

  /**
   * Makes the new set, which is not complete, the content of a folder of its own beside the real one. Returns its
   * path. What was there of an earlier part is replaced.
   */
  publishPart(stage: string): string {
    const path = `${this.path}.until-${stage}`;
    removeAll(path);
    try {
      renameSync(this.staging, path);
    } catch (cause) {
      throw readableHostError(cause, path);
    }
    return path;
  }

  /** Ends the work on it: the lock goes, and what was not published. */
  release(): void {
    removeAll(this.staging);
    this.lock.release();
  }

  /** Removes what dead builds left. Theirs are the only such names while we have the lock. */
  private async recover(): Promise<void> {
    for (const name of readdirSync(this.parent)) {
      if (!name.startsWith(this.prefix)) continue;
      const [id = '', kind = ''] = name.slice(this.prefix.length).split('.');
      const owner = identityIn(id);
      const path = join(this.parent, name);
      if (owner === undefined || mayBeAlive(owner, path)) continue;
      if (kind === 'new') removeAll(path);
      if (kind !== 'old') continue;
      if (existsSync(this.path)) await this.dissolve(path);
      else renameSync(path, this.path);
    }
  }

  /** Removes a replaced set; what is not the build's own, or not as it made it, moves to the new one. */
  private async dissolve(old: string): Promise<void> {
    const made = new Map(readManifest(old)?.outputs.map((output) => [output.name, output]));
    for (const name of readdirSync(old)) {
      const path = join(old, name);
      if (name === MANIFEST_NAME || name === SUMS_NAME) continue;
      const output = made.get(name);
      const isUntouched =
        output !== undefined &&
        (this.isSameFile(path, join(this.path, name)) ||
          (await this.statCache.digest(path, this.pace)).sha256 === output.sha256);
      if (!isUntouched) this.keep(path, name, output !== undefined);
    }
    removeAll(old);
  }

  private isSameFile(a: string, b: string): boolean {
    const [first, second] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }));
    return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
  }

  private keep(path: string, name: string, wasOutput: boolean): void {
    let target = join(this.path, name);
    for (let number = 1; existsSync(target); number++) target = join(this.path, `${name}.kept-${number}`);
    renameSync(path, target);
    if (wasOutput) this.notes.push(`${name} was changed after it was built: that one is now ${target}`);
  }

  /** A folder that holds something else is not ours to replace. */
  private checkOurs(): void {
    let names: string[];
    try {
      if (!lstatSync(this.path).isDirectory())
        throw hostError('it is no folder', 'Name another with --out.', { file: this.path });
      names = readdirSync(this.path);
    } catch (cause) {
      if (systemErrorCode(cause) === 'ENOENT') return;
      throw cause;
    }
    if (names.length === 0) {
      rmdirSync(this.path);
      return;
    }
    if (this.previous() !== undefined) return;
    throw hostError(
      'it holds files that no build made',
      'Name another folder with --out, or empty this one.',
      { file: this.path },
    );
  }
}
