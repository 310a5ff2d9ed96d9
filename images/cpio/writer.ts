import { type ByteString, bytesOf, textFromByteString } from '../bytes/byte-string.js';
import type { Pace } from '../bytes/pace.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import { PIECE_BYTES, piecesOf } from '../tree/content.js';
import { type NodeType, sizeOf, type TreeNode } from '../tree/node.js';
import { Losses, type NotKept } from '../tree/not-kept.js';
import { countSubdirectories, type Tree } from '../tree/tree.js';

/** Where an archive goes, from front to back. */
export interface ByteStream {
  /** Takes the next bytes, which are valid until it returns, or until what it returns is fulfilled. */
  write(bytes: Uint8Array): void | Promise<void>;
}

export interface WriteCpioOptions {
  readonly pace: Pace;
  /** Seconds since 1970: later times become this one. Without it times stay as they are. */
  readonly epoch?: number;
  /** What messages call the archive. */
  readonly name?: string;
}

export interface WriteCpioSummary {
  /** Names in the archive, the root's own among them. */
  readonly members: number;
  /** Length of the archive. */
  readonly bytes: number;
  /** What of the Tree a cpio archive can't hold. */
  readonly notKept: readonly NotKept[];
}

const typeBits: Readonly<Record<NodeType, number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

const TRAILER = 'TRAILER!!!';
const UINT32_MAX = 2 ** 32 - 1;
/** Linux leaves out members whose name (with its NUL) or link target is longer than PATH_MAX, and says nothing. */
const PATH_MAX = 4096;
/** Archives end on a whole block, as those of GNU cpio do. */
const BLOCK_BYTES = 512;
/** Headers and small files are handed on together. */
const GATHERED_BYTES = 64 * 1024;

/**
 * Writes a Tree as a cpio archive in the form `newc`, which Linux unpacks as its initramfs (Documentation/
 * driver-api/early-userspace/buffer-format.rst). Inodes are numbered in the order of the names, which are sorted, so
 * equal Trees give equal bytes. The data of a file with several names comes with its last name, as in archives of GNU
 * cpio. Holes become zeros.
 *
 * Throws a DiagnosticError for what no such archive holds: files of 4 GiB and more, names and targets that Linux would
 * leave out.
 */
export async function writeCpio(
  stream: ByteStream,
  tree: Tree,
  options: WriteCpioOptions,
): Promise<WriteCpioSummary> {
  const writer = new CpioWriter(stream, tree, options);
  for (const { path, node } of tree.entries()) await writer.member(path, node);
  return writer.finish();
}

/** The nine fields of a header that are not always the same. */
interface HeaderFields {
  readonly inode: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly mtime: number;
  readonly size: number;
  readonly major: number;
  readonly minor: number;
}

/** Six digits that tell the form, then thirteen fields of eight hexadecimal digits, then the name with its NUL. */
function encodeHeader(fields: HeaderFields, name: ByteString): Buffer {
  const { inode, mode, uid, gid, links, mtime, size, major, minor } = fields;
  // The two fields after the size are the device that the file lay on; the last one is a checksum that newc has not.
  const values = [inode, mode, uid, gid, links, mtime, size, 0, 0, major, minor, name.length + 1, 0];
  const digits = values.map((value) => value.toString(16).padStart(8, '0')).join('');
  return bytesOf(`070701${digits}${name}\0`);
}

class CpioWriter {
  private readonly losses = new Losses();
  private readonly name: string;
  private readonly links: ReadonlyMap<TreeNode, number>;
  /** Inode number of each file with several names, and how many of its names are still to come. */
  private readonly linked = new Map<TreeNode, { readonly inode: number; left: number }>();
  private readonly gathered = Buffer.allocUnsafe(GATHERED_BYTES);
  private readonly piece = Buffer.allocUnsafe(PIECE_BYTES);
  private gatheredBytes = 0;
  private position = 0;
  private members = 0;
  private inodes = 0;

  constructor(
    private readonly stream: ByteStream,
    tree: Tree,
    private readonly options: WriteCpioOptions,
  ) {
    this.name = options.name ?? 'cpio';
    this.links = tree.linkCounts();
  }

