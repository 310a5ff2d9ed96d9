import { type ByteString, textFromByteString } from '../bytes/byte-string.js';
import type { Pace } from '../bytes/pace.js';
import { imageError } from '../diagnostic.js';
import type { Filesystem } from './filesystem.js';
import { PATH_BYTES_MAX } from './name.js';
import type { LeafNode, TreeNode } from './node.js';
import { joinPath, Tree } from './tree.js';

/**
 * Reads all names and attributes of a filesystem image into a Tree; contents stay in the image, which must stay
 * open. Throws a DiagnosticError on damage: a directory with two names (a cycle), a path longer than PATH_BYTES_MAX.
 */
export async function treeOfFilesystem(filesystem: Filesystem, pace: Pace): Promise<Tree> {
  const root = await readBelow(filesystem, filesystem.root, '/', pace);
  if (root.type !== 'directory') {
    throw imageError({ file: filesystem.name, path: '/' }, 'the root is not a directory');
  }
  return new Tree(root, filesystem.fidelity);
}

/** A file, or a directory with all below it, as `treeOfFilesystem` reads it. `path` is for messages. */
export async function readBelow(
  filesystem: Filesystem,
  start: number,
  path: ByteString,
  pace: Pace,
): Promise<TreeNode> {
  const { node: top } = filesystem.readInode(start);
  if (top.type !== 'directory') return top;
  const leaves = new Map<number, LeafNode>();
  const directories = new Set<number>([start]);
  const root = { ...top, entries: new Map<ByteString, TreeNode>() };
  const pending = [{ inode: start, path, entries: root.entries }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const { name, inode } of filesystem.readDirectory(next.inode)) {
      const childPath = joinPath(next.path, name);
      checkPath(filesystem, childPath);
      if (pace.due()) await pace.breathe();
      const known = leaves.get(inode);
      if (known !== undefined) {
        next.entries.set(name, known);
        continue;
      }
      const { node } = filesystem.readInode(inode);
      if (node.type !== 'directory') {
        leaves.set(inode, node);
        next.entries.set(name, node);
        continue;
      }
      if (directories.has(inode)) {
        throw imageError(
          { file: filesystem.name, path: textFromByteString(childPath) },
          `directory ${inode} has more than one name, or contains itself`,
          'The image is damaged: fsck it.',
        );
      }
      directories.add(inode);
      const entries = new Map<ByteString, TreeNode>();
      next.entries.set(name, { ...node, entries });
      pending.push({ inode, path: childPath, entries });
    }
  }
  return root;
}

/** Throws a DiagnosticError when directories nest deeper than any path reaches. */
function checkPath(filesystem: Filesystem, path: ByteString): void {
  if (path.length <= PATH_BYTES_MAX) return;
  throw imageError(
    { file: filesystem.name, path: `${textFromByteString(path.slice(0, 60))}…` },
    `directories nest deeper than paths of ${PATH_BYTES_MAX} bytes reach`,
  );
}
