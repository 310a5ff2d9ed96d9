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
  const leaves = new Map<number, LeafNode>();
  const directories = new Set<number>([filesystem.root]);
  const rootInode = filesystem.readInode(filesystem.root).node;
  if (rootInode.type !== 'directory')
    throw imageError({ file: filesystem.name, path: '/' }, 'the root is not a directory');
  const root = { ...rootInode, entries: new Map<ByteString, TreeNode>() };
  const pending = [{ inode: filesystem.root, path: '/', entries: root.entries }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const { name, inode } of filesystem.readDirectory(next.inode)) {
      const path = joinPath(next.path, name);
      if (path.length > PATH_BYTES_MAX) {
        throw imageError(
          { file: filesystem.name, path: `${textFromByteString(path.slice(0, 60))}…` },
          `directories nest deeper than paths of ${PATH_BYTES_MAX} bytes reach`,
        );
      }
      const known = leaves.get(inode);
      if (known !== undefined) {
        next.entries.set(name, known);
        continue;
      }
      if (pace.due()) await pace.breathe();
      const { node } = filesystem.readInode(inode);
      if (node.type !== 'directory') {
        leaves.set(inode, node);
        next.entries.set(name, node);
        continue;
      }
      if (directories.has(inode)) {
        throw imageError(
          { file: filesystem.name, path: textFromByteString(path) },
          `directory ${inode} has more than one name, or contains itself`,
          'The image is damaged: fsck it.',
        );
      }
      directories.add(inode);
      const entries = new Map<ByteString, TreeNode>();
      next.entries.set(name, { ...node, entries });
      pending.push({ inode, path, entries });
    }
  }
  return new Tree(root, filesystem.fidelity);
}
