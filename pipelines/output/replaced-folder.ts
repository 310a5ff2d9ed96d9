import { existsSync, lstatSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemErrorCode } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { fileState, type StatCache } from '../cache/stat-cache.js';
import { MANIFEST_NAME, readManifest, SUMS_NAME } from './manifest.js';

/** Files of a build's folder that are as the build made them, by name, and what would show that one changes. */
export type UntouchedFiles = ReadonlyMap<string, string | undefined>;

/**
 * Tells a build's own files in its folder from the user's: those that the build did not make, or that changed since.
 * A file that is in `set` under its name, the same file and not a copy, was looked at before.
 */
export async function untouchedFiles(
  folder: string,
  set: string,
  statCache: StatCache,
  pace: Pace,
): Promise<UntouchedFiles> {
  const untouched = new Map<string, string | undefined>();
  for (const { name, sha256, size } of readManifest(folder)?.outputs ?? []) {
    const path = join(folder, name);
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status?.isFile() !== true || status.size !== size) continue;
    const state = fileState(path);
    if (isSameFile(path, join(set, name)) || (await statCache.digest(path, pace)).sha256 === sha256)
      untouched.set(name, state);
  }
  return untouched;
}

function isSameFile(a: string, b: string): boolean {
  const [first, second] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }));
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
}

/** A file of the user's that was moved out of a replaced folder. */
export interface KeptFile {
  readonly name: string;
  /** Where it is now. */
  readonly path: string;
}

/**
 * Removes a replaced folder of a build. Whatever is not the build's own moves to `into`, under another name where its
 * own is taken. May be done again when it was interrupted: the manifest, which tells the files apart, goes last.
 * Returns what got another name.
 */
export function dissolve(folder: string, into: string, untouched: UntouchedFiles): KeptFile[] {
  const moved: KeptFile[] = [];
  const own: readonly string[] = [SUMS_NAME, MANIFEST_NAME];
  for (const bytes of readdirSync(folder, { encoding: 'buffer' })) {
    const name = bytes.toString();
    if (own.includes(name)) continue;
    const path = join(folder, name);
    if (untouched.has(name) && untouched.get(name) === fileState(path)) {
      rmSync(path, { force: true });
      continue;
    }
    const target = freeName(into, bytes, folder);
    renameSync(pathOf(folder, bytes), target);
    if (!target.equals(pathOf(into, bytes))) moved.push({ name, path: target.toString() });
  }
  for (const name of own) rmSync(join(folder, name), { force: true });
  rmdirSync(folder);
  return moved;
}

/**
 * A path in a folder at which nothing is yet, nor will be when the rest comes from `from`. Names of the user's need not
 * be UTF-8.
 */
function freeName(folder: string, name: Buffer, from: string): Buffer {
  const isTaken = (path: Buffer): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  if (!isTaken(pathOf(folder, name))) return pathOf(folder, name);
  for (let number = 1; ; number++) {
    const other = Buffer.concat([name, Buffer.from(`.kept-${number}`)]);
    if (!isTaken(pathOf(folder, other)) && !isTaken(pathOf(from, other))) return pathOf(folder, other);
  }
}

function pathOf(folder: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), name]);
}

/**
 * What is at a path where a build wants to put its folder: nothing (or an empty folder), a build's folder, or something
 * else, which is not to be touched.
 */
export function kindOfFolder(path: string): 'free' | 'built' | 'foreign' {
  let names: string[];
  try {
    if (!lstatSync(path).isDirectory()) return 'foreign';
    names = readdirSync(path);
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return 'free';
    throw cause;
  }
  if (names.length === 0) return 'free';
  return readManifest(path) === undefined ? 'foreign' : 'built';
}

/**
 * Puts `folder` where `path` is. What is there, an earlier build's, moves to `old` first, and back if the change fails.
 * Returns whether something did.
 */
export function switchFolders(folder: string, path: string, old: string): boolean {
  if (kindOfFolder(path) === 'free') {
    renameSync(folder, path);
    return false;
  }
  renameSync(path, old);
  try {
    renameSync(folder, path);
  } catch (cause) {
    if (!existsSync(path)) renameSync(old, path);
    throw cause;
  }
  return true;
}
