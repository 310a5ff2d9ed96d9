import { createHash } from 'node:crypto';
import { type ByteString, textFromByteString } from '../../images/bytes/byte-string.js';
import type { Pace } from '../../images/bytes/pace.js';
import { digestOf } from '../../images/tree/content.js';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import { listingObject } from '../../images/tree/listing.js';
import type { FileNode, LeafNode, TreeNode } from '../../images/tree/node.js';
import type { Tree } from '../../images/tree/tree.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';
import { fileState, type StatCache } from '../cache/stat-cache.js';

/** A directory of the user's as a stage sees it. */
export interface DirectoryInput {
  readonly tree: Tree;
  /** Digest of what counts of it. */
  readonly sha256: string;
  /** Bytes of all files. */
  readonly size: number;
  /** What shows whether anything of it changed, without reading what has not. */
  readonly state: string;
}

/**
 * Reads a directory. With `contents` only names, bytes, link targets and whether files are executable count: all else
 * depends on who checked it out and where. Such a tree belongs to root, with modes 0755 and 0644 and no times.
 */
export async function readDirectoryInput(
  path: string,
  what: 'contents' | 'all',
  statCache: StatCache,
  pace: Pace,
): Promise<DirectoryInput> {
  const found = await treeOfDirectory(path, pace);
  const tree = what === 'all' ? found : withoutOwnership(found);
  const links = tree.linkCounts();
  const firstPaths = new Map<TreeNode, ByteString>();
  const listing = createHash('sha256');
  const states = createHash('sha256');
  let size = 0;
  for (const { path: name, node } of tree.entries()) {
    if (pace.due()) await pace.breathe();
    const first = firstPaths.get(node);
    if (first !== undefined) {
      const line = { path: textFromByteString(name), link: textFromByteString(first) };
      listing.update(`${JSON.stringify(line)}\n`);
      continue;
    }
    const names = node.type === 'directory' ? 1 : (links.get(node) ?? 1);
    if (names > 1) firstPaths.set(node, name);
    let digest: string | undefined;
    if (node.type === 'file') {
      // The state comes first: a file that changes while it is read then has another one afterwards.
      if (node.content.kind === 'host-file') states.update(`${fileState(node.content.path)}\n`);
      digest = await digestOfNode(node, statCache, pace);
      size += node.size;
    }
    listing.update(`${JSON.stringify(listingObject(name, node, names, digest))}\n`);
  }
  const sha256 = listing.digest('hex');
  return { tree, sha256, size, state: `${sha256} ${states.digest('hex')}` };
}

async function digestOfNode(node: FileNode, statCache: StatCache, pace: Pace): Promise<string> {
  if (node.content.kind !== 'host-file') return digestOf(node.content, node.size, pace);
  return (await statCache.digest(node.content.path, pace)).sha256;
}

/**
 * A tree without what depends on who made it and when: it belongs to root, with modes 0755 and 0644, no times and no
 * hard links.
 */
export function withoutOwnership(tree: Tree): Tree {
  const builder = new TreeBuilder(plain(tree.root), { nanoseconds: false, xattrs: false });
  for (const { path, node } of tree.entries()) {
    if (node.type === 'directory') builder.directory(path, plain(node));
    else builder.put(path, withoutAttributes(node));
  }
  return builder.build();
}

/** A file of its own under each name: hard links come and go with the way it was copied. */
function withoutAttributes(node: LeafNode): LeafNode {
  const { xattrs: _xattrs, ...rest } = node;
  return { ...rest, ...plain(node) };
}

function plain(node: TreeNode) {
  const isExecutable = node.type === 'directory' || (node.mode & 0o100) !== 0;
  const mode = node.type === 'symlink' ? 0o777 : isExecutable ? 0o755 : 0o644;
  return { mode, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } };
}
