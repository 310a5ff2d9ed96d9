import { type ByteString, textFromByteString } from '../../images/bytes/byte-string.js';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError, hostError } from '../../images/diagnostic.js';
import { EMPTY_CONTENT } from '../../images/tree/content.js';
import type {
  Attributes,
  DirectoryNode,
  FileNode,
  LeafNode,
  Timestamp,
  TreeNode,
} from '../../images/tree/node.js';
import { entriesBelow, joinPath, Tree } from '../../images/tree/tree.js';
import { attributesOf } from '../../images/tree/tree-builder.js';
import type { SeenAttributes, View } from './ownership.js';
import { fateOf, isHole, makeReadable } from './placeholder.js';
import type { LaidOut, StagingRoot } from './staging-root.js';
import { type FoundDirectory, type FoundLeaf, walkStaging } from './walk-staging.js';

/** More than this is not installed: a rule that makes a file of petabytes costs nothing, but packing it would. */
const TOTAL_BYTES_MAX = 64 * 1024 ** 3;
/** Names with which an overlay says that something is gone. */
const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_MARKER = '.wh..wh..opq';
const NANOSECONDS = 1_000_000_000n;

/** What tells the clock of the run from times that files brought with them. */
export interface RunTimes {
  /** When the rule started, in nanoseconds since 1970 by the clock of the staging root's filesystem. */
  readonly startNs: bigint;
  /** What stands for the time of the run, in seconds. */
  readonly epoch: number;
}

export interface Collected {
  readonly overlay: Tree;
  /** Names that were not in the base. */
  readonly added: number;
  /** Names that were in the base, as something else or with other attributes; without directories. */
  readonly changed: number;
  /** Names that are gone; what was below a directory is not counted. */
  readonly removed: number;
}

/**
 * What a make rule did to the staging root, as a Tree to lay over the base: files that are new or other than before,
 * whiteouts (character devices 0,0) for those that are gone, an opaque marker where a directory took another's
 * place. Times of the run become the epoch; older ones, which `cp -p` and the like bring, stay. Contents lie in the
 * staging root, or still where the base has them. Throws a DiagnosticError when the rule changed a placeholder in
 * place, or made what an overlay can't say; SharingEnded when it did anything to one that is shared.
 */
export async function collectOverlay(
  staging: StagingRoot,
  view: View,
  times: RunTimes,
  pace: Pace,
): Promise<Collected> {
  try {
    const { directories, leaves } = await walkStaging(staging, view, pace);
    const collector = new Collector(staging, times, pace);
    await collector.addLeaves(leaves);
    return collector.result(directories);
  } catch (cause) {
    throw cause instanceof DiagnosticError ? cause : readableHostError(cause, staging.folder);
  }
}

class Collector {
  private readonly entries = new Map<FoundDirectory, Map<ByteString, TreeNode>>();
  /** Lengths of placeholders whose mode was changed: from then on they could be read, as zeros. */
  private readonly readableSizes = new Map<number, ByteString>();
  private bytes = 0;
  private added = 0;
  private changed = 0;
  private removed = 0;

  constructor(
    private readonly staging: StagingRoot,
    private readonly times: RunTimes,
    private readonly pace: Pace,
  ) {}

  async addLeaves(leaves: readonly FoundLeaf[]): Promise<void> {
    for (const { origin, status } of leaves) {
      const isOpen = origin?.as === 'placeholder' && origin.modeOnDisk !== status.mode && origin.size > 0;
      if (isOpen) this.readableSizes.set(origin.size, origin.path);
    }
    for (const leaf of leaves) {
      if (this.pace.due()) await this.pace.breathe();
      const node = await this.nodeOf(leaf);
      const before = leaf.names.map(({ directory, name }) => directory.lower?.entries.get(name));
      // A file that has a new name is given all of them, so that they stay together.
      if (before.every((known) => known === node)) continue;
      if (node.type === 'character' && node.major === 0 && node.minor === 0)
        throw markFault(leaf.names[0]?.path);
      for (const [index, { directory, name, path }] of leaf.names.entries()) {
        this.put(directory, name, path, node);
        if (before[index] === undefined) this.added += 1;
        else if (before[index] !== node) this.changed += 1;
      }
    }
  }

