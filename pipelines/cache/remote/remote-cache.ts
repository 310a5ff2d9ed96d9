import { rmSync, statSync } from 'node:fs';
import type { Pace } from '../../../images/bytes/pace.js';
import { DiagnosticError } from '../../../images/diagnostic.js';
import type { Cache } from '../cache.js';
import { sha256 } from '../canonical-json.js';
import { blobsOf, isSameResult, type StageRecord } from '../record.js';
import { fetchBlob, sendBlob } from './blob-transfer.js';
import { decodeEntry, encodeEntry, type RemoteBlob, type RemoteEntry } from './entry.js';
import { decodeLayout, encodeLayout, type Layout, OWN_PARTS_MAX } from './layout.js';
import { LayoutBook } from './layout-book.js';
import type { ObjectStore } from './object-store.js';
import { StoreFault } from './object-store.js';
import type { Trust } from './signing.js';
import { type LinkTraffic, StoreLink } from './store-link.js';

export type RemoteMode = 'read' | 'write' | 'readwrite';

/** A remote cache as the user named it. */
export interface RemoteSettings {
  readonly store: ObjectStore;
  readonly mode: RemoteMode;
  readonly trust: Trust;
  /** How much of the build's time it may cost without saving any, in milliseconds. */
  readonly patience: number;
}

export interface RemoteCacheOptions extends RemoteSettings {
  readonly cache: Cache;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  /** Told once for each kind of trouble. */
  readonly onTrouble: (message: string) => void;
}

/** What a build knows of a stage. */
export interface UsedResult {
  readonly key: string;
  readonly record: StageRecord;
  /** Whether the stage ran, rather than being known. */
  readonly ran: boolean;
}

export interface PushOptions {
  /** Also entries whose bytes are not all here. */
  readonly withoutBytes?: boolean;
}

/** What a remote cache did for a build. */
export interface RemoteReport extends LinkTraffic {
  readonly name: string;
  /** Entries that were looked for because this cache lacks them: found, and not. */
  readonly hits: number;
  readonly misses: number;
  /** Blobs that came from it, and their length unpacked. */
  readonly blobs: number;
  readonly blobBytes: number;
  /** Entries that it got. */
  readonly pushed: number;
  /** The time that the build waited for it and that nothing made up for. */
  readonly lostMilliseconds: number;
  /** The time that sending took, at the end of the build. */
  readonly pushMilliseconds: number;
}

/**
 * The cache of a build, continued on another machine: stages that this cache does not know may be known there, and what
 * this build made goes there. Whatever comes from there is checked before it is used; when nothing comes the build is
 * slower, nothing else.
 */
export class RemoteCache {
  private readonly link: StoreLink;
  private readonly book: LayoutBook;
  private readonly entries = new Map<string, Promise<RemoteEntry | undefined>>();
  private readonly fetched = new Map<string, Promise<boolean>>();
  /** Layouts of blobs that the remote has for sure. */
  private readonly remoteBlobs = new Map<string, RemoteBlob>();
  /** How long the stages ran that made blobs, in milliseconds. */
  private readonly worth = new Map<string, number>();
  private readonly flushes: Promise<void>[] = [];
  private readonly counts = { hits: 0, misses: 0, blobs: 0, blobBytes: 0, pushed: 0, pushMilliseconds: 0 };
  /** Keys of entries whose bytes were not to be had. */
  private readonly broken = new Set<string>();
  private readonly brokenBlobs = new Set<string>();
  private refused = 0;

  constructor(private readonly options: RemoteCacheOptions) {
    const { patience, signal, onTrouble, store, cache } = options;
    this.link = new StoreLink(store, { patience, signal, onTrouble });
    this.book = new LayoutBook(cache);
  }

  /** The record of a key that this cache lacks; undefined when it is not to be had. */
  async record(key: string): Promise<StageRecord | undefined> {
    if (this.options.mode === 'write') return undefined;
    const entry = await this.entry(key);
    if (entry === undefined) this.counts.misses += 1;
    else this.counts.hits += 1;
    return entry?.record;
  }

  /** Gets a blob of a key's entry into the cache; whether it is there now, and good. */
  blob(key: string, digest: string): Promise<boolean> {
    if (this.options.mode === 'write') return Promise.resolve(false);
    let fetched = this.fetched.get(digest);
    if (fetched === undefined) {
      fetched = this.fetchInto(key, digest);
      this.fetched.set(digest, fetched);
    }
    return fetched;
  }

  /** Sends what the remote cache lacks of what a build used. Throws only when it is interrupted. */
  async push(results: Iterable<UsedResult>, options: PushOptions = {}): Promise<void> {
    if (this.options.mode === 'read' || !this.options.trust.canSign) return;
    const start = performance.now();
    const sent = new Map<string, RemoteBlob | undefined>();
    await this.guarded(undefined, () =>
      this.link.account.charge(
        async () => {
          for (const result of results) {
            if (!this.link.canWrite) return;
            if (await this.pushOne(result, sent, options)) this.counts.pushed += 1;
          }
        },
        () => 0,
      ),
    );
    this.counts.pushMilliseconds = Math.round(performance.now() - start);
  }

  report(): RemoteReport {
    const { account, traffic, store } = this.link;
    return { name: store.name, ...traffic, ...this.counts, lostMilliseconds: Math.round(account.lost) };
  }

  /** Waits until the disk has what came, and releases what is open. */
  async close(): Promise<void> {
    if (this.refused > 0)
      this.options.onTrouble(
        `remote cache ${this.link.store.name}: ${this.refused} ${this.refused === 1 ? 'entry is' : 'entries are'} not signed by who is trusted here: not used`,
      );
    this.refused = 0;
    try {
      await Promise.all(this.flushes);
    } finally {
      this.link.close();
    }
  }

