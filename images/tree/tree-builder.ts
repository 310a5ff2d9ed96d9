import type { ByteString } from '../bytes/byte-string.js';
import { componentsOf, faultOfName } from './name.js';
import type { Attributes, DirectoryNode, LeafNode, TreeNode } from './node.js';
import { type Fidelity, FULL_FIDELITY, Tree } from './tree.js';

interface MutableDirectory extends DirectoryNode {
  readonly entries: Map<ByteString, TreeNode>;
}

/** What a directory gets that nobody described: made only because something lies in it. */
export const IMPLIED_DIRECTORY: Attributes = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
};

/**
 * Makes a Tree, or a changed copy of one. Paths are absolute or relative to the root; a bad name or a path through
 * something that is no directory throws a RangeError, so callers check names from outside first (`faultOfName`).
 */
export class TreeBuilder {
  private root: MutableDirectory;
  private readonly fidelity: Fidelity;

  constructor(attributes: Attributes = IMPLIED_DIRECTORY, fidelity: Fidelity = FULL_FIDELITY) {
    this.root = { ...attributesOf(attributes), type: 'directory', entries: new Map() };
    this.fidelity = fidelity;
  }

  /** A builder that starts as a copy of `tree`; contents are shared, names are not. */
  static from(tree: Tree): TreeBuilder {
    const builder = new TreeBuilder(tree.root, tree.fidelity);
    const pending: { from: DirectoryNode; to: MutableDirectory }[] = [{ from: tree.root, to: builder.root }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const [name, child] of next.from.entries) {
        if (child.type === 'directory') {
          const copy = { ...child, entries: new Map<ByteString, TreeNode>() };
          next.to.entries.set(name, copy);
          pending.push({ from: child, to: copy });
        } else {
          next.to.entries.set(name, child);
        }
      }
    }
    return builder;
  }

  /** The node at a path, or undefined. Symbolic links are not followed. */
  get(path: ByteString): TreeNode | undefined {
    let node: TreeNode | undefined = this.root;
    for (const name of componentsOf(path)) {
      if (node?.type !== 'directory') return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  /** Makes a directory, or gives an existing one new attributes; its entries stay. Replaces anything else. */
  directory(path: ByteString, attributes: Attributes): void {
    const names = componentsOf(path);
    const name = names.pop();
    if (name === undefined) {
      this.root = { ...attributesOf(attributes), type: 'directory', entries: this.root.entries };
      return;
    }
    const parent = this.parentOf(names);
    const existing = parent.entries.get(name);
    const entries =
      existing?.type === 'directory'
        ? (existing as MutableDirectory).entries
        : new Map<ByteString, TreeNode>();
    setEntry(parent, name, { ...attributesOf(attributes), type: 'directory', entries } as MutableDirectory);
  }

  /** Puts a file, link, device, fifo or socket at a path; replaces whatever was there. Returns the node. */
  put<N extends LeafNode>(path: ByteString, node: N): N {
    const names = componentsOf(path);
    const name = names.pop();
    if (name === undefined) throw new RangeError('the root is a directory');
    setEntry(this.parentOf(names), name, node);
    return node;
  }

  /** Gives the file at `existing` the further name `path`. Throws a RangeError when there is none, or a directory. */
  link(path: ByteString, existing: ByteString): void {
    const node = this.get(existing);
    if (node === undefined || node.type === 'directory')
      throw new RangeError(`no file to link to at ${existing}`);
    this.put(path, node);
  }

  /** Removes what is at a path, with everything below it. Returns whether something was there. */
  remove(path: ByteString): boolean {
    const names = componentsOf(path);
    const name = names.pop();
    if (name === undefined) throw new RangeError('the root cannot be removed');
    const parent = this.get(names.join('/'));
    return parent?.type === 'directory' && (parent as MutableDirectory).entries.delete(name);
  }

  /** Replaces a node under each of its names, so that hard links stay together. */
  replace(node: LeafNode, replacement: LeafNode): void {
    const pending: MutableDirectory[] = [this.root];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const [name, child] of next.entries) {
        if (child === node) next.entries.set(name, replacement);
        else if (child.type === 'directory') pending.push(child as MutableDirectory);
      }
    }
  }

  /** The Tree. The builder must not be used after this. */
  build(fidelity: Fidelity = this.fidelity): Tree {
    return new Tree(this.root, fidelity);
  }

  private parentOf(names: readonly ByteString[]): MutableDirectory {
    let directory = this.root;
    for (const name of names) {
      const next = directory.entries.get(name);
      if (next === undefined) {
        const made: MutableDirectory = { ...IMPLIED_DIRECTORY, type: 'directory', entries: new Map() };
        setEntry(directory, name, made);
        directory = made;
      } else if (next.type === 'directory') {
        directory = next as MutableDirectory;
      } else {
        throw new RangeError(`${name} in the path is not a directory`);
      }
    }
    return directory;
  }
}

function setEntry(directory: MutableDirectory, name: ByteString, node: TreeNode): void {
  const fault = faultOfName(name);
  if (fault !== undefined) throw new RangeError(fault);
  directory.entries.set(name, node);
}

/** Only the attributes of something that may have more. */
export function attributesOf({ mode, uid, gid, mtime, xattrs }: Attributes): Attributes {
  return xattrs === undefined || xattrs.size === 0
    ? { mode, uid, gid, mtime }
    : { mode, uid, gid, mtime, xattrs };
}
