import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { type ByteString, bytesOf, textFromByteString } from '../bytes/byte-string.js';
import { readableHostError, systemErrorCode } from '../bytes/host-error.js';
import type { Pace } from '../bytes/pace.js';
import { DiagnosticError, hostError, imageError } from '../diagnostic.js';
import { piecesOf } from './content.js';
import { type HostTime, hostTimeOf, isFinerThanHost } from './host-time.js';
import { faultOfName } from './name.js';
import type {
  Attributes,
  DeviceNode,
  DirectoryNode,
  FileNode,
  LeafNode,
  SpecialNode,
  SymlinkNode,
  TreeNode,
} from './node.js';
import { Losses, type NotKept } from './not-kept.js';
import { joinPath, sortedNames } from './tree.js';
import { writeSparsely } from './write-sparsely.js';

export interface ExtractResult {
  /** Names made. */
  readonly entries: number;
  readonly notKept: readonly NotKept[];
}

export interface ExtractOptions {
  /**
   * Makes a device node, fifo or socket, for which Node has no call. Returns why it could not, or undefined. Without
   * it they are reported as not kept.
   */
  readonly makeSpecial?: (path: Buffer, node: DeviceNode | SpecialNode) => string | undefined;
}

const SLASH = Buffer.from('/');
/** To `chown` it means: leave it as it is. */
const NO_ID = 0xffff_ffff;
/** What Linux takes as a link's target: PATH_MAX less the NUL behind it. */
const TARGET_BYTES_MAX = 4095;
/** Every filesystem has the times from 1970 up to this one, in 2038. */
const EVERYWHERE_SECONDS_MAX = 2 ** 31 - 1;
/** Mode of a directory while it is being filled: whatever its own is, its owner must be able to. */
const FILLING_MODE = 0o700;

/**
 * Copies a file or a directory with all below it to `destination` on the host, which must not exist (an empty
 * directory will do for a directory): nothing of the user's is overwritten, and no symbolic link is followed below
 * it. Holes, links, modes and times (to the microsecond) are kept; owners and device nodes where the user may make
 * them; everything else is in the result. Throws a DiagnosticError on a damaged source, a name that would lead
 * elsewhere or a full disk, after removing what it made.
 */
export async function extractTree(
  node: TreeNode,
  destination: string,
  options: ExtractOptions,
  pace: Pace,
): Promise<ExtractResult> {
  const existing = checkDestination(destination, node);
  const extractor = new Extractor(Buffer.from(destination), existing, options, pace);
  try {
    await extractor.extract(node);
  } catch (cause) {
    const error = asDiagnostic(cause, destination + textFromByteString(extractor.current));
    if (extractor.undo()) throw error;
    const remark = { kind: 'host', message: 'what was made so far could not all be removed' } as const;
    throw new DiagnosticError([...error.diagnostics, { ...remark, location: { file: destination } }]);
  }
  return { entries: extractor.entries, notKept: extractor.notKept() };
}

function asDiagnostic(cause: unknown, name: string): DiagnosticError {
  return cause instanceof DiagnosticError ? cause : readableHostError(cause, name);
}

/** The destination's status when it is there already, as an empty directory. Throws when it can't be used. */
function checkDestination(destination: string, node: TreeNode): Stats | undefined {
  try {
    const status = lstatSync(destination);
    if (status.isDirectory() && node.type === 'directory' && readdirSync(destination).length === 0)
      return status;
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return undefined;
    throw readableHostError(cause, destination);
  }
  throw hostError('it exists already', 'Name a destination that does not exist, or an empty directory.', {
    file: destination,
  });
}

/** A directory that was made, and is to be given its attributes, or removed again. */
interface MadeDirectory {
  readonly node: DirectoryNode;
  readonly host: Buffer;
  readonly path: ByteString;
}