  /** The remote's entry of a key, asked for once. */
  private entry(key: string): Promise<RemoteEntry | undefined> {
    let entry = this.entries.get(key);
    if (entry === undefined) {
      entry = this.link.account.charge(
        () => this.readEntry(key),
        () => 0,
      );
      this.entries.set(key, entry);
    }
    return entry;
  }

  private async readEntry(key: string): Promise<RemoteEntry | undefined> {
    const { trust } = this.options;
    const entry = await this.link.get('ac', key, (bytes) => {
      const read = decodeEntry(bytes, key, trust);
      if (read === 'damaged') throw new StoreFault('damaged', 'it sends damaged entries');
      return read;
    });
    if (entry === 'untrusted') {
      this.refused += 1;
      return undefined;
    }
    for (const { sha256: digest } of Object.values(entry?.record.artifacts ?? {}))
      this.worth.set(digest, Math.max(this.worth.get(digest) ?? 0, entry?.record.milliseconds ?? 0));
    return entry;
  }

  private async fetchInto(key: string, digest: string): Promise<boolean> {
    const isHere = await this.guarded(false, async () => {
      const entry = await this.entry(key);
      const blob = entry?.blobs.get(digest);
      if (entry === undefined || blob === undefined) return false;
      const worth = this.worth.get(digest) ?? entry.record.milliseconds;
      return this.link.account.charge(
        () => this.fetchBlob(digest, blob),
        (isHere) => (isHere ? worth : 0),
      );
    });
    if (!isHere) {
      this.broken.add(key);
      // Where some bytes are no good the others that were not asked for yet may be none either.
      const entry = await this.entry(key);
      for (const blob of entry?.blobs.keys() ?? []) this.brokenBlobs.add(blob);
    }
    return isHere;
  }

  private async fetchBlob(digest: string, blob: RemoteBlob): Promise<boolean> {
    const { cache, pace } = this.options;
    const layout = await this.layoutOf(blob);
    if (layout === undefined) return false;
    const path = cache.scratch.path('blob');
    const found = await fetchBlob(layout, path, blob.isPrivate ? 0o600 : 0o666, this.link, pace);
    if (found === undefined) return false;
    if (found !== digest) {
      rmSync(path, { force: true });
      this.options.onTrouble(
        `remote cache ${this.link.store.name}: an entry names other bytes than it should: not used`,
      );
      return false;
    }
    const flushed = cache.addFile(path, digest);
    // Whether the disk takes it shows when somebody reads it.
    this.flushes.push(flushed.catch(() => {}));
    this.remoteBlobs.set(digest, blob);
    this.book.write(digest, layout);
    this.counts.blobs += 1;
    this.counts.blobBytes += blob.size;
    return true;
  }

  private async layoutOf({ layout, size }: RemoteBlob): Promise<Layout | undefined> {
    if (typeof layout !== 'string') return layout;
    const bytes = await this.link.getBytes(layout);
    return bytes === undefined ? undefined : decodeLayout(bytes, size);
  }

  /** Whether the remote got the entry. */
  private async pushOne(
    { key, record, ran }: UsedResult,
    sent: Map<string, RemoteBlob | undefined>,
    { withoutBytes = false }: PushOptions,
  ): Promise<boolean> {
    const there = this.options.mode === 'readwrite' ? await this.entry(key) : undefined;
    const isWhole = there !== undefined && isComplete(there) && !this.broken.has(key);
    if (isWhole && (!ran || isSameResult(there.record, record))) return false;
    const blobs = new Map<string, RemoteBlob>();
    for (const digest of blobsOf(record)) {
      if (!sent.has(digest)) sent.set(digest, await this.sendBlob(digest, this.brokenBlobs.has(digest)));
      const blob = sent.get(digest);
      if (blob !== undefined) blobs.set(digest, blob);
      // An entry without its bytes is of little use, and might take the place of a whole one.
      else if (!withoutBytes) return false;
    }
    return this.link.put('ac', key, encodeEntry(key, { record, blobs }, this.options.trust));
  }

  private async sendBlob(digest: string, overwrite: boolean): Promise<RemoteBlob | undefined> {
    const { cache, pace } = this.options;
    const known = this.remoteBlobs.get(digest);
    if (known !== undefined) return known;
    if (!cache.hasFile(digest) || !(await cache.checkBlob(digest, pace))) return undefined;
    const path = cache.blobPath(digest);
    const { size, mode } = statSync(path);
    const layout = await sendBlob(path, {
      link: this.link,
      pace,
      known: this.book.read(digest),
      overwrite,
      onProgress: (part) => this.book.write(digest, part),
    });
    if (layout === undefined) return undefined;
    const isPrivate = (mode & 0o077) === 0;
    if (layout.length <= OWN_PARTS_MAX) return { size, isPrivate, layout };
    const bytes = encodeLayout(layout);
    const name = sha256(bytes);
    const isThere =
      (!overwrite && (await this.link.has('cas', name))) || (await this.link.put('cas', name, bytes));
    return isThere ? { size, isPrivate, layout: name } : undefined;
  }

  /** A fault on this host is none of the build because of the remote cache; an interruption is. */
  private async guarded<T>(otherwise: T, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      if (error.diagnostics.some(({ kind }) => kind === 'interrupted')) throw error;
      this.options.onTrouble(
        `remote cache ${this.link.store.name}: ${error.message}; the build goes on without`,
      );
      return otherwise;
    }
  }
}

/** Whether it says where all its bytes are. */
function isComplete({ record, blobs }: RemoteEntry): boolean {
  return blobsOf(record).every((digest) => blobs.has(digest));
}
