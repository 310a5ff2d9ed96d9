import { type ByteString, byteStringFromText, textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import type { DirectoryNode, LeafNode, Timestamp, TreeNode } from '../../images/tree/node.js';
import { joinPath, sortedNames } from '../../images/tree/tree.js';
import { attributesOf } from '../../images/tree/tree-builder.js';
import type { FileSettings } from '../recipe/recipe.js';
import type { ConfigureContext } from './context.js';
import { faultOfPath, reasonOf } from './place.js';
import type { RootEditor } from './root-editor.js';
import { nameOf } from './small-file.js';

/** Who owns what is laid into the root, and its time: neither the user who builds nor the time of a checkout. */
interface Ownership {
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
}

/**
 * Adds the recipe's files: texts, host files and directories with everything below (the HOWTO's `/root/dbdemo`).
 *
 * Symbolic links of the root are followed up to the parent, and to a directory that another directory is laid over,
 * so that `/lib/x` lands in `/usr/lib` where `/lib` is a link. A file that has the name of a link replaces the link:
 * writing through it could overwrite what many other links point to. A directory is laid over an existing one, which
 * keeps its owner and mode. A file where a directory is, or the other way round, is an error. Replacing a file with
 * several names leaves the other names as they are.
 */
export function addFiles(root: RootEditor, files: readonly FileSettings[], context: ConfigureContext): void {
  for (const file of files) {
    const target = byteStringFromText(file.to);
    const fault = faultOfPath(target);
    if (fault !== undefined) throw context.faultAt(file.at, `"${file.to}" is ${fault}`);
    const node = nodeFor(file, root, context);
    if (node.type === 'directory') {
      const to = root.find(target, true);
      const outcome = to.kind === 'found' ? 'merged' : 'added';
      const laid = new Laying(root);
      const path = laid.directory(target, node);
      root.note('files', path, outcome, { detail: `${laid.count} entries` });
    } else {
      const { path, replaced } = new Laying(root).leaf(target, node);
      root.note('files', path, replaced ? 'replaced' : 'added');
    }
  }
}

/** What a recipe's entry stands for, as it will be in the root. */
function nodeFor(file: FileSettings, root: RootEditor, context: ConfigureContext): TreeNode {
  const owner: Ownership = { uid: file.uid, gid: file.gid, mtime: root.mtime };
  if ('content' in file) {
    const bytes = Buffer.from(file.content, 'utf8');
    const mode = file.mode ?? 0o644;
    return { ...owner, type: 'file', mode, size: bytes.length, content: { kind: 'inline', bytes } };
  }
  const source = context.sources.get(file.source.location);
  if (source === undefined) throw context.faultAt(file.at, `${file.source.location} has not been read`);
  if (source.type === 'directory' && file.mode !== undefined) {
    throw context.faultAt(
      file.at,
      `a mode is for one file, and ${file.source.location} is a directory`,
      'Leave "mode" out: what is in the directory keeps its own modes.',
    );
  }
  const node = ownedCopy(source, owner);
  return file.mode === undefined ? node : { ...node, mode: file.mode };
}

/** A copy of a node, with everything below it, under another owner and time. Hard links stay together. */
export function ownedCopy(node: TreeNode, owner: Ownership): TreeNode {
  const copies = new Map<LeafNode, LeafNode>();
  const copyLeaf = (leaf: LeafNode): LeafNode => {
    const copy = copies.get(leaf) ?? { ...leaf, ...owner };
    copies.set(leaf, copy);
    return copy;
  };
  if (node.type !== 'directory') return copyLeaf(node);
  const top = {
    ...attributesOf(node),
    ...owner,
    type: 'directory' as const,
    entries: new Map<ByteString, TreeNode>(),
  };
  const pending: { from: DirectoryNode; to: Map<ByteString, TreeNode> }[] = [{ from: node, to: top.entries }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const name of sortedNames(next.from)) {
      const child = next.from.entries.get(name)!;
      if (child.type !== 'directory') {
        next.to.set(name, copyLeaf(child));
        continue;
      }
      const entries = new Map<ByteString, TreeNode>();
      next.to.set(name, { ...attributesOf(child), ...owner, type: 'directory', entries });
      pending.push({ from: child, to: entries });
    }
  }
  return top;
}

/** Lays files and directories into a root, and counts them. */
class Laying {
  /** Names that were put, directories that were there already not counted. */
  count = 0;

  constructor(private readonly root: RootEditor) {}

  /** Puts a file, link or device. Returns its real path. */
  leaf(path: ByteString, node: LeafNode): { path: ByteString; replaced: boolean } {
    const place = this.root.find(path);
    if (place.kind === 'dangling' || place.kind === 'obstructed') throw cannotAdd(path, reasonOf(place));
    if (place.kind === 'found' && place.node.type === 'directory') {
      throw cannotAdd(place.path, `a directory is there, and what is to be added is a ${nameOf(node)}`);
    }
    this.root.makeDirectories(parentOf(place.path));
    this.root.put(place.path, node);
    this.count += 1;
    return { path: place.path, replaced: place.kind === 'found' };
  }

  /** Lays a directory over what is there. Returns its real path. */
  directory(path: ByteString, node: DirectoryNode): ByteString {
    let top: ByteString | undefined;
    const pending = [{ path, node }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const here = this.one(next.path, next.node);
      top ??= here.path;
      if (here.whole) continue;
      for (const name of sortedNames(next.node)) {
        const child = next.node.entries.get(name)!;
        const childPath = joinPath(here.path, name);
        if (child.type === 'directory') pending.push({ path: childPath, node: child });
        else this.leaf(childPath, child);
      }
    }
    return top ?? path;
  }

  /** Puts a directory with all below it where nothing is (`whole`), or finds the one that its entries belong into. */
  private one(path: ByteString, node: DirectoryNode): { path: ByteString; whole: boolean } {
    const place = this.root.find(path, true);
    switch (place.kind) {
      case 'absent':
        this.root.makeDirectories(parentOf(place.path));
        this.root.put(place.path, node);
        this.count += namesBelow(node) + 1;
        return { path: place.path, whole: true };
      case 'found':
        if (place.node.type === 'directory') return { path: place.path, whole: false };
        throw cannotAdd(
          place.path,
          `a ${nameOf(place.node)} is there, and what is to be added is a directory`,
        );
      default:
        throw cannotAdd(path, reasonOf(place));
    }
  }
}

function namesBelow(directory: DirectoryNode): number {
  let count = 0;
  const pending = [directory];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    count += next.entries.size;
    for (const child of next.entries.values()) if (child.type === 'directory') pending.push(child);
  }
  return count;
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}

function cannotAdd(path: ByteString, reason: string) {
  return imageError(
    { path: textFromByteString(path) },
    `this can't be added: ${reason}`,
    'Choose another path, or remove what is there with "configure: {remove: [...]}".',
  );
}
