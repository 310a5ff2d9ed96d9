import {
  type BigIntStats,
  chmodSync,
  closeSync,
  fchmodSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
} from 'node:fs';
import { type ByteString, bytesOf, textFromByteString } from '../../images/bytes/byte-string.js';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import { piecesOf } from '../../images/tree/content.js';
import { hostTimeOf } from '../../images/tree/host-time.js';
import type { DirectoryNode, FileNode, LeafNode, TreeNode } from '../../images/tree/node.js';
import { joinPath, sortedNames, type Tree } from '../../images/tree/tree.js';
import { writeSparsely } from '../../images/tree/write-sparsely.js';
import { DIRECTORY_PATH_MAX } from './open-directories.js';
import { fakerootLine, identityOf, type Ownership } from './ownership.js';
import { type HostFile, SharedPlaceholders } from './shared-placeholders.js';

/**
 * How an entry of the base stands in the staging root. A `placeholder` has everything but its bytes: it can be
 * tested for, linked, moved, removed, replaced and given other attributes, but reading it fails.
 */
export type LaidOutAs = 'directory' | 'symlink' | 'contents' | 'placeholder';

export interface LaidOut {
  /** Where it was laid out first. */
  readonly path: ByteString;
  readonly node: TreeNode;
  readonly as: LaidOutAs;
  /** It is the same file on the disk as that of other files of the base. */
  readonly isShared: boolean;
  /** See `identityOf`. */
  readonly identity: string;
  /** Length on the disk. */
  readonly size: number;
  /** Mode on the disk, with the type. */
  readonly modeOnDisk: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export type StagingSummary = {
  readonly directories: number;
  readonly symlinks: number;
  readonly contents: number;
  /** Bytes of the files laid out with their contents. */
  readonly bytes: number;
  readonly placeholders: number;
  /** Entries that are not there: devices and files without contents where there is no fakeroot, paths too long. */
  readonly leftOut: number;
};

/** The base as the make rule finds it, and what it looked like before. */
export interface StagingRoot {
  readonly base: Tree;
  /** Path on the host. */
  readonly folder: string;
  readonly byPath: ReadonlyMap<ByteString, LaidOut>;
  readonly byIdentity: ReadonlyMap<string, LaidOut>;
  /** Paths on the host of the shared placeholders, one name of each. */
  readonly shared: ReadonlyMap<LaidOut, Buffer>;
  /** What fakeroot is told about every entry. */
  readonly fakerootLines: readonly string[];
  readonly summary: StagingSummary;
}

const SLASH = Buffer.from('/');
/** A placeholder is no longer than this, whatever a damaged image says: every filesystem has such files. */
const SIZE_MAX = 2 ** 40;
/** What Linux takes as a link's target: PATH_MAX less the NUL behind it. */
const TARGET_BYTES_MAX = 4095;

/**
 * Lays the base out below `folder`, an empty folder: names, attributes, links, and the bytes of the files in
 * `contents`. With fakeroot everything else is a placeholder; without it, it is not there. With `isSharing`, files of
 * data have placeholders in common. Throws a DiagnosticError when the disk is full or an image can't be read.
 */
export async function layOut(
  base: Tree,
  folder: string,
  contents: ReadonlySet<FileNode>,
  ownership: Ownership,
  isSharing: boolean,
  pace: Pace,
): Promise<StagingRoot> {
  const layer = new Layer(base, folder, contents, ownership, isSharing, pace);
  try {
    await layer.make();
  } catch (cause) {
    throw cause instanceof DiagnosticError
      ? cause
      : readableHostError(cause, folder + textFromByteString(layer.current));
  }
  return layer.result();
}

interface Made {
  readonly path: ByteString;
  readonly host: Buffer;
  readonly node: TreeNode;
  readonly as: LaidOutAs;
  /** Of everything but directories. */
  readonly file?: HostFile;
}

class Layer {
  /** What is being made, for messages about failed calls. */
  current: ByteString = '/';
  /** Directories before what is in them. */
  private readonly made: Made[] = [];
  private readonly byPath = new Map<ByteString, LaidOut>();
  private readonly byIdentity = new Map<string, LaidOut>();
  private readonly fakerootLines: string[] = [];
  private readonly linked = new Map<LeafNode, HostFile>();
  private readonly placeholders = new SharedPlaceholders();
  private readonly shared = new Map<LaidOut, Buffer>();
  private bytes = 0;
  private leftOut = 0;

  constructor(
    private readonly base: Tree,
    private readonly folder: string,
    private readonly contents: ReadonlySet<FileNode>,
    private readonly ownership: Ownership,
    private readonly isSharing: boolean,
    private readonly pace: Pace,
  ) {}

  result(): StagingRoot {
    const { base, folder, byPath, byIdentity, shared, fakerootLines, bytes, leftOut } = this;
    const count = (as: LaidOutAs): number => this.made.filter((entry) => entry.as === as).length;
    const summary = {
      directories: count('directory'),
      symlinks: count('symlink'),
      contents: count('contents'),
      bytes,
      placeholders: count('placeholder'),
      leftOut,
    };
    return { base, folder, byPath, byIdentity, shared, fakerootLines, summary };
  }