  async member(path: ByteString, node: TreeNode): Promise<void> {
    const links = node.type === 'directory' ? 2 + countSubdirectories(node) : (this.links.get(node) ?? 1);
    const { inode, isLast } = this.inodeOf(node, links);
    const size = this.storedSize(path, node, isLast);
    const isDevice = node.type === 'block' || node.type === 'character';
    const header = encodeHeader(
      {
        inode,
        mode: typeBits[node.type] | node.mode,
        uid: node.uid,
        gid: node.gid,
        links,
        mtime: this.timeOf(node),
        size,
        major: isDevice ? node.major : 0,
        minor: isDevice ? node.minor : 0,
      },
      this.memberName(path),
    );
    if (node.xattrs !== undefined && node.xattrs.size > 0)
      this.losses.count('the extended attributes', 'a cpio archive holds none');
    await this.append(header);
    await this.pad(4);
    if (node.type === 'symlink') await this.append(bytesOf(node.target));
    else if (node.type === 'file' && size > 0) await this.contents(node.content, size);
    await this.pad(4);
    this.members += 1;
  }

  async finish(): Promise<WriteCpioSummary> {
    const fields = { inode: 0, mode: 0, uid: 0, gid: 0, links: 1, mtime: 0, size: 0, major: 0, minor: 0 };
    await this.append(encodeHeader(fields, TRAILER));
    await this.pad(BLOCK_BYTES);
    await this.flush();
    return { members: this.members, bytes: this.position, notKept: this.losses.list() };
  }

  /** The number of a node's inode, and whether this is the last of its names. */
  private inodeOf(node: TreeNode, links: number): { inode: number; isLast: boolean } {
    const known = this.linked.get(node);
    if (known !== undefined) {
      known.left -= 1;
      return { inode: known.inode, isLast: known.left === 0 };
    }
    this.inodes += 1;
    const shared = node.type !== 'directory' && links > 1;
    if (shared) this.linked.set(node, { inode: this.inodes, left: links - 1 });
    return { inode: this.inodes, isLast: !shared };
  }

  private storedSize(path: ByteString, node: TreeNode, isLast: boolean): number {
    if (node.type === 'directory') return 0;
    const size = sizeOf(node);
    if (node.type === 'symlink' && size > PATH_MAX)
      throw this.fail(path, `a symbolic link of ${size} bytes: Linux would leave it out of its initramfs`);
    if (size > UINT32_MAX)
      throw this.fail(path, `${size} bytes: a file in a cpio archive has less than 4 GiB`);
    return node.type === 'file' && !isLast ? 0 : size;
  }

  /** Relative, as in archives of `find . | cpio -o`. */
  private memberName(path: ByteString): ByteString {
    if (path === '/') return '.';
    const relative = path.slice(1);
    // A file that has the name of the archive's end.
    const name = relative === TRAILER ? `./${TRAILER}` : relative;
    if (name.length < PATH_MAX) return name;
    throw this.fail(path, `a path of ${name.length} bytes: Linux would leave it out of its initramfs`);
  }

  private timeOf({ mtime }: TreeNode): number {
    const { epoch } = this.options;
    const seconds = epoch === undefined ? mtime.seconds : Math.min(mtime.seconds, epoch);
    const stored = Math.min(Math.max(seconds, 0), UINT32_MAX);
    if (stored !== seconds) this.losses.count('the time', 'a cpio archive holds times from 1970 to 2106');
    else if (mtime.nanoseconds !== 0 && seconds === mtime.seconds)
      this.losses.count('the nanoseconds of the time', 'a cpio archive holds whole seconds');
    return stored;
  }

  private async contents(content: Parameters<typeof piecesOf>[0], size: number): Promise<void> {
    const start = this.position;
    for (const piece of piecesOf(content, size, this.piece)) {
      await this.zeros(start + piece.offset - this.position);
      await this.append(piece.bytes);
    }
    await this.zeros(start + size - this.position);
  }

  private async pad(alignment: number): Promise<void> {
    await this.zeros((alignment - (this.position % alignment)) % alignment);
  }

  private async zeros(length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      const count = Math.min(left, zeroPiece.length);
      await this.append(zeroPiece.subarray(0, count));
      left -= count;
    }
  }

  private async append(bytes: Uint8Array): Promise<void> {
    this.position += bytes.length;
    if (bytes.length > GATHERED_BYTES - this.gatheredBytes) await this.flush();
    if (bytes.length >= GATHERED_BYTES) {
      await this.stream.write(bytes);
    } else {
      this.gathered.set(bytes, this.gatheredBytes);
      this.gatheredBytes += bytes.length;
    }
    if (this.options.pace.due()) await this.options.pace.breathe();
  }

  private async flush(): Promise<void> {
    if (this.gatheredBytes === 0) return;
    const bytes = this.gathered.subarray(0, this.gatheredBytes);
    this.gatheredBytes = 0;
    await this.stream.write(bytes);
  }

  private fail(path: ByteString, message: string): DiagnosticError {
    return imageError({ file: this.name, path: textFromByteString(path) }, message);
  }
}

const zeroPiece = Buffer.alloc(GATHERED_BYTES);
