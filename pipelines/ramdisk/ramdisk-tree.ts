import {
  type ByteString,
  byteStringFromText,
  bytesOf,
  textFromByteString,
} from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import type { Attributes, LeafNode, TreeNode } from '../../images/tree/node.js';
import { joinPath, Tree } from '../../images/tree/tree.js';
import { reasonOf } from '../configure/place.js';
import { emptyDirectory, RootEditor } from '../configure/root-editor.js';
import { nameOf } from '../configure/small-file.js';

/**
 * A ramdisk's root directory that is being put together. Symbolic links in it are followed up to the parent of what is
 * put, so that `/lib/x` lands in `/usr/lib` once `/lib` is a link to there. What is made here is root's and has the
 * time of the build; what is copied keeps its own attributes.
 */
export class RamdiskTree {
  private readonly editor: RootEditor;

  /** `epoch` is in seconds since 1970. */
  constructor(epoch: number) {
    this.editor = new RootEditor(new Tree(emptyDirectory({ seconds: epoch, nanoseconds: 0 })), epoch);
  }

  directory(path: string, mode = 0o755): void {
    this.put(byteStringFromText(path), { ...emptyDirectory(this.editor.mtime), mode });
  }

  /** A file with a text. */
  file(path: string, text: string, mode = 0o644): void {
    const bytes = bytesOf(byteStringFromText(text));
    const node: LeafNode = {
      ...this.attributes(mode),
      type: 'file',
      size: bytes.length,
      content: { kind: 'inline', bytes },
    };
    this.put(byteStringFromText(path), node);
  }

  link(path: string, target: ByteString): void {
    this.put(byteStringFromText(path), { ...this.attributes(0o777), type: 'symlink', target });
  }

  device(path: string, type: 'block' | 'character', major: number, minor: number, mode = 0o600): void {
    this.put(byteStringFromText(path), { ...this.attributes(mode), type, major, minor });
  }

  fifo(path: string): void {
    this.put(byteStringFromText(path), { ...this.attributes(0o600), type: 'fifo' });
  }

  /** Files of a root, under their own names. */
  entries(entries: ReadonlyMap<ByteString, LeafNode>): void {
    // The shortest first: links that others lie behind.
    for (const [path, node] of [...entries].sort(([a], [b]) => a.length - b.length)) this.put(path, node);
  }

  /** Puts anything at a path; folders on the way are made. */
  put(path: ByteString, node: TreeNode): void {
    const slash = path.lastIndexOf('/');
    const parent = this.editor.find(path.slice(0, slash) || '/', true);
    if (parent.kind === 'absent') this.editor.makeDirectories(parent.path);
    else if (parent.kind !== 'found' || parent.node.type !== 'directory') {
      const reason = parent.kind === 'found' ? `a ${nameOf(parent.node)} is in its way` : reasonOf(parent);
      throw imageError({ path: textFromByteString(path) }, `this can't be put into the ramdisk: ${reason}`);
    }
    this.editor.put(joinPath(parent.path, path.slice(slash + 1)), node);
  }

  /** The ramdisk's root. This must not be used after that. */
  build(): Tree {
    return this.editor.build();
  }

  private attributes(mode: number): Attributes {
    return { mode, uid: 0, gid: 0, mtime: this.editor.mtime };
  }
}