  async make(): Promise<void> {
    const pending: { node: DirectoryNode; path: ByteString; host: Buffer }[] = [];
    const enter = (node: DirectoryNode, path: ByteString, host: Buffer): void => {
      this.made.push({ path, host, node, as: 'directory' });
      pending.push({ node, path, host });
    };
    enter(this.base.root, '/', Buffer.from(this.folder));
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const name of sortedNames(next.node)) {
        if (this.pace.due()) await this.pace.breathe();
        const child = next.node.entries.get(name);
        const path = joinPath(next.path, name);
        const host = Buffer.concat([next.host, SLASH, bytesOf(name)]);
        if (child === undefined) continue;
        this.current = path;
        if (host.length > DIRECTORY_PATH_MAX) {
          this.leftOut += 1;
        } else if (child.type === 'directory') {
          mkdirSync(host, 0o700);
          enter(child, path, host);
        } else {
          await this.leaf(child, path, host);
        }
      }
    }
    await this.finish();
  }

  private async leaf(node: LeafNode, path: ByteString, host: Buffer): Promise<void> {
    const as = this.wayOf(node);
    if (as === undefined) {
      this.leftOut += 1;
      return;
    }
    const known = this.linked.get(node) ?? this.joined(node, path, as);
    if (known !== undefined) linkSync(known.host, host);
    else if (node.type === 'symlink') symlinkSync(bytesOf(node.target), host);
    else await this.file(node, host, as);
    const file = known ?? { host, stands: 1 };
    if (known === undefined && node.type === 'file' && as === 'placeholder')
      this.placeholders.offer(file, node, path);
    this.linked.set(node, file);
    this.made.push({ path, host, node, as, file });
  }

  /** A placeholder that is there already and can stand for this file too. */
  private joined(node: LeafNode, path: ByteString, as: LaidOutAs): HostFile | undefined {
    if (!this.isSharing || node.type !== 'file' || as !== 'placeholder') return undefined;
    return this.placeholders.join(node, path);
  }

  /** How to lay out something that is no directory; undefined when it can't be. */
  private wayOf(node: LeafNode): LaidOutAs | undefined {
    if (node.type === 'symlink') {
      const { target } = node;
      const isPossible = target !== '' && target.length <= TARGET_BYTES_MAX && !target.includes('\0');
      return isPossible ? 'symlink' : undefined;
    }
    if (node.type === 'file' && this.contents.has(node)) return 'contents';
    return this.ownership === 'fakeroot' ? 'placeholder' : undefined;
  }

  private async file(node: LeafNode, host: Buffer, as: LaidOutAs): Promise<void> {
    const descriptor = openSync(host, 'wx', 0o600);
    try {
      // As long as the file it stands for, all of it a hole.
      if (node.type === 'file') ftruncateSync(descriptor, Math.min(node.size, SIZE_MAX));
      if (node.type === 'file' && as === 'contents') {
        this.bytes += node.size;
        for (const piece of piecesOf(node.content, node.size)) {
          writeSparsely(descriptor, piece.bytes, piece.offset);
          if (this.pace.due()) await this.pace.breathe();
        }
      }
      if (this.ownership === 'fakeroot') fchmodSync(descriptor, modeOnDisk(node.mode, as));
    } finally {
      closeSync(descriptor);
    }
  }

  /** Gives everything its attributes, deepest first: making a file changes its directory's time. */
  private async finish(): Promise<void> {
    for (let index = this.made.length - 1; index >= 0; index--) {
      const entry = this.made[index];
      if (entry === undefined) continue;
      if (this.pace.due()) await this.pace.breathe();
      this.current = entry.path;
      if (!isFurtherName(entry)) this.setAttributes(entry);
    }
    for (const entry of this.made) {
      if (this.pace.due()) await this.pace.breathe();
      this.current = entry.path;
      this.note(entry);
    }
  }

  private setAttributes({ node, host }: Made): void {
    if (this.ownership === 'root') lchownSync(host, node.uid, node.gid);
    if (node.type === 'directory') {
      chmodSync(host, this.ownership === 'root' ? node.mode : node.mode | 0o700);
    } else if (node.type === 'file' && this.ownership !== 'fakeroot') {
      chmodSync(host, node.mode);
    }
    const time = hostTimeOf(node.mtime);
    if (time !== undefined) lutimesSync(host, time, time);
  }

  private note(entry: Made): void {
    const { path, node, host, file } = entry;
    const first = isFurtherName(entry) ? file?.laidOut : undefined;
    if (first !== undefined) {
      this.byPath.set(path, first.node === node ? first : { ...first, path, node });
      return;
    }
    const status = lstatSync(host, { bigint: true });
    const laidOut = laidOutOf(entry, status);
    this.byPath.set(path, laidOut);
    this.byIdentity.set(laidOut.identity, laidOut);
    if (file !== undefined) file.laidOut = laidOut;
    if (laidOut.isShared) this.shared.set(laidOut, host);
    if (this.ownership === 'fakeroot') this.fakerootLines.push(fakerootLine(status, node));
  }
}

/** Whether an entry is one more name of a file that was made before. */
function isFurtherName({ host, file }: Made): boolean {
  return file !== undefined && file.host !== host;
}

function laidOutOf({ path, node, as, file }: Made, status: BigIntStats): LaidOut {
  const { mtimeNs, ctimeNs, mode } = status;
  const [identity, size, isShared] = [identityOf(status), Number(status.size), (file?.stands ?? 1) > 1];
  return { path, node, as, isShared, identity, size, modeOnDisk: mode, mtimeNs, ctimeNs };
}

/**
 * The mode of a file whose own is what fakeroot pretends. Contents are open to their owner, who only seems to be
 * root; a placeholder is not, so that a rule that would read it fails instead of getting zeros.
 */
function modeOnDisk(mode: number, as: LaidOutAs): number {
  if (as === 'contents') return 0o600 | (mode & 0o777);
  return (mode & 0o111) === 0 ? 0o200 : 0o300;
}
