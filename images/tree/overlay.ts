import type { ByteString } from '../bytes/byte-string.js';
import type { Attributes, DirectoryNode, TreeNode } from './node.js';
import { Tree } from './tree.js';
import { attributesOf } from './tree-builder.js';

/** Before a name in an upper layer: that name is gone (the form of OCI images and aufs). */
const WHITEOUT_PREFIX = '.wh.';
/** In a directory of an upper layer: nothing below shows through. */
const OPAQUE_MARKER = '.wh..wh..opq';
/** The attributes by which overlayfs says the same. */
const OPAQUE_ATTRIBUTES = ['trusted.overlay.opaque', 'user.overlay.opaque'];
const YES = 'y'.charCodeAt(0);

/** A directory that is being filled. */
interface Merged extends DirectoryNode {
  readonly entries: Map<ByteString, TreeNode>;
}

interface Merge {
  readonly lower: DirectoryNode | undefined;
  readonly upper: DirectoryNode;
  readonly result: Merged;
}

/**
 * Lays one Tree over another: files of `upper` win, directories are merged and have `upper`'s attributes. Whiteouts
 * remove what lies below: character devices 0,0 (overlayfs), `.wh.NAME` files and opaque directories. Hard links of
 * either Tree stay together as far as their names survive. Directories that `upper` does not touch are shared with
 * `base`, so it costs no more than what `upper` holds and the names beside that.
 */
export function overlay(base: Tree, upper: Tree): Tree {
  const root = emptyCopy(upper.root);
  const pending: Merge[] = [{ lower: base.root, upper: upper.root, result: root }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const below of mergeDirectory(next)) pending.push(below);
  }
  return new Tree(root, {
    nanoseconds: base.fidelity.nanoseconds && upper.fidelity.nanoseconds,
    xattrs: base.fidelity.xattrs && upper.fidelity.xattrs,
  });
}

/** Fills one directory. Returns the directories in it that are still to be filled. */
function* mergeDirectory({ lower, upper, result }: Merge): Generator<Merge> {
  const below = lower === undefined || isOpaque(upper) ? undefined : lower.entries;
  for (const [name, node] of below ?? []) {
    if (!upper.entries.has(WHITEOUT_PREFIX + name)) result.entries.set(name, node);
  }
  for (const [name, node] of upper.entries) {
    if (name.startsWith(WHITEOUT_PREFIX)) continue;
    if (isWhiteoutDevice(node)) {
      result.entries.delete(name);
    } else if (node.type === 'directory') {
      const under = result.entries.get(name);
      const child = emptyCopy(node);
      result.entries.set(name, child);
      yield { lower: under?.type === 'directory' ? under : undefined, upper: node, result: child };
    } else {
      result.entries.set(name, node);
    }
  }
}

function isWhiteoutDevice(node: TreeNode): boolean {
  return node.type === 'character' && node.major === 0 && node.minor === 0;
}

function isOpaque(directory: DirectoryNode): boolean {
  const marked = OPAQUE_ATTRIBUTES.some((name) => directory.xattrs?.get(name)?.[0] === YES);
  return marked || directory.entries.has(OPAQUE_MARKER);
}

/** The directory without its entries, and without the attributes that only steer the overlay. */
function emptyCopy(directory: DirectoryNode): Merged {
  return { ...withoutMarkers(attributesOf(directory)), type: 'directory', entries: new Map() };
}

function withoutMarkers(attributes: Attributes): Attributes {
  if (attributes.xattrs === undefined) return attributes;
  const xattrs = new Map([...attributes.xattrs].filter(([name]) => !OPAQUE_ATTRIBUTES.includes(name)));
  return attributesOf({ ...attributes, xattrs });
}
