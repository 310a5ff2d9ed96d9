import type { ByteString } from '../../images/bytes/byte-string.js';
import type { Attributes, DirectoryNode, FileNode, TreeNode } from '../../images/tree/node.js';
import { Tree } from '../../images/tree/tree.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';

/** Attributes of an ordinary file of the user who runs the tests. */
export const plain: Attributes = {
  mode: 0o644,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  mtime: { seconds: 1_000_000_000, nanoseconds: 500 },
};

/** A file with its content in memory. */
export function text(content: string, attributes: Partial<Attributes> = {}): FileNode {
  const bytes = Buffer.from(content);
  return { ...plain, ...attributes, type: 'file', size: bytes.length, content: { kind: 'inline', bytes } };
}

/** A Tree of these files and directories, and of further names for some of them. */
export function treeWith(
  entries: Readonly<Record<string, TreeNode | 'directory'>>,
  links: Readonly<Record<string, string>> = {},
): Tree {
  const builder = new TreeBuilder({ ...plain, mode: 0o755 });
  for (const [path, node] of Object.entries(entries)) {
    if (node === 'directory') builder.directory(path, { ...plain, mode: 0o755 });
    else if (node.type === 'directory') builder.directory(path, node);
    else builder.put(path, node);
  }
  for (const [path, existing] of Object.entries(links)) builder.link(path, existing);
  return builder.build();
}

/** Directories in one another, so many below the root, with a file in the last. */
export function deepTree(depth: number): Tree {
  let node: DirectoryNode = directory([['file', text('x')]]);
  for (let level = 0; level < depth; level++) node = directory([['d', node]]);
  return new Tree(node);
}

/** A directory with any names, also such as no reader lets through. */
export function directory(entries: readonly [ByteString, TreeNode][]): DirectoryNode {
  return { ...plain, mode: 0o755, type: 'directory', entries: new Map(entries) };
}
