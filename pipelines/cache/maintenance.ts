import { lstatSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Pace } from '../../images/bytes/pace.js';
import type { Cache } from './cache.js';
import { tryLock } from './lock.js';
import { namesIn } from './names-in.js';
import { pinnedKeys } from './pins.js';
import { blobsOf } from './record.js';
import { sweepLayouts } from './remote/layout-book.js';

/** One run of a stage that the cache keeps. */
export interface CacheEntry {
  readonly key: string;
  readonly stage: string;
  readonly recipe: string;
  /** Milliseconds since 1970. */
  readonly used: number;
  /** Bytes on the disk of what it made; what several entries share counts for each. */
  readonly allocated: number;
  readonly blobs: readonly string[];
  /** Stays when the cache is pruned. */
  readonly pinned: boolean;
}

/** All entries, the latest used first. */
export function cacheEntries(cache: Cache): CacheEntry[] {
  const pins = pinnedKeys(cache);
  const entries = [...cache.records()].map(({ key, record, used }) => {
    const blobs = blobsOf(record);
    const allocated = blobs.reduce((sum, sha256) => sum + allocatedBytes(cache.blobPath(sha256)), 0);
    return { key, stage: record.stage, recipe: record.recipe, used, allocated, blobs, pinned: pins.has(key) };
  });
  return entries.sort((a, b) => b.used - a.used || (a.key < b.key ? -1 : 1));
}

/** What the entries of each recipe take on the disk, the most first; what its stages share counts once. */
export function bytesByRecipe(cache: Cache): (readonly [recipe: string, bytes: number])[] {
  const blobs = new Map<string, Set<string>>();
  for (const entry of cacheEntries(cache)) {
    const known = blobs.get(entry.recipe) ?? new Set();
    for (const sha256 of entry.blobs) known.add(sha256);
    blobs.set(entry.recipe, known);
  }
  return [...blobs]
    .map(([recipe, of]) => {
      const bytes = [...of].reduce((sum, sha256) => sum + allocatedBytes(cache.blobPath(sha256)), 0);
      return [recipe, bytes] as const;
    })
    .sort(([, a], [, b]) => b - a);
}

/** What the cache takes on the disk, in bytes. */
export interface CacheUsage {
  readonly entries: number;
  readonly records: number;
  readonly blobs: number;
  /** Blobs that no record names. */
  readonly orphans: number;
  /** Damaged entries that were put aside. */
  readonly bad: number;
  readonly downloads: number;
  readonly total: number;
}

export function cacheUsage(cache: Cache): CacheUsage {
  const named = new Set(cacheEntries(cache).flatMap(({ blobs }) => blobs));
  let orphans = 0;
  for (const name of namesIn(join(cache.folder, 'cas')))
    if (!named.has(name)) orphans += allocatedBytes(join(cache.folder, 'cas', name));
  const of = (folder: string): number =>
    namesIn(join(cache.folder, folder)).reduce(
      (sum, name) => sum + allocatedBytes(join(cache.folder, folder, name)),
      0,
    );
  const [records, blobs, bad, downloads] = [of('ac'), of('cas'), of('bad'), of('downloads')];
  return {
    entries: namesIn(join(cache.folder, 'ac')).length,
    records,
    blobs,
    orphans,
    bad,
    downloads,
    total: records + blobs + bad + downloads,
  };
}

export interface PruneOptions {
  /** Bytes that may stay. */
  readonly maxBytes?: number;
  /** Entries not used for so long go, in milliseconds. */
  readonly maxAge?: number;
  readonly dryRun: boolean;
  readonly now: number;
}

export interface Pruned {
  readonly entries: readonly CacheEntry[];
  /** Bytes on the disk that it frees. */
  readonly freed: number;
}

/** A blob younger than this may belong to a build that has not written its record yet, in milliseconds. */
const YOUNG_MILLISECONDS = 60 * 60_000;

/**
 * Removes what was not used for longest, until what stays is within the limits; then blobs that nothing names, and what
 * was put aside. What a build uses just now is left alone, and what is pinned stays.
 */
export function prune(cache: Cache, options: PruneOptions): Pruned {
  // What is pinned has its place before all else.
  const entries = cacheEntries(cache).sort((a, b) => Number(b.pinned) - Number(a.pinned));
  const kept = new Set<string>();
  const removed: CacheEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const added = entry.blobs
      .filter((sha256) => !kept.has(sha256))
      .reduce((sum, sha256) => sum + allocatedBytes(cache.blobPath(sha256)), 0);
    const isOld = options.maxAge !== undefined && options.now - entry.used > options.maxAge;
    const isTooMuch = options.maxBytes !== undefined && bytes + added > options.maxBytes;
    if ((isOld || isTooMuch) && !entry.pinned && !isInUse(cache, entry.key)) {
      removed.push(entry);
      continue;
    }
    bytes += added;
    for (const sha256 of entry.blobs) kept.add(sha256);
  }
  if (!options.dryRun) for (const { key } of removed) rmSync(cache.recordPath(key), { force: true });
  const released = new Set(removed.flatMap(({ blobs }) => blobs));
  const freed = removeOrphans(cache, kept, released, options) + emptyBad(cache, options);
  if (!options.dryRun) sweepLayouts(cache);
  return { entries: removed, freed };
}

function isInUse(cache: Cache, key: string): boolean {
  const lock = tryLock(join(cache.folder, 'locks', key));
  if (!('release' in lock)) return true;
  lock.release();
  return false;
}

function removeOrphans(
  cache: Cache,
  kept: ReadonlySet<string>,
  released: ReadonlySet<string>,
  { dryRun, now }: PruneOptions,
): number {
  let freed = 0;
  for (const name of namesIn(join(cache.folder, 'cas'))) {
    if (kept.has(name)) continue;
    const path = join(cache.folder, 'cas', name);
    const status = statSync(path, { throwIfNoEntry: false });
    if (status === undefined) continue;
    if (!released.has(name) && now - status.mtimeMs < YOUNG_MILLISECONDS) continue;
    freed += status.blocks * 512;
    if (!dryRun) rmSync(path, { force: true });
  }
  return freed;
}

function emptyBad(cache: Cache, { dryRun }: PruneOptions): number {
  let freed = 0;
  for (const name of namesIn(join(cache.folder, 'bad'))) {
    const path = join(cache.folder, 'bad', name);
    freed += allocatedBytes(path);
    if (!dryRun) rmSync(path, { recursive: true, force: true });
  }
  return freed;
}

export interface Verified {
  readonly records: number;
  readonly blobs: number;
  /** What was damaged and put aside. */
  readonly bad: readonly { readonly path: string; readonly reason: string }[];
  /** Entries whose bytes are gone: they run again. */
  readonly incomplete: number;
}

/** Reads everything in the cache and compares it with its digests. Damaged entries are put aside. */
export async function verify(
  cache: Cache,
  pace: Pace,
  onProgress: (bytes: number) => void = () => {},
): Promise<Verified> {
  const entries = cacheEntries(cache);
  let blobs = 0;
  let bytes = 0;
  for (const name of namesIn(join(cache.folder, 'cas'))) {
    const path = join(cache.folder, 'cas', name);
    blobs += 1;
    bytes += lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
    await cache.checkBlob(name, pace);
    onProgress(bytes);
  }
  const incomplete = entries.filter((entry) => !entry.blobs.every((sha256) => cache.hasFile(sha256))).length;
  return { records: entries.length, blobs, bad: cache.quarantined, incomplete };
}

function allocatedBytes(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}