  /** Everything put together, from the deepest directories up. */
  result(directories: readonly FoundDirectory[]): Collected {
    for (let index = directories.length - 1; index >= 0; index--) {
      const directory = directories[index];
      if (directory === undefined) continue;
      this.addWhiteouts(directory);
      this.checkMove(directory);
      const attributes = this.directoryAttributes(directory);
      const entries = this.entriesOf(directory);
      if (directory.isOpaque) entries.set(OPAQUE_MARKER, emptyFile(attributes));
      const node: DirectoryNode = { ...attributesOf(attributes), type: 'directory', entries };
      this.entries.delete(directory);
      const { parent, name, lower, path } = directory;
      if (parent === undefined) {
        const { added, changed, removed } = this;
        return { overlay: new Tree(node), added, changed, removed };
      }
      if (entries.size === 0 && attributes === lower) continue;
      this.put(parent, name, path, node);
      if (lower === undefined) this.added += 1;
    }
    throw new RangeError('the root was not found');
  }

  private entriesOf(directory: FoundDirectory): Map<ByteString, TreeNode> {
    const known = this.entries.get(directory) ?? new Map<ByteString, TreeNode>();
    this.entries.set(directory, known);
    return known;
  }

  private put(directory: FoundDirectory, name: ByteString, path: ByteString, node: TreeNode): void {
    if (name.startsWith(WHITEOUT_PREFIX)) throw markFault(path);
    this.entriesOf(directory).set(name, node);
  }

  private addWhiteouts(directory: FoundDirectory): void {
    for (const name of directory.lower?.entries.keys() ?? []) {
      const path = joinPath(directory.path, name);
      if (directory.names.has(name) || !this.staging.byPath.has(path)) continue;
      this.put(directory, name, path, { ...this.markAttributes(), type: 'character', major: 0, minor: 0 });
      this.removed += 1;
    }
  }

  /** A directory takes with it only what was laid out. */
  private checkMove({ origin, lower, path, parent }: FoundDirectory): void {
    const isMovedWithParent = parent?.origin !== undefined && parent.lower === undefined;
    if (origin === undefined || lower !== undefined || isMovedWithParent) return;
    for (const below of entriesBelow(origin.node, origin.path)) {
      if (this.staging.byPath.has(below.path)) continue;
      const [from, to] = [textFromByteString(origin.path), textFromByteString(path)];
      throw needsFault(`the make rule moved ${from} to ${to}, and not all of it was there`, origin.path);
    }
  }

  private directoryAttributes({ seen, status, origin, lower }: FoundDirectory): Attributes {
    const attributes = this.attributes(seen, status, origin);
    return lower !== undefined && isSame(attributes, lower) ? lower : attributes;
  }

  private attributes(
    { mode, uid, gid }: SeenAttributes,
    { mtimeNs }: { readonly mtimeNs: bigint },
    origin: LaidOut | undefined,
  ): Attributes {
    const mtime = origin?.mtimeNs === mtimeNs ? origin.node.mtime : this.timeOf(mtimeNs);
    const xattrs = origin?.node.xattrs;
    return { mode, uid, gid, mtime, ...(xattrs === undefined ? {} : { xattrs }) };
  }

