import { type BigIntStats, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { sha256 } from './canonical-json.js';
import { digestOfFile } from './file-digest.js';
import { thisBoot } from './process-identity.js';
import type { Scratch } from './scratch.js';

interface Known {
  readonly state: string;
  readonly sha256: string;
  readonly size: number;
  /** When it was last of use, in milliseconds since 1970; to the day. */
  used: number;
}

/** A known file as a row of the file in which they are kept. */
type Row = readonly [identity: string, state: string, sha256: string, size: number, used: number];

/** Two changes this close may have the same time: that of the last tick of the kernel's clock, in milliseconds. */
const TICK_MILLISECONDS = 20;
/** The same on a filesystem that keeps whole seconds, or every other one. */
const COARSE_MILLISECONDS = 2000;
const DAY_MILLISECONDS = 24 * 60 * 60 * 1000;
const ENTRIES_MAX = 100_000;
/** More than that many entries take. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Remembers digests of files by device, inode, size and times, so that what has not changed is not read again. Trusted
 * only within one boot: what the disk lost with the power, the times don't show. A digest is remembered only when the
 * last change lay so long before the reading that the next one has another time.
 */
export class StatCache {
  private readonly known: Map<string, Known>;
  private changed = false;

  private constructor(
    private readonly path: string,
    private readonly scratch: Scratch,
  ) {
    this.known = readKnown(path);
  }

  /** Reads what is remembered at `path`; a missing or damaged file means nothing is. */
  static open(path: string, scratch: Scratch): StatCache {
    return new StatCache(path, scratch);
  }

  /** The digest of a file that has not changed since it was remembered. */
  get(path: string | Buffer): { sha256: string; size: number } | undefined {
    const status = statusOf(path);
    if (status === undefined) return undefined;
    const known = this.known.get(identityOf(status));
    if (known === undefined || known.state !== stateOf(status)) return undefined;
    const now = Date.now();
    if (Math.abs(now - known.used) > DAY_MILLISECONDS) {
      known.used = now;
      this.changed = true;
    }
    return { sha256: known.sha256, size: known.size };
  }

  /** Remembers the digest of a file that was just made, unless its next change might not show. */
  async remember(path: string, sha256: string): Promise<void> {
    const before = statusOf(path);
    const now = await settled(path);
    if (before !== undefined && now !== undefined && stateOf(before) === stateOf(now)) this.put(now, sha256);
  }

  /**
   * The digest of a file: remembered, or by reading it. Whoever looked at the file's state before, and finds it the same
   * later, knows that the file has this digest still. Throws a DiagnosticError when it can't be read.
   */
  async digest(path: string | Buffer, pace: Pace): Promise<{ sha256: string; size: number }> {
    const known = this.get(path);
    if (known !== undefined) return known;
    const before = await settled(path);
    const digest = await digestOfFile(path, pace);
    const after = statusOf(path);
    if (before !== undefined && after !== undefined && stateOf(before) === stateOf(after))
      this.put(after, digest.sha256);
    return digest;
  }

  private put(status: BigIntStats, sha256: string): void {
    const size = Number(status.size);
    this.known.set(identityOf(status), { state: stateOf(status), sha256, size, used: Date.now() });
    this.changed = true;
  }

  /** Writes what is remembered, besides what others remember. A disk that is full only means that files are read again. */
  save(): void {
    if (!this.changed) return;
    const merged = new Map([...readKnown(this.path), ...this.known]);
    const files = [...merged]
      .sort(([, a], [, b]) => b.used - a.used)
      .slice(0, ENTRIES_MAX)
      .map(([identity, { state, sha256, size, used }]): Row => [identity, state, sha256, size, used]);
    const temporary = this.scratch.path('files');
    try {
      writeFileSync(temporary, encodeKnown(JSON.stringify({ boot: thisBoot, files })));
      renameSync(temporary, this.path);
      this.changed = false;
    } catch {
      rmSync(temporary, { force: true });
    }
  }
}

function readKnown(path: string): Map<string, Known> {
  const known = new Map<string, Known>();
  try {
    if (statSync(path).size > FILE_BYTES_MAX) return known;
    const body = decodeKnown(readFileSync(path, 'utf8'));
    const { boot, files } = JSON.parse(body) as { boot: unknown; files: unknown };
    if (boot !== thisBoot || !Array.isArray(files)) return known;
    for (const row of files.filter(isRow)) {
      const [identity, state, sha256, size, used] = row;
      known.set(identity, { state, sha256, size, used });
    }
  } catch {
    // Nothing is remembered: files are read again.
  }
  return known;
}

/** With a digest over all of it: a digest in which a bit is wrong looks like any other. */
function encodeKnown(body: string): string {
  return `${sha256(body)}\n${body}\n`;
}

/** Empty, and so no JSON, when it is damaged. */
function decodeKnown(text: string): string {
  const [digest, body = ''] = text.split('\n');
  return digest === sha256(body) ? body : '';
}

function isRow(row: unknown): row is Row {
  if (!Array.isArray(row)) return false;
  const [identity, state, sha256, size, used] = row as unknown[];
  return (
    typeof identity === 'string' &&
    typeof state === 'string' &&
    typeof sha256 === 'string' &&
    typeof size === 'number' &&
    typeof used === 'number'
  );
}

/** What tells whether a file has changed; undefined when it is not there. Throws a DiagnosticError when it can't. */
export function fileState(path: string | Buffer): string | undefined {
  const status = statusOf(path);
  return status === undefined ? undefined : `${identityOf(status)} ${stateOf(status)}`;
}

function statusOf(path: string | Buffer): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (cause) {
    throw readableHostError(cause, path.toString());
  }
}

/**
 * A file as it is, when its next change will have another time than the last: for that it waits a tick of the clock.
 * Undefined when it is not there, no file, still changing, or on a filesystem whose clock is too coarse to wait for.
 */
async function settled(path: string | Buffer): Promise<BigIntStats | undefined> {
  const first = statusOf(path);
  if (first === undefined || !first.isFile()) return undefined;
  const age = Date.now() - Number(first.ctimeMs);
  if (age > COARSE_MILLISECONDS) return first;
  if (age < 0 || first.ctimeNs % 1_000_000_000n === 0n) return undefined;
  if (age > TICK_MILLISECONDS) return first;
  await sleep(TICK_MILLISECONDS + 1 - age);
  const second = statusOf(path);
  return second !== undefined && stateOf(first) === stateOf(second) ? second : undefined;
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

function stateOf({ size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${size} ${mtimeNs} ${ctimeNs}`;
}