class Extractor {
  entries = 0;
  /** What is being made, for messages about failed calls. */
  current: ByteString = '';
  private readonly losses = new Losses();
  private readonly isRoot = process.geteuid?.() === 0;
  private readonly uid = process.geteuid?.() ?? 0;
  private readonly groups = new Set([process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])]);
  /** Where a file with several names was made at its first; null where it could not be made. */
  private readonly made = new Map<LeafNode, Buffer | null>();
  /** Parents before their children. */
  private readonly directories: MadeDirectory[] = [];
  private isTopLeafMade = false;

  constructor(
    private readonly top: Buffer,
    /** Of the top, when it was there before. */
    private readonly existing: Stats | undefined,
    private readonly options: ExtractOptions,
    private readonly pace: Pace,
  ) {}

  notKept(): NotKept[] {
    return this.losses.list();
  }

  async extract(node: TreeNode): Promise<void> {
    if (node.type !== 'directory') {
      await this.leaf(node, this.top, '/');
      return;
    }
    const pending: MadeDirectory[] = [{ node, host: this.top, path: '/' }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.pace.due()) await this.pace.breathe();
      this.current = next.path;
      this.makeDirectory(next);
      for (const name of sortedNames(next.node)) {
        checkName(name, next.path);
        const child = next.node.entries.get(name)!;
        const host = Buffer.concat([next.host, SLASH, bytesOf(name)]);
        const path = joinPath(next.path, name);
        if (child.type === 'directory') pending.push({ node: child, host, path });
        else await this.leaf(child, host, path);
      }
    }
    // Deepest first: making files changes a directory's time, and may need more than its mode allows.
    for (let index = this.directories.length - 1; index >= 0; index--) {
      if (this.pace.due()) await this.pace.breathe();
      this.finishDirectory(this.directories[index]!);
    }
  }

  /** Removes everything that was made. Returns whether all of it is gone. */
  undo(): boolean {
    const gone = [true];
    if (this.isTopLeafMade) gone.push(isRemoved(() => unlinkSync(this.top)));
    for (let index = this.directories.length - 1; index >= 0; index--) {
      const { node, host } = this.directories[index]!;
      const isExisting = this.existing !== undefined && index === 0;
      // It may have its own mode by now.
      if (!isExisting) gone.push(isRemoved(() => chmodSync(host, FILLING_MODE)));
      for (const [name, child] of node.entries) {
        if (child.type === 'directory' || faultOfName(name) !== undefined) continue;
        gone.push(isRemoved(() => unlinkSync(Buffer.concat([host, SLASH, bytesOf(name)]))));
      }
      gone.push(isRemoved(() => (isExisting ? this.restoreTop() : rmdirSync(host))));
    }
    return !gone.includes(false);
  }

  private restoreTop(): void {
    const { existing } = this;
    if (existing === undefined || !this.isOurs(existing)) return;
    lchownSync(this.top, existing.uid, existing.gid);
    chmodSync(this.top, existing.mode & 0o7777);
    utimesSync(this.top, existing.atimeMs / 1000, existing.mtimeMs / 1000);
  }

  private makeDirectory(directory: MadeDirectory): void {
    const { host } = directory;
    const isExisting = this.existing !== undefined && this.directories.length === 0;
    if (!isExisting) mkdirSync(host, FILLING_MODE);
    else if (this.isOurs(this.existing)) chmodSync(host, FILLING_MODE);
    this.directories.push(directory);
    this.entries += 1;
  }

  private finishDirectory({ node, host, path }: MadeDirectory): void {
    this.current = path;
    if (path === '/' && this.existing !== undefined && !this.isOurs(this.existing)) {
      this.losses.add(path, 'mode, owner and time', "the directory was there before and is somebody else's");
      return;
    }
    const owned = this.own(node, (uid, gid) => lchownSync(host, uid, gid));
    chmodSync(host, this.modeOf(node, owned, path));
    this.setTime(node, path, host, (time) => utimesSync(host, time, time));
    this.reportXattrs(node, path);
  }

  private isOurs({ uid }: Stats): boolean {
    return this.isRoot || uid === this.uid;
  }

  private async leaf(node: LeafNode, host: Buffer, path: ByteString): Promise<void> {
    if (this.pace.due()) await this.pace.breathe();
    this.current = path;
    const first = this.made.get(node);
    if (first === null) {
      this.losses.add(path, 'hard link', 'the file it links to could not be made');
      return;
    }
    if (first !== undefined) {
      linkSync(first, host);
      this.entries += 1;
      return;
    }
    const isMade = await this.makeLeaf(node, host, path);
    this.made.set(node, isMade ? host : null);
    if (!isMade) return;
    this.entries += 1;
    this.reportXattrs(node, path);
  }

  private async makeLeaf(node: LeafNode, host: Buffer, path: ByteString): Promise<boolean> {
    if (node.type === 'file') {
      await this.makeFile(node, host, path);
      return true;
    }
    const why = node.type === 'symlink' ? this.makeSymlink(node, host) : this.makeSpecial(node, host);
    if (why !== undefined) {
      this.losses.add(path, describe(node), why);
      return false;
    }
    this.noteMade(host);
    const owned = this.own(node, (uid, gid) => lchownSync(host, uid, gid));
    if (node.type !== 'symlink') chmodSync(host, this.modeOf(node, owned, path));
    this.setTime(node, path, host, (time) => lutimesSync(host, time, time));
    return true;
  }

  /** Returns why the link can't be made, or undefined when it is there. */
  private makeSymlink({ target }: SymlinkNode, host: Buffer): string | undefined {
    if (target === '') return 'its target is empty';
    if (target.includes('\0')) return 'there is a NUL byte in its target';
    if (target.length > TARGET_BYTES_MAX) return `its target has more than ${TARGET_BYTES_MAX} bytes`;
    symlinkSync(bytesOf(target), host);
    return undefined;
  }

  private makeSpecial(node: DeviceNode | SpecialNode, host: Buffer): string | undefined {
    return this.options.makeSpecial === undefined ? 'not asked for' : this.options.makeSpecial(host, node);
  }

  private async makeFile(node: FileNode, host: Buffer, path: ByteString): Promise<void> {
    if (!Number.isSafeInteger(node.size) || node.size < 0) {
      throw imageError({ path: textFromByteString(path) }, `${node.size} bytes are no size of a file`);
    }
    const descriptor = openSync(
      host,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      this.noteMade(host);
      ftruncateSync(descriptor, node.size);
      for (const piece of piecesOf(node.content, node.size)) {
        writeSparsely(descriptor, piece.bytes, piece.offset);
        if (this.pace.due()) await this.pace.breathe();
      }
      const owned = this.own(node, (uid, gid) => fchownSync(descriptor, uid, gid));
      fchmodSync(descriptor, this.modeOf(node, owned, path));
      this.setTime(node, path, host, (time) => futimesSync(descriptor, time, time));
    } finally {
      closeSync(descriptor);
    }
  }

  /** A file that was asked for alone is not in a directory that `undo` would clear. */
  private noteMade(host: Buffer): void {
    if (host === this.top) this.isTopLeafMade = true;
  }

  /** Gives a file to its owner where this user may. Returns whether it has owner and group as it should. */
  private own({ uid, gid }: Attributes, change: (uid: number, gid: number) => void): boolean {
    if (uid === NO_ID || gid === NO_ID) {
      this.losses.count('owners', `${NO_ID} is not a user or group that a file can be given to`);
      return false;
    }
    if (!this.isRoot && (uid !== this.uid || !this.groups.has(gid))) {
      this.losses.count('owners', 'only root may give files away');
      return false;
    }
    try {
      change(uid, gid);
      return true;
    } catch (cause) {
      this.losses.count('owners', systemErrorCode(cause) ?? 'refused');
      return false;
    }
  }

  /** A file that runs as its owner must not do so as somebody else. */
  private modeOf(node: Attributes, owned: boolean, path: ByteString): number {
    const special = node.mode & 0o6000;
    if (owned || special === 0) return node.mode;
    this.losses.add(path, 'setuid or setgid', 'the file belongs to another user than in the image');
    return node.mode & ~0o6000;
  }

  private setTime(
    { mtime }: Attributes,
    path: ByteString,
    host: Buffer,
    change: (time: HostTime) => void,
  ): void {
    const time = hostTimeOf(mtime);
    if (time !== undefined) change(time);
    // A filesystem puts the nearest time it has in the place of one that it has not, and says nothing.
    const isOdd = mtime.seconds < 0 || mtime.seconds > EVERYWHERE_SECONDS_MAX;
    if (time === undefined || (isOdd && secondsOf(host) !== mtime.seconds)) {
      this.losses.add(path, `time ${mtime.seconds}`, 'the filesystem of the destination has no such time');
    } else if (isFinerThanHost(mtime)) {
      this.losses.count('nanoseconds of the times', 'Node.js has no call for them');
    }
  }

  private reportXattrs(node: Attributes, path: ByteString): void {
    if (node.xattrs === undefined || node.xattrs.size === 0) return;
    this.losses.add(path, `${node.xattrs.size} extended attributes`, 'Node.js has no call for them');
  }
}

/** Names come from readers that check them; this is the place where one that slipped through would do harm. */
function checkName(name: ByteString, directory: ByteString): void {
  const fault = faultOfName(name);
  if (fault === undefined) return;
  throw imageError(
    { path: textFromByteString(directory) },
    `${fault} is in this directory: nothing of the kind is made`,
  );
}

/** Whether a removal did what it should: what is not there, or never could be, need not be removed. */
function isRemoved(remove: () => void): boolean {
  try {
    remove();
    return true;
  } catch (cause) {
    return ['ENOENT', 'ENAMETOOLONG'].includes(systemErrorCode(cause) ?? '');
  }
}

function secondsOf(host: Buffer): number {
  return Math.floor(Number(lstatSync(host, { bigint: true }).mtimeNs) / 1e9);
}

function describe(node: DeviceNode | SpecialNode | SymlinkNode): string {
  if (node.type === 'symlink') return 'symbolic link';
  return 'major' in node ? `${node.type} device ${node.major},${node.minor}` : node.type;
}
