import { createHash } from 'node:crypto';
import { type BigIntStats, openSync, readFileSync, readSync, closeSync, statSync } from 'node:fs';
import { writeAtomically } from '../../images/bytes/atomic-file.js';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { thisBoot } from './process-identity.js';

/** What tells, without reading a file, that it has not changed. */
export interface FileState {
  readonly identity: string;
  readonly size: number;
}

interface Known {
  readonly state: string;
  readonly sha256: string;
  readonly size: number;
  /** When it was last of use, in milliseconds since 1970. */
  used: number;
}

/** A file changed this shortly before it was read may change again without a new time: timestamps are coarse. */
const RACY_MILLISECONDS = 1000;
const ENTRIES_MAX = 20_000;
const PIECE_BYTES = 1024 * 1024;

/**
 * Remembers digests of files by device, inode, size and times, so that what has not changed is not read again. Trusted
 * only within one boot: what the disk lost with the power, the times don't show.
 */
export class StatCache {
  private readonly known = new Map<string, Known>();
  private changed = false;

  private constructor(private readonly path: string) {}

  /** Reads what is remembered at `path`; a missing or damaged file means nothing is. */
  static open(path: string): StatCache {
    const cache = new StatCache(path);
    try {
      const { boot, files } = JSON.parse(readFileSync(path, 'utf8')) as {
        boot: string;
        files: [string, Known][];
      };
      if (boot === thisBoot) for (const [identity, known] of files) cache.known.set(identity, known);
    } catch {
      // Nothing is remembered: files are read again.
    }
    return cache;
  }

  /** The digest of a file that has not changed since it was remembered. */
  get(path: string | Buffer): { sha256: string; size: number } | undefined {
    const status = statusOf(path);
    if (status === undefined) return undefined;
    const known = this.known.get(identityOf(status));
    if (known === undefined || known.state !== stateOf(status)) return undefined;
    known.used = Date.now();
    this.changed = true;
    return { sha256: known.sha256, size: known.size };
  }

  /** Remembers the digest of a file as it is now, unless it changed so lately that the next change might not show. */
  remember(path: string | Buffer, sha256: string): void {
    const status = statusOf(path);
    if (status === undefined) return;
    this.known.set(identityOf(status), {
      state: stateOf(status),
      sha256,
      size: Number(status.size),
      used: Date.now(),
    });
    this.changed = true;
  }

  /** The digest of a file: remembered, or by reading it. Throws a DiagnosticError when it can't be read. */
  async digest(path: string | Buffer, pace: Pace): Promise<{ sha256: string; size: number }> {
    const known = this.get(path);
    if (known !== undefined) return known;
    const before = statusOf(path);
    const digest = await digestOfFile(path, pace);
    const after = statusOf(path);
    const isQuiet =
      before !== undefined &&
      after !== undefined &&
      stateOf(before) === stateOf(after) &&
      Date.now() - Number(after.ctimeMs) > RACY_MILLISECONDS;
    if (isQuiet) this.remember(path, digest.sha256);
    return digest;
  }

  /** Writes what is remembered. */
  async save(): Promise<void> {
    if (!this.changed) return;
    const files = [...this.known].sort(([, a], [, b]) => b.used - a.used).slice(0, ENTRIES_MAX);
    await writeAtomically(this.path, async (temporary) => {
      const { writeFileSync } = await import('node:fs');
      writeFileSync(temporary, JSON.stringify({ boot: thisBoot, files }));
    });
    this.changed = false;
  }
}

/** SHA-256 and length of a file on the host. */
export async function digestOfFile(path: string | Buffer, pace: Pace): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  let size = 0;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    for (;;) {
      const count = readSync(descriptor, buffer, 0, buffer.length, size);
      if (count === 0) break;
      hash.update(buffer.subarray(0, count));
      size += count;
      if (pace.due()) await pace.breathe();
    }
  } catch (cause) {
    throw readableHostError(cause, path.toString());
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  return { sha256: hash.digest('hex'), size };
}

/** What tells whether a file has changed; undefined when it is not there. */
export function fileState(path: string | Buffer): string | undefined {
  const status = statusOf(path);
  return status === undefined ? undefined : `${identityOf(status)} ${stateOf(status)}`;
}

function statusOf(path: string | Buffer): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

function stateOf({ size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${size} ${mtimeNs} ${ctimeNs}`;
}
