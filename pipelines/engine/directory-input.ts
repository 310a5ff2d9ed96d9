import type { Pace } from '../../images/bytes/pace.js';
import { digestOf } from '../../images/tree/content.js';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import { type ListingObject, listingObject } from '../../images/tree/listing.js';
import type { FileNode, LeafNode, TreeNode } from '../../images/tree/node.js';
import { Tree } from '../../images/tree/tree.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';
import { canonicalJson, type JsonValue, sha256 } from '../cache/canonical-json.js';
import { fileState, type StatCache } from '../cache/stat-cache.js';

/** A directory of the user's as a stage sees it. */
export interface DirectoryInput {
  readonly tree: Tree;
  /** Digest of what counts of it. */
  readonly sha256: string;
  /** Bytes of all files. */
  readonly size: number;
  /** What shows, without reading them, whether its files changed. */
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
  const lines: ListingObject[] = [];
  const state: string[] = [];
  let size = 0;
  for (const { path: name, node } of tree.entries()) {
    let digest: string | undefined;
    if (node.type === 'file') {
      digest = await digestOfNode(node, statCache, pace);
      size += node.size;
      if (node.content.kind === 'host-file') state.push(fileState(node.content.path) ?? '');
    }
    lines.push(listingObject(name, node, node.type === 'directory' ? 1 : (links.get(node) ?? 1), digest));
  }
  return {
    tree,
    sha256: sha256(canonicalJson(lines as unknown as JsonValue)),
    size,
    state: sha256(state.join('\n')),
  };
}

async function digestOfNode(node: FileNode, statCache: StatCache, pace: Pace): Promise<string> {
  if (node.content.kind !== 'host-file') return digestOf(node.content, node.size, pace);
  return (await statCache.digest(node.content.path, pace)).sha256;
}

function withoutOwnership(tree: Tree): Tree {
  const builder = new TreeBuilder(plain(tree.root), { nanoseconds: false, xattrs: false });
  const made = new Map<TreeNode, LeafNode>();
  for (const { path, node } of tree.entries()) {
    if (node.type === 'directory') {
      builder.directory(path, plain(node));
      continue;
    }
    const copy = made.get(node) ?? { ...node, ...plain(node) };
    made.set(node, copy);
    builder.put(path, copy);
  }
  return builder.build();
}

function plain(node: TreeNode) {
  const isExecutable = node.type === 'directory' || (node.mode & 0o100) !== 0;
  const mode = node.type === 'symlink' ? 0o777 : isExecutable ? 0o755 : 0o644;
  return { mode, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } };
}
