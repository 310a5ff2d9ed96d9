import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { copySparse } from '../../images/bytes/sparse-copy.js';
import { DiagnosticError, hostError } from '../../images/diagnostic.js';
import { acquireLock, type Lock, type LockOptions, sweepLock } from '../cache/lock.js';
import { makeFolder } from '../cache/make-folder.js';
import { identityIn, mayBeAlive, nameOf, thisProcess } from '../cache/process-identity.js';
import { removeAll } from '../cache/scratch.js';
import { fileState, type StatCache } from '../cache/stat-cache.js';
import { type Manifest, readManifest } from './manifest.js';
import {
  dissolve,
  kindOfFolder,
  switchFolders,
  type UntouchedFiles,
  untouchedFiles,
} from './replaced-folder.js';

/** Folders beside the output folder while a build runs. */
type Kind = 'new' | 'made' | 'old';

/**
 * The folder in which a build's outputs appear, all at once. While a build runs it holds the lock beside the folder;
 * what it makes lies in folders with hidden names beside it until everything is done.
 *
 *   out/sample              what the last build made
 *   out/.sample.lock        a build runs
 *   out/.sample.<id>.made   files of stages that the cache does not keep
 *   out/.sample.<id>.new    the outputs, as far as they are there
 *   out/.sample.<id>.old    what was there before, for the moment of the change
 */
export class OutputFolder {
  /** A folder for files that the cache does not keep; who first needs it makes it. */
  readonly staging: string;
  /** Notes on what was kept of the user's. */
  readonly notes: string[] = [];
  /** The outputs so far. */
  private readonly set: string;
  private readonly parent: string;
  private last: Manifest | undefined;
  /** Files of the last build that stay, and what would show that one changes. */
  private readonly kept = new Map<string, string | undefined>();
  /** Files of `staging` that are outputs already. */
  private readonly taken = new Set<string>();

  private constructor(
    readonly path: string,
    private readonly lock: Lock,
    private readonly statCache: StatCache,
    private readonly pace: Pace,
  ) {
    this.parent = dirname(path);
    this.staging = this.beside(path, 'made');
    this.set = this.beside(path, 'new');
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
    let folder = resolve(path);
    try {
      if (existsSync(path)) folder = realpathSync(path);
    } catch (cause) {
      throw readableHostError(cause, folder);
    }
    makeFolder(dirname(folder));
    const lockPath = join(dirname(folder), `.${basename(folder)}.lock`);
    const lock = await acquireLock(lockPath, options);
    const output = new OutputFolder(folder, lock, statCache, pace);
    try {
      sweepLock(lockPath);
      await output.recover();
      output.checkFree(folder);
      output.last = readManifest(folder);
    } catch (error) {
      output.release();
      throw error instanceof DiagnosticError ? error : readableHostError(error, folder);
    }
    return output;
  }

  /** What the last build made; undefined when there was none. */
  previous(): Manifest | undefined {
    return this.last;
  }

  /** A file of the last build with these bytes, if it still has them; the one of that name, if there are several. */
  async locate(sha256: string, size: number, name?: string): Promise<string | undefined> {
    return locateIn(this.path, this.last, { sha256, size, name }, this.statCache, this.pace);
  }

  /** Whether the last build left a small file with just this text. */
  holds(name: string, text: string): boolean {
    const path = join(this.path, name);
    try {
      return statSync(path).size === Buffer.byteLength(text) && readFileSync(path, 'utf8') === text;
    } catch {
      return false;
    }
  }

  /** Where the folder for a part of the outputs lies. Throws a DiagnosticError when it holds something else. */
  partPath(stage: string): string {
    const path = `${this.path}.until-${stage}`;
    this.checkFree(path);
    return path;
  }

  /** Begins the set of outputs anew. */
  begin(): void {
    removeAll(this.set);
    this.kept.clear();
    this.taken.clear();
    this.doing(this.set, () => mkdirSync(this.set));
  }

  /** An output that is as it was stays: the same file, not a copy. */
  async keep(name: string): Promise<void> {
    const [from, to] = [join(this.path, name), join(this.set, name)];
    try {
      linkSync(from, to);
    } catch {
      // The filesystem has no hard links.
      await copySparse(from, to, this.pace);
    }
    this.kept.set(name, fileState(to));
  }

  /**
   * Puts a file into the set: one of `staging` as it is, any other as a copy. Throws a DiagnosticError when that copy
   * does not have the digest. Returns the bytes that it takes on the disk.
   */
  async add(
    path: string,
    name: string,
    sha256: string,
    onProgress: (bytes: number) => void,
  ): Promise<number> {
    const target = join(this.set, name);
    if (!path.startsWith(`${this.staging}/`) || this.taken.has(path) || !this.link(path, target)) {
      const copied = await copySparse(path, target, this.pace, onProgress);
      if (copied !== sha256)
        throw hostError('it changed while it was copied', 'Run it again.', { file: path });
    }
    this.taken.add(path);
    return statSync(target).blocks * 512;
  }

  /** Lets whoever may read a file of the set run it. */
  makeExecutable(name: string): void {
    const path = join(this.set, name);
    this.doing(path, () => {
      const { mode } = statSync(path);
      chmodSync(path, mode | ((mode & 0o444) >> 2));
    });
  }

  /** Writes a small file of the set. */
  write(name: string, text: string): void {
    const path = join(this.set, name);
    this.doing(path, () => writeFileSync(path, text, { flag: 'wx' }));
  }

