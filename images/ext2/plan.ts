import { createHash } from 'node:crypto';
import { type ByteString, textFromByteString } from '../bytes/byte-string.js';
import type { Pace } from '../bytes/pace.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import type { DirectoryNode, TreeNode } from '../tree/node.js';
import type { NotKept } from '../tree/not-kept.js';
import { countSubdirectories, entriesBelow, sortedNames, Tree } from '../tree/tree.js';
import { largestFile } from './block-map-writer.js';
import { ROOT_INODE } from './constants.js';
import { blockOfDevice, INODE_BLOCK_BYTES, storableTime } from './inode.js';
import { type Ext2Sizes, RESERVED_INODES } from './layout.js';
import { attributeBlock } from './xattr-block.js';

/** Where e2fsck puts what has lost its name: the first inode that is not reserved. */
const LOST_AND_FOUND = 'lost+found';
const LOST_AND_FOUND_INODE = RESERVED_INODES + 1;
/** Most names of a file, or subdirectories less two of a directory, that e2fsck accepts. */
const LINKS_MAX = 65_000;
/** Linux shares a block of attributes between no more inodes. */
export const ATTRIBUTE_REFERENCES_MAX = 1024;
/** From here on a file's length needs the feature `large_file`. */
const LARGE_FILE_BYTES = 2 ** 31;

/** What of a Tree is to be written, with its inode numbers, before anything is known about the image's size. */
export interface Ext2Plan {
  /** The Tree, with a directory `lost+found`. */
  readonly tree: Tree;
  /** Numbers of all inodes. Iterates in the order of the numbers, but for the root and `lost+found`, which come first. */
  readonly numbers: ReadonlyMap<TreeNode, number>;
  /** Numbers of the directories that directories are in. */
  readonly parents: ReadonlyMap<TreeNode, number>;
  /** How many inodes have attributes of this content: by its SHA-256, as `attributesKey` gives it. */
  readonly attributeUses: ReadonlyMap<string, number>;
  /** Inodes in use, with those that are the filesystem's own. */
  readonly inodes: number;
  /** Inode numbers of all directories. */
  readonly directories: Iterable<number>;
  readonly features: readonly string[];
  readonly notKept: readonly NotKept[];
}

/** What identifies a block of attributes. */
export function attributesKey(block: Buffer): string {
  return createHash('sha256').update(block).digest('base64');
}

/** A target shorter than this stands in the inode itself. */
export function isFastSymlink(target: ByteString): boolean {
  return target.length < INODE_BLOCK_BYTES;
}

/**
 * Numbers the inodes of a Tree in the order of a walk, so that what lies together by name lies together on the disk.
 * Throws a DiagnosticError for what no ext2 with these sizes holds: a link or a file that is too long, attributes that
 * need more than a block, a device number of more than 12 and 20 bits, `lost+found` as anything but a directory.
 */
export async function planExt2(
  sizes: Ext2Sizes,
  original: Tree,
  options: { readonly name: string; readonly epoch: number; readonly pace: Pace },
): Promise<Ext2Plan> {
  const tree = withLostAndFound(original, options);
  const planner = new Planner(sizes, tree, options.name);
  planner.addRoot(tree.root);
  for (const top of [LOST_AND_FOUND, ...sortedNames(tree.root).filter((name) => name !== LOST_AND_FOUND)]) {
    const child = tree.root.entries.get(top);
    if (child === undefined) continue;
    for (const { path, node } of entriesBelow(child, `/${top}`)) {
      planner.add(path, node);
      if (options.pace.due()) await options.pace.breathe();
    }
  }
  return planner.finish();
}

function withLostAndFound(tree: Tree, { name, epoch }: { name: string; epoch: number }): Tree {
  const existing = tree.root.entries.get(LOST_AND_FOUND);
  if (existing?.type === 'directory') return tree;
  if (existing !== undefined) {
    throw imageError(
      { file: name, path: `/${LOST_AND_FOUND}` },
      `a ${existing.type} stands where ext2 must have a directory`,
      'Remove or rename it.',
    );
  }
  const directory: DirectoryNode = {
    type: 'directory',
    mode: 0o700,
    uid: 0,
    gid: 0,
    mtime: { seconds: epoch, nanoseconds: 0 },
    entries: new Map(),
  };
  const entries = new Map<ByteString, TreeNode>(tree.root.entries).set(LOST_AND_FOUND, directory);
  return new Tree({ ...tree.root, entries }, tree.fidelity);
}

