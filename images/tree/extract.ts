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
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { type ByteString, bytesOf } from '../bytes/byte-string.js';
import { readableHostError, systemErrorCode } from '../bytes/host-error.js';
import type { Pace } from '../bytes/pace.js';
import { isZero } from '../bytes/zeros.js';
import { hostError } from '../diagnostic.js';
import { piecesOf } from './content.js';
import type {
  Attributes,
  DeviceNode,
  DirectoryNode,
  FileNode,
  LeafNode,
  SpecialNode,
  TreeNode,
} from './node.js';
import { joinPath, sortedNames } from './tree.js';

/** Something of the source that the host does not have now. */
export interface NotKept {
  readonly path: ByteString;
  readonly what: string;
  readonly why: string;
}

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
const HOLE_BYTES = 4096;
/** Mode of a directory while it is being filled: whatever its own is, its owner must be able to. */
const FILLING_MODE = 0o700;

/**
 * Copies a file or a directory with all below it to `destination` on the host, which must not exist (an empty
 * directory will do for a directory): nothing of the user's is overwritten, and no symbolic link is followed below
 * it. Holes, links, modes and times are kept; owners and device nodes where the user may make them; everything else
 * is in the result. Throws a DiagnosticError on a damaged source or a full disk, after removing what it made.
 */
export async function extractTree(
  node: TreeNode,
  destination: string,
  options: ExtractOptions,
  pace: Pace,
): Promise<ExtractResult> {
  const existed = checkDestination(destination, node);
  const extractor = new Extractor(Buffer.from(destination), options, pace);
  try {
    await extractor.extract(node);
  } catch (error) {
    removeMade(destination, existed);
    throw readableHostError(error, destination);
  }
  return { entries: extractor.entries, notKept: extractor.notKept };
}

/** Whether the destination exists already, as an empty directory. Throws when it can't be used. */
function checkDestination(destination: string, node: TreeNode): boolean {
  try {
    if (lstatSync(destination).isDirectory() && node.type === 'directory') {
      if (readdirSync(destination).length === 0) return true;
    }
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return false;
    throw readableHostError(cause, destination);
  }
  throw hostError('it exists already', 'Name a destination that does not exist, or an empty directory.', {
    file: destination,
  });
}

function removeMade(destination: string, existed: boolean): void {
  if (!existed) {
    rmSync(destination, { recursive: true, force: true });
    return;
  }
  for (const name of readdirSync(Buffer.from(destination), { encoding: 'buffer' })) {
    rmSync(Buffer.concat([Buffer.from(destination), SLASH, name]), { recursive: true, force: true });
  }
}

class Extractor {
  entries = 0;
  readonly notKept: NotKept[] = [];
  private readonly isRoot = process.getuid?.() === 0;
  private readonly uid = process.getuid?.() ?? 0;
  private readonly groups = new Set([process.getgid?.() ?? 0, ...(process.getgroups?.() ?? [])]);
  /** Where a file with several names was made at its first; null where it could not be made. */
  private readonly made = new Map<LeafNode, Buffer | null>();

  constructor(
    private readonly top: Buffer,
    private readonly options: ExtractOptions,
    private readonly pace: Pace,
  ) {}

  async extract(node: TreeNode): Promise<void> {
    if (node.type !== 'directory') {
      await this.leaf(node, this.top, '/');
      return;
    }
    // Attributes of a directory come after its content: making files changes its time, and may need its mode.
    const done: { node: DirectoryNode; host: Buffer; path: ByteString }[] = [];
    const pending = [{ node, host: this.top, path: '/' }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      this.makeDirectory(next.host);
      done.push(next);
      for (const name of sortedNames(next.node)) {
        const child = next.node.entries.get(name)!;
        const host = Buffer.concat([next.host, SLASH, bytesOf(name)]);
        const path = joinPath(next.path, name);
        if (child.type === 'directory') pending.push({ node: child, host, path });
        else await this.leaf(child, host, path);
      }
    }
    // Children stand behind their parents: backwards is deepest first.
    for (const { node: directory, host, path } of done.reverse()) this.finishDirectory(directory, host, path);
  }

  private makeDirectory(host: Buffer): void {
    this.entries += 1;
    try {
      mkdirSync(host, FILLING_MODE);
    } catch (cause) {
      // The top may be there, empty; anything else would be a link or a file in the way.
      if (systemErrorCode(cause) !== 'EEXIST' || !host.equals(this.top)) throw cause;
      chmodSync(host, FILLING_MODE);
    }
  }

