import { type BigIntStats, chmodSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { type ByteString, byteString, bytesOf, textFromByteString } from '../../images/bytes/byte-string.js';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { type DiagnosticError, hostError } from '../../images/diagnostic.js';
import type { DirectoryNode } from '../../images/tree/node.js';
import { joinPath } from '../../images/tree/tree.js';
import { DIRECTORY_PATH_MAX } from './open-directories.js';
import { identityOf, type SeenAttributes, type View } from './ownership.js';
import { checkShared, SharingEnded } from './shared-placeholders.js';
import type { LaidOut, StagingRoot } from './staging-root.js';

/** Names that a rule may add; beyond, it is not installing any more. */
const NEW_ENTRIES_MAX = 1_000_000;

/** A directory after the rule has run. */
export interface FoundDirectory {
  readonly path: ByteString;
  readonly name: ByteString;
  readonly parent: FoundDirectory | undefined;
  readonly status: BigIntStats;
  readonly seen: SeenAttributes;
  /** What was laid out as this very directory, wherever it is now. */
  readonly origin: LaidOut | undefined;
  /** The base's directory that shows through here; undefined where the rule made another in its place. */
  readonly lower: DirectoryNode | undefined;
  /** The base has a directory here, and it is not this one. */
  readonly isOpaque: boolean;
  readonly names: ReadonlySet<ByteString>;
}

/** One of the names of a file. */
export interface FoundName {
  readonly name: ByteString;
  readonly path: ByteString;
  readonly directory: FoundDirectory;
}

/** A file that is no directory, with all its names. */
export interface FoundLeaf {
  readonly host: Buffer;
  readonly status: BigIntStats;
  readonly seen: SeenAttributes;
  readonly origin: LaidOut | undefined;
  readonly names: FoundName[];
  /** Of a symbolic link. */
  readonly target?: ByteString;
}

export interface Found {
  /** Parents before their children. */
  readonly directories: readonly FoundDirectory[];
  readonly leaves: readonly FoundLeaf[];
}

const SLASH = Buffer.from('/');

/**
 * Lists what is in the staging root after the rule has run; but for shared placeholders, which are as they were. Throws
 * a DiagnosticError on what can't be listed, and SharingEnded where one of those is not as it was.
 */
export async function walkStaging(staging: StagingRoot, view: View, pace: Pace): Promise<Found> {
  checkShared(staging.shared, view);
  const walker = new Walker(staging, view);
  return await walker.walk(pace);
}

class Walker {
  private readonly directories: FoundDirectory[] = [];
  private readonly leaves: FoundLeaf[] = [];
  private readonly linked = new Map<string, FoundLeaf>();
  private readonly pending: { directory: FoundDirectory; host: Buffer }[] = [];
  private entries = 0;

  constructor(
    private readonly staging: StagingRoot,
    private readonly view: View,
  ) {}

  async walk(pace: Pace): Promise<Found> {
    const top = Buffer.from(this.staging.folder);
    this.directory('/', '', undefined, top, statusOf(top));
    for (let next = this.pending.pop(); next !== undefined; next = this.pending.pop()) {
      const { directory, host } = next;
      for (const name of directory.names) {
        if (pace.due()) await pace.breathe();
        this.child(directory, name, Buffer.concat([host, SLASH, bytesOf(name)]));
      }
    }
    return { directories: this.directories, leaves: this.leaves };
  }

  private child(directory: FoundDirectory, name: ByteString, host: Buffer): void {
    const path = joinPath(directory.path, name);
    // The directory is the one of the base, and so this is what was laid out under that name.
    if (directory.lower !== undefined && this.staging.byPath.get(path)?.isShared === true) return;
    this.count();
    const status = statusOf(host);
    if (status.isDirectory()) this.directory(path, name, directory, host, status);
    else this.leaf({ name, path, directory }, host, status);
  }

  private directory(
    path: ByteString,
    name: ByteString,
    parent: FoundDirectory | undefined,
    host: Buffer,
    status: BigIntStats,
  ): void {
    if (host.length > DIRECTORY_PATH_MAX) throw tooDeep(path);
    const origin = this.originOf(status);
    const below = parent === undefined ? this.staging.base.root : parent.lower?.entries.get(name);
    const base = below?.type === 'directory' ? below : undefined;
    const isSame = base !== undefined && origin?.node === base;
    const directory: FoundDirectory = {
      path,
      name,
      parent,
      status,
      seen: this.view(status, origin),
      origin,
      lower: isSame ? base : undefined,
      isOpaque: base !== undefined && !isSame,
      names: new Set(namesIn(host, status)),
    };
    this.directories.push(directory);
    this.pending.push({ directory, host });
  }

  private leaf(name: FoundName, host: Buffer, status: BigIntStats): void {
    const identity = identityOf(status);
    const known = status.nlink > 1n ? this.linked.get(identity) : undefined;
    if (known !== undefined) {
      known.names.push(name);
      return;
    }
    const origin = this.originOf(status);
    // The directory was moved with it.
    if (origin?.isShared === true) throw new SharingEnded();
    const seen = this.view(status, origin);
    const target = status.isSymbolicLink() ? { target: targetOf(host) } : {};
    const leaf: FoundLeaf = { host, status, seen, origin, names: [name], ...target };
    this.leaves.push(leaf);
    if (status.nlink > 1n) this.linked.set(identity, leaf);
  }

  private originOf(status: BigIntStats): LaidOut | undefined {
    const origin = this.staging.byIdentity.get(identityOf(status));
    // A file of another kind can't be the same one.
    return origin !== undefined && (origin.modeOnDisk ^ status.mode) >> 12n === 0n ? origin : undefined;
  }

  private count(): void {
    this.entries += 1;
    if (this.entries <= this.staging.byPath.size + NEW_ENTRIES_MAX) return;
    throw hostError(
      `the make rule made more than ${NEW_ENTRIES_MAX} files`,
      'That is no installation: look at what it does.',
    );
  }
}

function tooDeep(path: ByteString): DiagnosticError {
  return hostError(
    `the make rule made directories that nest deeper than a path can say: ${textFromByteString(path.slice(0, 60))}…`,
    'That is no installation: look at what it does.',
  );
}

function statusOf(host: Buffer): BigIntStats {
  return readable(host, () => lstatSync(host, { bigint: true }));
}

function targetOf(host: Buffer): ByteString {
  return readable(host, () => byteString(readlinkSync(host, { encoding: 'buffer' })));
}

function namesIn(host: Buffer, status: BigIntStats): ByteString[] {
  const list = (): ByteString[] =>
    readdirSync(host, { encoding: 'buffer' })
      .map((name) => byteString(name))
      .sort();
  try {
    return list();
  } catch (cause) {
    if (systemErrorCode(cause) !== 'EACCES') throw readableHostError(cause, shown(host));
  }
  // Its mode is known already; this user owns it.
  return readable(host, () => {
    chmodSync(host, Number(status.mode & 0o777n) | 0o700);
    return list();
  });
}

function readable<T>(host: Buffer, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw readableHostError(cause, shown(host));
  }
}

function shown(host: Buffer): string {
  return textFromByteString(byteString(host));
}
