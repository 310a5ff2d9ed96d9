import type { ByteSource } from '../bytes/byte-source.js';
import { byteString } from '../bytes/byte-string.js';
import type { Filesystem, FilesystemEntry, FilesystemInode } from '../tree/filesystem.js';
import type { Attributes, FileNode } from '../tree/node.js';
import { DINODE_BYTES, FileType, fileTypeName } from './constants.js';
import { readDirectory } from './directory-reader.js';
import { type DinodeBlock, GfsImage } from './image.js';

/** What an OpenGFS image keeps of a Tree: whole seconds, no extended attributes. */
export const OPENGFS_FIDELITY = { nanoseconds: false, xattrs: false } as const;

/** Reads an OpenGFS filesystem as names, attributes and references to contents. */
export class OpenGfsFilesystem implements Filesystem {
  readonly format = 'opengfs';
  readonly fidelity = OPENGFS_FIDELITY;
  readonly image: GfsImage;

  /** Throws a DiagnosticError when `device` (the filesystem's own, without a pool label) has no superblock. */
  constructor(device: ByteSource) {
    this.image = new GfsImage(device);
  }

  get name(): string {
    return this.image.name;
  }

  get root(): number {
    return this.image.superblock.root.address;
  }

  readInode(address: number): FilesystemInode {
    const block = this.image.readDinode(address, 'a directory');
    return { node: this.nodeOf(block), links: block.dinode.links };
  }

  readDirectory(address: number): FilesystemEntry[] {
    const directory = this.image.readDinode(address, 'a directory');
    if (directory.dinode.type !== FileType.directory) throw this.image.error(address, 'not a directory');
    return readDirectory(this.image, directory).map(({ name, inode }) => ({ name, inode: inode.address }));
  }

  close(): void {
    this.image.device.close();
  }

  private nodeOf(block: DinodeBlock): FilesystemInode['node'] {
    const { dinode, address } = block;
    const type = fileTypeName(dinode.type);
    switch (type) {
      case undefined:
        throw this.image.error(address, `a dinode of the unknown type ${dinode.type}`);
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

  private attributesOf({ dinode, address }: DinodeBlock): Attributes {
    const seconds = dinode.modificationTime;
    if (!Number.isFinite(seconds)) throw this.image.error(address, 'a modification time beyond any calendar');
    // Type bits do not belong here (§3.7), but an image that has them is still readable.
    return {
      mode: dinode.mode & 0o7777,
      uid: dinode.uid,
      gid: dinode.gid,
      mtime: { seconds, nanoseconds: 0 },
    };
  }

  private fileOf(block: DinodeBlock): FileNode {
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

  private targetOf({ dinode, address, block }: DinodeBlock): string {
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
