import { byteString } from '../bytes/byte-string.js';
import type { Filesystem, FilesystemEntry, FilesystemInode } from '../tree/filesystem.js';
import type { Attributes, FileNode, Timestamp } from '../tree/node.js';
import type { Fidelity } from '../tree/tree.js';
import { DINODE_BYTES } from './constants.js';
import { readDirectory } from './directory-reader.js';
import type { BaseDinode, DinodeBlock, GfsVolume } from './volume.js';

/** Reads a filesystem of the GFS line as names, attributes and references to contents. */
export abstract class GfsFilesystem<D extends BaseDinode, V extends GfsVolume<D>> implements Filesystem {
  abstract readonly format: string;
  abstract readonly fidelity: Fidelity;

  constructor(readonly image: V) {}

  /** Modification time as the dinode has it. */
  protected abstract timeOf(dinode: D): Timestamp;

  /** Extended attributes; undefined where there are none. */
  protected abstract xattrsOf(block: DinodeBlock<D>): Attributes['xattrs'];

  /** For a dinode that is of no known kind. */
  protected abstract unknownType(block: DinodeBlock<D>): Error;

  get name(): string {
    return this.image.name;
  }

  get root(): number {
    return this.image.rootAddress;
  }

  readInode(address: number): FilesystemInode {
    const block = this.image.readDinode(address, 'a directory');
    return { node: this.nodeOf(block), links: block.dinode.links };
  }

  readDirectory(address: number): FilesystemEntry[] {
    const directory = this.image.readDinode(address, 'a directory');
    if (this.image.typeOf(directory.dinode) !== 'directory')
      throw this.image.error(address, 'not a directory');
    return readDirectory(this.image, directory).map(({ name, inode }) => ({ name, inode: inode.address }));
  }

  close(): void {
    this.image.device.close();
  }

  private nodeOf(block: DinodeBlock<D>): FilesystemInode['node'] {
    const { dinode } = block;
    const type = this.image.typeOf(dinode);
    switch (type) {
      case undefined:
        throw this.unknownType(block);
      case 'file':
        return this.fileOf(block);
      case 'symlink':
        return { ...this.attributesOf(block), type, target: this.targetOf(block) };
      case 'block':
      case 'character':
        return { ...this.attributesOf(block), type, major: dinode.major, minor: dinode.minor };
      default:
        return { ...this.attributesOf(block), type };
    }
  }

  private attributesOf(block: DinodeBlock<D>): Attributes {
    const { dinode, address } = block;
    const mtime = this.timeOf(dinode);
    if (!Number.isFinite(mtime.seconds))
      throw this.image.error(address, 'a modification time beyond any calendar');
    const xattrs = this.xattrsOf(block);
    // In OpenGFS type bits do not belong here (§3.7), but an image that has them is still readable.
    const attributes = { mode: dinode.mode & 0o7777, uid: dinode.uid, gid: dinode.gid, mtime };
    return xattrs === undefined ? attributes : { ...attributes, xattrs };
  }

  private fileOf(block: DinodeBlock<D>): FileNode {
    const { dinode, address } = block;
    if (!Number.isFinite(dinode.size))
      throw this.image.error(address, 'a file size beyond what any disk holds');
    return {
      ...this.attributesOf(block),
      type: 'file',
      size: dinode.size,
      content: {
        kind: 'extents',
        source: this.image.device,
        // The dinode's block is read again when it is needed: thousands of them would fill the memory.
        extents: () => this.image.extents(this.image.readDinode(address, 'a directory')),
      },
    };
  }

  private targetOf({ dinode, address, block }: DinodeBlock<D>): string {
    const { size, height } = dinode;
    if (height !== 0 || size < 1 || size > this.image.geometry.stuffedBytes) {
      throw this.image.error(
        address,
        `a symbolic link of ${size} bytes and height ${height} (§4: it lies in its dinode's block)`,
      );
    }
    return byteString(block.subarray(DINODE_BYTES, DINODE_BYTES + size));
  }
}