class Planner {
  private readonly numbers = new Map<TreeNode, number>();
  private readonly parents = new Map<TreeNode, number>();
  private readonly attributeUses = new Map<string, number>();
  private readonly directories: number[] = [];
  private readonly notKept: NotKept[] = [];
  private readonly links: ReadonlyMap<TreeNode, number>;
  private readonly largestFile: number;
  private next = LOST_AND_FOUND_INODE;
  private hasLargeFile = false;

  constructor(
    private readonly sizes: Ext2Sizes,
    private readonly tree: Tree,
    private readonly name: string,
  ) {
    this.links = tree.linkCounts();
    this.largestFile = largestFile(sizes.blockSize);
  }

  addRoot(root: DirectoryNode): void {
    this.parents.set(root, ROOT_INODE);
    this.examine('/', root, ROOT_INODE);
  }

  /** Gives a node its number at its first name. */
  add(path: ByteString, node: TreeNode): void {
    if (this.numbers.has(node)) return;
    this.examine(path, node, this.next++);
  }

  finish(): Ext2Plan {
    const features = ['filetype', 'sparse_super'];
    if (this.hasLargeFile) features.push('large_file');
    if (this.attributeUses.size > 0) features.push('ext_attr');
    const { tree, numbers, parents, attributeUses, directories, notKept } = this;
    return { tree, numbers, parents, attributeUses, inodes: this.next - 1, directories, features, notKept };
  }

  private examine(path: ByteString, node: TreeNode, number: number): void {
    const fault = this.faultOf(node);
    if (fault !== undefined) throw this.fail(path, ...fault);
    this.numbers.set(node, number);
    if (node.type === 'directory') {
      this.directories.push(number);
      for (const child of node.entries.values())
        if (child.type === 'directory') this.parents.set(child, number);
    }
    if (node.type === 'file' && node.size >= LARGE_FILE_BYTES) this.hasLargeFile = true;
    if (storableTime(node.mtime, this.sizes.inodeSize).seconds !== node.mtime.seconds) {
      const { inodeSize } = this.sizes;
      const last = inodeSize === 128 ? 2038 : 2446;
      this.notKept.push({
        path,
        what: `modification time ${node.mtime.seconds}`,
        why: `inodes of ${inodeSize} bytes hold times from 1901 to ${last}, and got the nearest`,
      });
    }
    this.addAttributes(path, node);
  }

  private addAttributes(path: ByteString, { xattrs }: TreeNode): void {
    if (xattrs === undefined) return;
    const { blockSize } = this.sizes;
    const stored = attributeBlock(xattrs, blockSize);
    if (typeof stored === 'number') {
      throw this.fail(
        path,
        `extended attributes that need ${stored} bytes don't fit in a block of ${blockSize}`,
        blockSize < 4096 ? 'Larger blocks hold more.' : 'Remove some of them.',
      );
    }
    for (const { name, why } of stored.notKept) {
      this.notKept.push({ path, what: `extended attribute ${textFromByteString(name)}`, why });
    }
    if (stored.block === undefined) return;
    const key = attributesKey(stored.block);
    this.attributeUses.set(key, (this.attributeUses.get(key) ?? 0) + 1);
  }

  /** What is wrong with a node, and what to do. */
  private faultOf(node: TreeNode): [message: string, hint?: string | undefined] | undefined {
    const { blockSize } = this.sizes;
    const links = node.type === 'directory' ? 2 + countSubdirectories(node) : (this.links.get(node) ?? 1);
    if (links > LINKS_MAX) {
      return [
        node.type === 'directory'
          ? `${links - 2} subdirectories in one directory (ext2: at most ${LINKS_MAX - 2})`
          : `a file with ${links} names (ext2: at most ${LINKS_MAX})`,
      ];
    }
    if (node.type === 'file' && node.size > this.largestFile) {
      const hint = blockSize < 4096 ? 'Larger blocks allow larger files.' : undefined;
      return [
        `a file of ${node.size} bytes (with blocks of ${blockSize}: at most ${this.largestFile})`,
        hint,
      ];
    }
    if (node.type === 'symlink') {
      if (node.target === '' || node.target.includes('\0'))
        return ['a symbolic link that is empty or has a NUL byte'];
      if (node.target.length >= blockSize) {
        return [
          `a symbolic link of ${node.target.length} bytes (with blocks of ${blockSize}: at most ${blockSize - 1})`,
          blockSize < 4096 ? 'Larger blocks hold longer ones.' : undefined,
        ];
      }
    }
    if ('major' in node && blockOfDevice(node.major, node.minor) === undefined) {
      return [`device number ${node.major},${node.minor} has more than 12 and 20 bits`];
    }
    return undefined;
  }

  private fail(path: ByteString, message: string, hint?: string): DiagnosticError {
    return imageError({ file: this.name, path: textFromByteString(path) }, message, hint);
  }
}
