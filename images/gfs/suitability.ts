import { type ByteString, textFromByteString } from '../bytes/byte-string.js';
import { imageError } from '../diagnostic.js';
import type { TreeNode } from '../tree/node.js';
import type { Tree } from '../tree/tree.js';
import { heightFor } from './block-tree.js';
import type { GfsVolume } from './volume.js';

/** Something of a Tree that the filesystem can't hold and that is left out. */
export interface Excluded {
  readonly path: string;
  readonly what: string;
}

/** What a dialect says about single files. */
export interface NodeLimits {
  /** Extended attributes that are left out. */
  unkept(node: TreeNode): readonly ByteString[];
  /** What of a file can't be stored and can't be left out. */
  fault(node: TreeNode): string | undefined;
  readonly hint: string;
}

/**
 * What of a Tree will be left out. Throws a DiagnosticError for what can't be left out: a symbolic link or a file
 * that is too long.
 */
export function excludedFrom(image: GfsVolume, tree: Tree, limits: NodeLimits): Excluded[] {
  const faultOf = (node: TreeNode): string | undefined => faultOfNode(image, node) ?? limits.fault(node);
  const remarkable = new Set<TreeNode>();
  for (const node of [tree.root, ...tree.nodes().keys()]) {
    if (limits.unkept(node).length > 0 || faultOf(node) !== undefined) remarkable.add(node);
  }
  const excluded: Excluded[] = [];
  if (remarkable.size === 0) return excluded;
  // Only now are paths needed.
  for (const { path, node } of tree.entries()) {
    if (!remarkable.delete(node)) continue;
    const fault = faultOf(node);
    if (fault !== undefined) {
      const location = { file: image.name, path: textFromByteString(path) };
      throw imageError(location, fault, limits.hint);
    }
    for (const name of limits.unkept(node)) {
      excluded.push({ path, what: `extended attribute ${textFromByteString(name)}` });
    }
  }
  return excluded;
}

function faultOfNode(image: GfsVolume, node: TreeNode): string | undefined {
  const { geometry } = image;
  if (node.type === 'symlink' && node.target.length >= geometry.stuffedBytes) {
    return `a symbolic link of ${node.target.length} bytes does not fit behind its dinode (at most ${geometry.stuffedBytes - 1})`;
  }
  if (node.type === 'file' && heightFor(geometry, node.size, false) === undefined) {
    return `a file of ${node.size} bytes is too large for blocks of ${geometry.blockSize} bytes`;
  }
  if (node.type === 'file' || node.type === 'symlink') return undefined;
  if (node.type === 'block' || node.type === 'character') {
    if (node.major > 0xffffffff || node.minor > 0xffffffff)
      return `device number ${node.major},${node.minor} is too large`;
  }
  return undefined;
}