  /** Makes the set the folder's content. Files in it that no build made, or that changed since, stay. */
  async publish(): Promise<void> {
    await this.publishAt(this.path);
  }

  /** Makes the set, which is not complete, the content of a folder of its own beside the real one. */
  async publishPart(stage: string): Promise<string> {
    const path = this.partPath(stage);
    await this.publishAt(path);
    return path;
  }

  /** Ends the work on it: the lock goes, and what was not published. */
  release(): void {
    try {
      removeAll(this.set);
      removeAll(this.staging);
    } finally {
      this.lock.release();
    }
  }

  private async publishAt(path: string): Promise<void> {
    // All that takes time comes before the change: from there on nothing is waited for.
    const untouched = await untouchedFiles(path, this.set, this.statCache, this.pace);
    this.pace.check();
    for (const [name, state] of this.kept)
      if (fileState(join(this.set, name)) !== state)
        throw hostError('it changed while the build ran', 'Run it again.', { file: join(this.path, name) });
    removeAll(this.staging);
    const old = this.beside(path, 'old');
    const hadOld = this.doing(path, () => switchFolders(this.set, path, old));
    if (hadOld) this.dissolve(old, path, untouched);
  }

  /** What can't be moved out of the old set is for the user to look at: the new one is there. */
  private dissolve(old: string, path: string, untouched: UntouchedFiles): void {
    try {
      for (const kept of dissolve(old, path, untouched))
        this.notes.push(`${kept.name} is not as it was built: what was there is now ${kept.path}`);
    } catch (cause) {
      const { message } = readableHostError(cause, old);
      this.notes.push(`what was in ${path} before is in part still in ${old}: ${message}`);
    }
  }

  /** Puts right what dead builds left. Nobody else's are here while we have the lock. */
  private async recover(): Promise<void> {
    for (const name of readdirSync(this.parent)) {
      const leftover = this.leftoverIn(name);
      if (leftover === undefined) continue;
      const { path, kind, of } = leftover;
      if (kind !== 'old') removeAll(path);
      else if (kindOfFolder(of) === 'free') renameSync(path, of);
      else if (kindOfFolder(of) === 'built')
        this.dissolve(path, of, await untouchedFiles(path, of, this.statCache, this.pace));
    }
  }

  /** What a dead build made beside this folder, or beside that of a part, and which of the two it belongs to. */
  private leftoverIn(name: string): { path: string; kind: Kind; of: string } | undefined {
    const prefix = `.${basename(this.path)}.`;
    if (!name.startsWith(prefix)) return undefined;
    const match = /^(until-[^.]+\.)?([^.]+)\.(new|made|old)$/.exec(name.slice(prefix.length));
    const owner = identityIn(match?.[2] ?? '');
    if (match === null || owner === undefined) return undefined;
    // The lock is ours, so of this folder nobody else's work is at hand; but a folder may be called like a part's.
    const isOwn = nameOf(owner) === nameOf(thisProcess);
    if (!isOwn && mayBeAlive(owner, join(this.parent, name), 0)) return undefined;
    const part = match[1] === undefined ? '' : `.${match[1].slice(0, -1)}`;
    return { path: join(this.parent, name), kind: match[3] as Kind, of: `${this.path}${part}` };
  }

  /** A folder that holds something else is not ours to replace, and one that is a mount can't be. */
  private checkFree(path: string): void {
    const kind = this.doing(path, () => kindOfFolder(path));
    if (kind === 'foreign') {
      throw hostError('it holds what no build made', 'Name another folder with --out, or empty this one.', {
        file: path,
      });
    }
    const status = statSync(path, { throwIfNoEntry: false });
    if (status !== undefined && status.dev !== statSync(this.parent).dev) {
      throw hostError(
        'another filesystem is mounted there, so it can not be replaced as a whole',
        'Name a folder inside it with --out.',
        { file: path },
      );
    }
  }

  /** A hard link, if the filesystem has them. */
  private link(path: string, target: string): boolean {
    try {
      linkSync(path, target);
      return true;
    } catch (cause) {
      if (systemErrorCode(cause) === 'ENOENT') throw readableHostError(cause, path);
      return false;
    }
  }

  private doing<T>(path: string, work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw readableHostError(cause, path);
    }
  }

  private beside(path: string, kind: Kind): string {
    return join(dirname(path), `.${basename(path)}.${nameOf(thisProcess)}.${kind}`);
  }
}

/** A file of an output folder with these bytes, if it still has them. */
export function locateOutput(
  folder: string,
  sha256: string,
  size: number,
  statCache: StatCache,
  pace: Pace,
): Promise<string | undefined> {
  return locateIn(folder, readManifest(folder), { sha256, size }, statCache, pace);
}

async function locateIn(
  folder: string,
  manifest: Manifest | undefined,
  wanted: { readonly sha256: string; readonly size: number; readonly name?: string | undefined },
  statCache: StatCache,
  pace: Pace,
): Promise<string | undefined> {
  const { sha256, size, name } = wanted;
  const outputs = (manifest?.outputs ?? []).filter((output) => output.sha256 === sha256);
  for (const output of outputs.sort((a, b) => Number(b.name === name) - Number(a.name === name))) {
    const path = join(folder, output.name);
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status?.isFile() !== true || status.size !== size) continue;
    if ((await statCache.digest(path, pace)).sha256 === sha256) return path;
  }
  return undefined;
}
