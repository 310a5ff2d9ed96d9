import { byteStringFromText } from '../../images/bytes/byte-string.js';
import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import { readContent } from '../../images/tree/content.js';
import { lookUp } from '../../images/tree/lookup.js';
import type { FileNode, TreeNode } from '../../images/tree/node.js';
import { entriesBelow, type Tree } from '../../images/tree/tree.js';
import { TreeFilesystem } from '../../images/tree/tree-filesystem.js';

/** A text file of /etc is laid out with its bytes up to this size. */
const TEXT_BYTES_MAX = 256 * 1024;

/**
 * The files that are laid out with their bytes: the text files of /etc, which rules edit, and what `needs` names (a
 * file, a directory with all below it; symbolic links are followed inside the root). Throws a DiagnosticError when a
 * path of `needs` is not in the base.
 */
export async function filesWithContents(
  base: Tree,
  needs: readonly string[],
  pace: Pace,
): Promise<ReadonlySet<FileNode>> {
  const chosen = new Set<FileNode>();
  const etc = base.get('/etc');
  if (etc !== undefined) {
    for (const { node } of entriesBelow(etc, '/etc')) {
      if (pace.due()) await pace.breathe();
      if (node.type === 'file' && !chosen.has(node) && isText(node)) chosen.add(node);
    }
  }
  for (const need of needs) {
    const node = neededNode(base, need);
    for (const below of entriesBelow(node, '/')) {
      if (pace.due()) await pace.breathe();
      if (below.node.type === 'file') chosen.add(below.node);
    }
  }
  return chosen;
}

function isText(node: FileNode): boolean {
  return node.size <= TEXT_BYTES_MAX && !readContent(node.content, node.size).includes(0);
}

function neededNode(base: Tree, need: string): TreeNode {
  const node = nodeAt(base, byteStringFromText(need));
  if (node !== undefined) return node;
  throw new DiagnosticError({
    kind: 'recipe',
    message: `clusterTools.needs names ${need}, which is not in the base`,
    hint: 'List its folder in the base image with "ssi-image ls", and correct the path.',
  });
}

/** What a path leads to as a process rooted in the base would find it, or undefined. */
export function nodeAt(base: Tree, path: string): TreeNode | undefined {
  try {
    return base.get(lookUp(new TreeFilesystem(base, 'base', 'tree'), path, true).path);
  } catch (error) {
    if (error instanceof DiagnosticError) return undefined;
    throw error;
  }
}
