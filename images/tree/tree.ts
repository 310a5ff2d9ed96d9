import type { ByteString } from '../bytes/byte-string.js';
import { componentsOf } from './name.js';
import type { DirectoryNode, TreeNode } from './node.js';

/** What the format a Tree came from can hold: differences below that are not differences. */
export interface Fidelity {
  /** Times have nanoseconds. */
  readonly nanoseconds: boolean;
  /** Extended attributes are kept. */
  readonly xattrs: boolean;
}

export const FULL_FIDELITY: Fidelity = { nanoseconds: true, xattrs: true };

/** One name in a Tree. */
export interface TreeEntry {
  /** Absolute path, `/` for the root. */
  readonly path: ByteString;
  readonly node: TreeNode;
}

/**
 * A root directory as data: names, attributes, and references to contents that stay where they are. Immutable;
 * a TreeBuilder makes a changed copy. A node that stands under several names is one file with hard links.
 */
export class Tree {
  private counts: ReadonlyMap<TreeNode, number> | undefined;

  constructor(
    readonly root: DirectoryNode,
    readonly fidelity: Fidelity = FULL_FIDELITY,
  ) {}

  /** The node at a path, or undefined. Symbolic links are not followed. */
  get(path: ByteString): TreeNode | undefined {
    let node: TreeNode | undefined = this.root;
    for (const name of componentsOf(path)) {
      if (node?.type !== 'directory') return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  /** Every name once, the root first, children of a directory in byte order of their names, depth first. */
  *entries(): Generator<TreeEntry> {
    yield* entriesBelow(this.root, '/');
  }

  /** Every node but the root once, with the number of its names (directories: 1), in no particular order. */
  nodes(): ReadonlyMap<TreeNode, number> {
    this.counts ??= this.countNodes();
    return this.counts;
  }

  private countNodes(): ReadonlyMap<TreeNode, number> {
    const counts = new Map<TreeNode, number>();
    const pending: DirectoryNode[] = [this.root];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const child of next.entries.values()) {
        counts.set(child, (counts.get(child) ?? 0) + 1);
        if (child.type === 'directory') pending.push(child);
      }
    }
    return counts;
  }

  /** How many names each node has that is not a directory. */
  linkCounts(): ReadonlyMap<TreeNode, number> {
    return this.nodes();
  }
}

/** Names of a directory in byte order. */
export function sortedNames(directory: DirectoryNode): ByteString[] {
  return [...directory.entries.keys()].sort();
}

/** `name` inside the directory at `path`. */
export function joinPath(path: ByteString, name: ByteString): ByteString {
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

/** Walks `node` and everything below it, without recursion: a hostile image may nest deeper than any stack. */
export function* entriesBelow(node: TreeNode, path: ByteString): Generator<TreeEntry> {
  yield { path, node };
  if (node.type !== 'directory') return;
  const stack = [{ directory: node, path, names: sortedNames(node), next: 0 }];
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    const name = top.names[top.next++];
    if (name === undefined) {
      stack.pop();
      continue;
    }
    const child = top.directory.entries.get(name)!;
    const childPath = joinPath(top.path, name);
    yield { path: childPath, node: child };
    if (child.type === 'directory') {
      stack.push({ directory: child, path: childPath, names: sortedNames(child), next: 0 });
    }
  }
}

/** Number of child directories: a directory's link count is 2 more. */
export function countSubdirectories(directory: DirectoryNode): number {
  let count = 0;
  for (const child of directory.entries.values()) if (child.type === 'directory') count += 1;
  return count;
}