  private finishDirectory(node: DirectoryNode, host: Buffer, path: ByteString): void {
    const owned = this.own(node, path, (uid, gid) => lchownSync(host, uid, gid));
    chmodSync(host, this.modeOf(node, owned, path));
    utimesSync(host, ...timesOf(node));
    this.reportXattrs(node, path);
  }

  private async leaf(node: LeafNode, host: Buffer, path: ByteString): Promise<void> {
    if (this.pace.due()) await this.pace.breathe();
    const first = this.made.get(node);
    if (first === null) {
      this.notKept.push({ path, what: 'hard link', why: 'the file it links to could not be made' });
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
    switch (node.type) {
      case 'file':
        await this.makeFile(node, host, path);
        return true;
      case 'symlink':
        symlinkSync(bytesOf(node.target), host);
        this.own(node, path, (uid, gid) => lchownSync(host, uid, gid));
        lutimesSync(host, ...timesOf(node));
        return true;
      default: {
        const why =
          this.options.makeSpecial?.(host, node) ??
          (this.options.makeSpecial === undefined ? 'not asked for' : undefined);
        if (why !== undefined) {
          this.notKept.push({ path, what: describe(node), why });
          return false;
        }
        const owned = this.own(node, path, (uid, gid) => lchownSync(host, uid, gid));
        chmodSync(host, this.modeOf(node, owned, path));
        lutimesSync(host, ...timesOf(node));
        return true;
      }
    }
  }

  private async makeFile(node: FileNode, host: Buffer, path: ByteString): Promise<void> {
    const descriptor = openSync(
      host,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      ftruncateSync(descriptor, node.size);
      for (const piece of piecesOf(node.content, node.size)) {
        writeSparsely(descriptor, piece.bytes, piece.offset);
        if (this.pace.due()) await this.pace.breathe();
      }
      const owned = this.own(node, path, (uid, gid) => fchownSync(descriptor, uid, gid));
      fchmodSync(descriptor, this.modeOf(node, owned, path));
      futimesSync(descriptor, ...timesOf(node));
    } finally {
      closeSync(descriptor);
    }
  }

  /** Gives a file to its owner where this user may. Returns whether it has owner and group as it should. */
  private own(node: Attributes, path: ByteString, change: (uid: number, gid: number) => void): boolean {
    if (this.isRoot) {
      try {
        change(node.uid, node.gid);
        return true;
      } catch (cause) {
        this.notKept.push({
          path,
          what: `owner ${node.uid}:${node.gid}`,
          why: systemErrorCode(cause) ?? 'refused',
        });
        return false;
      }
    }
    if (node.uid === this.uid && this.groups.has(node.gid)) {
      change(node.uid, node.gid);
      return true;
    }
    this.notKept.push({ path, what: `owner ${node.uid}:${node.gid}`, why: 'only root may give files away' });
    return false;
  }

  /** A file that runs as its owner must not do so as somebody else. */
  private modeOf(node: Attributes, owned: boolean, path: ByteString): number {
    const special = node.mode & 0o6000;
    if (owned || special === 0) return node.mode;
    this.notKept.push({
      path,
      what: 'setuid or setgid',
      why: 'the file belongs to another user than in the image',
    });
    return node.mode & ~0o6000;
  }

  private reportXattrs(node: Attributes, path: ByteString): void {
    if (node.xattrs === undefined || node.xattrs.size === 0) return;
    this.notKept.push({
      path,
      what: `${node.xattrs.size} extended attributes`,
      why: 'Node.js has no call for them',
    });
  }
}

function describe(node: DeviceNode | SpecialNode): string {
  return 'major' in node ? `${node.type} device ${node.major},${node.minor}` : node.type;
}

/** Access and modification time as the calls take them: seconds with a fraction. */
function timesOf({ mtime }: Attributes): [number, number] {
  const seconds = mtime.seconds + mtime.nanoseconds / 1e9;
  return [seconds, seconds];
}

/** Writes the parts of `bytes` that are not zero; the file was given its length before. */
function writeSparsely(descriptor: number, bytes: Uint8Array, offset: number): void {
  let position = 0;
  while (position < bytes.length) {
    let end = position;
    let data = false;
    // A run of data, or of zeros.
    do {
      const next = Math.min(bytes.length, end + HOLE_BYTES - ((offset + end) % HOLE_BYTES));
      const isData = !isZero(bytes.subarray(end, next));
      if (end > position && isData !== data) break;
      data = isData;
      end = next;
    } while (end < bytes.length);
    for (let done = position; data && done < end; ) {
      done += writeSync(descriptor, bytes, done, end - done, offset + done);
    }
    position = end;
  }
}
