import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Pace } from '../../images/bytes/pace.js';
import { hostError, usageError } from '../../images/diagnostic.js';
import { ArchiveReader, ArchiveWriter } from './archive-store.js';
import type { Cache } from './cache.js';
import { canonicalJson, sha256 } from './canonical-json.js';
import { makeFolder } from './make-folder.js';
import { blobsOf, type StageRecord } from './record.js';
import { RemoteCache } from './remote/remote-cache.js';
import type { Trust } from './remote/signing.js';

export interface ArchiveOptions {
  readonly cache: Cache;
  readonly trust: Trust;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

export interface Exported {
  readonly file: string;
  readonly entries: number;
  readonly blobs: number;
  /** Bytes of the archive. */
  readonly size: number;
  /** It was there already: what has this name never changes. */
  readonly kept: boolean;
  /** Keys that the cache does not have any more. */
  readonly missing: readonly string[];
}

/**
 * Writes the entries with these keys, and nothing else, into one archive. In a folder it gets a name that says what it
 * holds: `ssi-cache-` and a digest. Throws a DiagnosticError; nothing half-written stays.
 */
export async function exportEntries(
  keys: readonly string[],
  destination: string,
  { cache, trust, pace, signal }: ArchiveOptions,
): Promise<Exported> {
  const records = new Map<string, StageRecord>();
  const missing: string[] = [];
  for (const key of [...new Set(keys)].sort()) {
    const record = cache.record(key);
    if (record === undefined) missing.push(key);
    else records.set(key, record);
  }
  if (records.size === 0)
    throw usageError('there is nothing to export: the cache has none of these entries', 'Build first.');
  if (destination.endsWith('/')) makeFolder(destination);
  const isFolder = statSync(destination, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = isFolder ? join(destination, `${nameOf(records)}.tar`) : destination;
  const blobs = new Set([...records.values()].flatMap(blobsOf)).size;
  if (isFolder && existsSync(file))
    return { file, entries: records.size, blobs, size: statSync(file).size, kept: true, missing };
  const writer = new ArchiveWriter(file);
  try {
    const troubles: string[] = [];
    const archive = new RemoteCache({
      store: writer,
      mode: 'write',
      trust,
      patience: Number.POSITIVE_INFINITY,
      cache,
      pace,
      signal,
      onTrouble: (message) => troubles.push(message),
    });
    const used = [...records].map(([key, record]) => ({ key, record, ran: true }));
    await archive.push(used, { withoutBytes: true });
    pace.check();
    if (troubles[0] !== undefined) throw hostError(troubles[0], 'Nothing was written.');
    writer.finish();
    return { file, entries: records.size, blobs, size: writer.size, kept: false, missing };
  } finally {
    writer.discard();
  }
}

/** The same for the same results, wherever they were made. */
function nameOf(records: ReadonlyMap<string, StageRecord>): string {
  const content = [...records].map(([key, record]) => [key, blobsOf(record)]);
  return `ssi-cache-${sha256(canonicalJson(content)).slice(0, 32)}`;
}

export interface Imported {
  readonly entries: number;
  /** Entries that were here already. */
  readonly known: number;
  /** Entries that are damaged, or not signed by who is trusted here: not taken. */
  readonly refused: number;
  readonly blobs: number;
  readonly warnings: readonly string[];
}

/** Takes the entries of an archive into the cache, each with its bytes, checked. Throws a DiagnosticError. */
export async function importEntries(
  file: string,
  { cache, trust, pace, signal }: ArchiveOptions,
): Promise<Imported> {
  const reader = new ArchiveReader(file);
  const warnings: string[] = [];
  const archive = new RemoteCache({
    store: reader,
    mode: 'read',
    trust,
    patience: Number.POSITIVE_INFINITY,
    cache,
    pace,
    signal,
    onTrouble: (message) => warnings.push(message),
  });
  let [entries, known, refused] = [0, 0, 0];
  try {
    for (const key of reader.names('ac')) {
      pace.check();
      const record = await archive.record(key);
      if (record === undefined) {
        refused += 1;
        continue;
      }
      const isKnown = cache.record(key) !== undefined;
      for (const blob of blobsOf(record)) if (!cache.hasFile(blob)) await archive.blob(key, blob);
      if (isKnown) {
        known += 1;
        continue;
      }
      await cache.addRecord(key, record);
      entries += 1;
    }
  } finally {
    await archive.close();
  }
  return { entries, known, refused, blobs: archive.report().blobs, warnings };
}