  private timeOf(mtimeNs: bigint): Timestamp {
    if (mtimeNs >= this.times.startNs) return { seconds: this.times.epoch, nanoseconds: 0 };
    const nanoseconds = ((mtimeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
    return { seconds: Number((mtimeNs - nanoseconds) / NANOSECONDS), nanoseconds: Number(nanoseconds) };
  }

  private markAttributes(): Attributes {
    return { mode: 0, uid: 0, gid: 0, mtime: { seconds: this.times.epoch, nanoseconds: 0 } };
  }

  /** The file as it is now; the very node of the base when nothing about it has changed. */
  private async nodeOf(leaf: FoundLeaf): Promise<LeafNode> {
    const { seen, status, origin } = leaf;
    const attributes = this.attributes(seen, status, origin);
    const node = await this.withAttributes(leaf, attributes);
    const before = origin?.node;
    if (before === undefined || before.type === 'directory' || !isSame(attributes, before)) return node;
    return isSameFile(node, before) ? before : node;
  }

  private async withAttributes(leaf: FoundLeaf, attributes: Attributes): Promise<LeafNode> {
    const { type, major, minor } = leaf.seen;
    switch (type) {
      case 'symlink':
        return { ...attributes, type, target: leaf.target ?? '' };
      case 'character':
      case 'block':
        return { ...attributes, type, major, minor };
      case 'fifo':
      case 'socket':
        return { ...attributes, type };
      default:
        return await this.fileOf(leaf, attributes);
    }
  }

  private async fileOf(leaf: FoundLeaf, attributes: Attributes): Promise<FileNode> {
    const { host, status, origin } = leaf;
    const size = Number(status.size);
    const before = origin?.node.type === 'file' ? origin.node : undefined;
    if (origin !== undefined && before !== undefined && (await this.isUntouched(leaf, origin)))
      return { ...attributes, type: 'file', size: before.size, content: before.content };
    if (size === 0) return emptyFile(attributes);
    makeReadable(host, status);
    const placeholder = origin === undefined ? this.readableSizes.get(size) : undefined;
    if (placeholder !== undefined && (await isHole(host, size, status, this.pace)))
      throw needsFault(`the make rule copied ${textFromByteString(placeholder)}`, placeholder);
    this.bytes += size;
    if (this.bytes > TOTAL_BYTES_MAX) throw hostError('the make rule installed more than 64 GiB');
    return { ...attributes, type: 'file', size, content: { kind: 'host-file', path: host } };
  }

  private async isUntouched({ host, status }: FoundLeaf, origin: LaidOut): Promise<boolean> {
    if (origin.as !== 'placeholder') return status.ctimeNs === origin.ctimeNs;
    const fate = await fateOf(origin, host, status, this.pace);
    if (fate === 'unclear')
      throw needsFault(`the make rule changed ${textFromByteString(origin.path)} in place`, origin.path);
    return fate === 'untouched';
  }
}

function emptyFile(attributes: Attributes): FileNode {
  return { ...attributesOf(attributes), type: 'file', size: 0, content: EMPTY_CONTENT };
}

function isSame(a: Attributes, b: Attributes): boolean {
  const isSameTime = a.mtime.seconds === b.mtime.seconds && a.mtime.nanoseconds === b.mtime.nanoseconds;
  return isSameTime && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

/** Whether the two are one file, attributes apart. */
function isSameFile(a: LeafNode, b: LeafNode): boolean {
  if (a.type === 'file') return b.type === 'file' && a.content === b.content && a.size === b.size;
  if (a.type === 'symlink') return b.type === 'symlink' && a.target === b.target;
  if (!('major' in a)) return a.type === b.type;
  return 'major' in b && a.type === b.type && a.major === b.major && a.minor === b.minor;
}

function needsFault(message: string, path: ByteString): DiagnosticError {
  return hostError(
    `${message}: its contents are not laid out for it`,
    `Add this to the recipe: ${needsLine([textFromByteString(path)])}`,
  );
}

/** The recipe's lines that let a rule see files with their contents. */
export function needsLine(paths: readonly string[]): string {
  return `clusterTools: {needs: [${paths.map((path) => (/^[\w./+-]+$/.test(path) ? path : JSON.stringify(path))).join(', ')}]}`;
}

function markFault(path: ByteString | undefined): DiagnosticError {
  return hostError(
    `the make rule made ${textFromByteString(path ?? '')}, which in an overlay means that a file is gone`,
    'Devices 0,0 and names that begin with ".wh." can\'t be installed.',
  );
}
