import type { ByteString } from '../bytes/byte-string.js';
import { faultOfName } from './name.js';
import type { DirectoryNode, TreeNode } from './node.js';
import { joinPath, type Tree } from './tree.js';
import { attributesOf, TreeBuilder } from './tree-builder.js';

/** Before a name in an upper layer: that name is gone (the form of OCI images and aufs). */
const WHITEOUT_PREFIX = '.wh.';
/** In a directory of an upper layer: nothing below shows through. */
const OPAQUE_MARKER = '.wh..wh..opq';
/** The attributes by which overlayfs says the same. */
const OPAQUE_ATTRIBUTES = ['trusted.overlay.opaque', 'user.overlay.opaque'];

/**
 * Lays one Tree over another: files of `upper` win, directories are merged and have `upper`'s attributes. Whiteouts
 * remove what lies below: character devices 0,0 (overlayfs), `.wh.NAME` files and opaque directories. Hard links of
 * either Tree stay together as far as their names survive.
 */
export function overlay(base: Tree, upper: Tree): Tree {
  const builder = TreeBuilder.from(base);
  const fidelity = {
    nanoseconds: base.fidelity.nanoseconds && upper.fidelity.nanoseconds,
    xattrs: base.fidelity.xattrs && upper.fidelity.xattrs,
  };
  const pending: { directory: DirectoryNode; path: ByteString }[] = [{ directory: upper.root, path: '/' }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { directory, path } = next;
    if (isOpaque(directory)) empty(builder, path);
    builder.directory(path, withoutMarkers(directory));
    // Removals first: a name that is whited out and present again stays.
    for (const name of directory.entries.keys()) {
      const gone = name.startsWith(WHITEOUT_PREFIX) ? name.slice(WHITEOUT_PREFIX.length) : undefined;
      // ".wh.." would name the directory itself.
      if (gone !== undefined && faultOfName(gone) === undefined) builder.remove(joinPath(path, gone));
    }
    for (const [name, node] of directory.entries) {
      const child = joinPath(path, name);
      if (name.startsWith(WHITEOUT_PREFIX)) continue;
      if (isWhiteoutDevice(node)) builder.remove(child);
      else if (node.type === 'directory') pending.push({ directory: node, path: child });
      else builder.put(child, node);
    }
  }
  return builder.build(fidelity);
}

function isWhiteoutDevice(node: TreeNode): boolean {
  return node.type === 'character' && node.major === 0 && node.minor === 0;
}

function isOpaque(directory: DirectoryNode): boolean {
  const marked = OPAQUE_ATTRIBUTES.some((name) => directory.xattrs?.get(name)?.[0] === 0x79);
  return marked || directory.entries.has(OPAQUE_MARKER);
}

function empty(builder: TreeBuilder, path: ByteString): void {
  const node = builder.get(path);
  if (node?.type !== 'directory') return;
  for (const name of [...node.entries.keys()]) builder.remove(joinPath(path, name));
}

/** A directory's attributes without those that only steer the overlay. */
function withoutMarkers(directory: DirectoryNode) {
  const attributes = attributesOf(directory);
  if (attributes.xattrs === undefined) return attributes;
  const xattrs = new Map([...attributes.xattrs].filter(([name]) => !OPAQUE_ATTRIBUTES.includes(name)));
  return attributesOf({ ...attributes, xattrs });
}
