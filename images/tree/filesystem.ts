import type { ByteString } from '../bytes/byte-string.js';
import type { Attributes, LeafNode } from './node.js';
import type { Fidelity } from './tree.js';

/** A name in a directory of a filesystem, and the inode (GFS: the dinode's block) it stands for. */
export interface FilesystemEntry {
  readonly name: ByteString;
  readonly inode: number;
}

/** A directory's attributes: its entries are read by `readDirectory`. */
export interface FilesystemDirectory extends Attributes {
  readonly type: 'directory';
}

export interface FilesystemInode {
  readonly node: LeafNode | FilesystemDirectory;
  /** Link count as the image has it. */
  readonly links: number;
}

/**
 * A filesystem image that is read bit by bit, as it is asked for. `ls`, `cat` and `stat` read only what they show;
 * `treeOfFilesystem` reads all metadata into a Tree. Every method throws a DiagnosticError on damaged metadata.
 */
export interface Filesystem {
  /** `opengfs`, `ext2`, `ext3`, `ext4`, … */
  readonly format: string;
  /** The image, for messages. */
  readonly name: string;
  readonly fidelity: Fidelity;
  /** Inode number of the root directory. */
  readonly root: number;
  readInode(inode: number): FilesystemInode;
  /** The entries without `.` and `..`, in the order of the image; names are checked (`faultOfName`), and unique. */
  readDirectory(inode: number): FilesystemEntry[];
  close(): void;
}
