import { imageError } from '../diagnostic.js';
import type { Filesystem, FilesystemEntry, FilesystemInode } from './filesystem.js';
import type { TreeNode } from './node.js';
import { countSubdirectories, sortedNames, type Tree } from './tree.js';
import { attributesOf } from './tree-builder.js';

/** A Tree seen as a filesystem, so that archives and directories are looked into in the same way as images. */
export class TreeFilesystem implements Filesystem {
  readonly root = 0;
  private readonly nodes: TreeNode[] = [];
  private readonly numbers = new Map<TreeNode, number>();
  private links: ReadonlyMap<TreeNode, number> | undefined;

  /** `onClose` releases what the Tree's contents refer to. */
  constructor(
    readonly tree: Tree,
    readonly name: string,
    readonly format: string,
    private readonly onClose: () => void = () => {},
  ) {
    this.numberOf(tree.root);
  }

  get fidelity() {
    return this.tree.fidelity;
  }

  readInode(inode: number): FilesystemInode {
    const node = this.nodeAt(inode);
    if (node.type === 'directory') {
      return { node: { ...attributesOf(node), type: 'directory' }, links: 2 + countSubdirectories(node) };
    }
    this.links ??= this.tree.linkCounts();
    return { node, links: this.links.get(node) ?? 1 };
  }

  readDirectory(inode: number): FilesystemEntry[] {
    const node = this.nodeAt(inode);
    if (node.type !== 'directory') throw imageError({ file: this.name }, 'not a directory');
    return sortedNames(node).map((name) => ({ name, inode: this.numberOf(node.entries.get(name)!) }));
  }

  close(): void {
    this.onClose();
  }

  private nodeAt(inode: number): TreeNode {
    const node = this.nodes[inode];
    if (node === undefined) throw new RangeError(`no inode ${inode}`);
    return node;
  }

  private numberOf(node: TreeNode): number {
    const known = this.numbers.get(node);
    if (known !== undefined) return known;
    const number = this.nodes.push(node) - 1;
    this.numbers.set(node, number);
    return number;
  }
}
