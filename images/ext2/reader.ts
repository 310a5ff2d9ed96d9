import type { ByteSource } from '../bytes/byte-source.js';
import { byteString } from '../bytes/byte-string.js';
import { type Content, piecesOf } from '../tree/content.js';
import type { Filesystem, FilesystemEntry, FilesystemInode } from '../tree/filesystem.js';
import type { Attributes } from '../tree/node.js';
import { FULL_FIDELITY } from '../tree/tree.js';
import { ROOT_INODE } from './constants.js';
import { byteExtents } from './data-map.js';
import { DirectoryCollector } from './directory.js';
import { deviceOf, type Ext2Inode, hasExtents, hasInlineData, INODE_BLOCK_BYTES } from './inode.js';
import { type Ext2Superblock, formatName, isExt2 } from './superblock.js';
import { Ext2Volume } from './volume.js';
import { INLINE_DATA_ATTRIBUTE, readAttributes } from './xattr.js';

export { isExt2 };

/** Longest symbolic link target that Linux makes (PATH_MAX). */
const TARGET_BYTES_MAX = 4096;
/** An inline directory starts with its parent's inode number. */
const INLINE_PARENT_BYTES = 4;

/** Reads an ext2, ext3 or ext4 filesystem as names, attributes and references to contents. */
export class Ext2Filesystem implements Filesystem {
  readonly root = ROOT_INODE;
  readonly fidelity = FULL_FIDELITY;
  readonly superblock: Ext2Superblock;
  readonly format: 'ext2' | 'ext3' | 'ext4';
  private readonly volume: Ext2Volume;

  constructor(private readonly source: ByteSource) {
    this.volume = new Ext2Volume(source);
    this.superblock = this.volume.superblock;
    this.format = formatName(this.superblock);
  }

  get name(): string {
    return this.source.name;
  }

  readInode(number: number): FilesystemInode {
    const inode = this.volume.readInode(number);
    return { node: this.nodeOf(inode), links: inode.links };
  }

  readDirectory(number: number): FilesystemEntry[] {
    const inode = this.volume.readInode(number);
    if (inode.type !== 'directory') throw this.volume.inodeError(number, 'not a directory');
    const collector = new DirectoryCollector(this.volume, inode);
    if (hasInlineData(inode)) {
      collector.readArea(inode.block.subarray(INLINE_PARENT_BYTES), 'its inode');
      const more = readAttributes(this.volume, inode).get(INLINE_DATA_ATTRIBUTE);
      if (more !== undefined && more.length > 0) collector.readArea(more, 'its inline data');
      return collector.entries;
    }
    this.readDirectoryBlocks(inode, collector);
    return collector.entries;
  }

  close(): void {
    this.source.close();
  }

  private readDirectoryBlocks(inode: Ext2Inode, collector: DirectoryCollector): void {
    const { blockSize, blockCount } = this.superblock;
    if (inode.size % blockSize !== 0 || inode.size > blockCount * blockSize) {
      throw this.volume.inodeError(inode.number, `a directory of ${inode.size} bytes`);
    }
    for (const extent of byteExtents(this.volume, inode)) {
      for (let done = 0; done < extent.length; done += blockSize) {
        const block = (extent.position + done) / blockSize;
        collector.readArea(this.volume.readBlock(block), `block ${block}`);
      }
    }
  }

  private nodeOf(inode: Ext2Inode): FilesystemInode['node'] {
    const attributes = this.attributesOf(inode);
    switch (inode.type) {
      case undefined:
        throw this.volume.inodeError(inode.number, 'it has no file type: it is unused or damaged');
      case 'file':
        return { ...attributes, type: 'file', size: inode.size, content: this.contentOf(inode) };
      case 'symlink':
        return { ...attributes, type: 'symlink', target: this.targetOf(inode) };
      case 'block':
      case 'character':
        return { ...attributes, type: inode.type, ...deviceOf(inode) };
      default:
        return { ...attributes, type: inode.type };
    }
  }

  private attributesOf(inode: Ext2Inode): Attributes {
    const { mode, uid, gid, mtime } = inode;
    const xattrs = readAttributes(this.volume, inode);
    xattrs.delete(INLINE_DATA_ATTRIBUTE);
    return xattrs.size === 0 ? { mode, uid, gid, mtime } : { mode, uid, gid, mtime, xattrs };
  }

  private contentOf(inode: Ext2Inode): Content {
    if (hasInlineData(inode)) return { kind: 'inline', bytes: this.inlineData(inode) };
    const { number } = inode;
    // The inode is read again when its content is: a Tree of many files stays small.
    const extents = () => byteExtents(this.volume, this.volume.readInode(number));
    return { kind: 'extents', source: this.source, extents };
  }

  /**
   * Data in the inode: the first 60 bytes where the block map would be, the rest in an attribute. A file may be longer
   * (mke2fs -d leaves files that are all hole so); what is not there reads as zeros, as the kernel has it.
   */
  private inlineData(inode: Ext2Inode): Buffer {
    const more = readAttributes(this.volume, inode).get(INLINE_DATA_ATTRIBUTE) ?? Buffer.alloc(0);
    return Buffer.concat([inode.block, more]).subarray(
      0,
      Math.min(inode.size, INODE_BLOCK_BYTES + more.length),
    );
  }

  private targetOf(inode: Ext2Inode): string {
    const { size, number } = inode;
    if (size < 1 || size > TARGET_BYTES_MAX)
      throw this.volume.inodeError(number, `a symbolic link of ${size} bytes`);
    if (hasInlineData(inode)) {
      const target = this.inlineData(inode);
      if (target.length === size) return byteString(target);
      throw this.volume.inodeError(
        number,
        `a symbolic link of ${size} bytes, of which ${target.length} are there`,
      );
    }
    // A target that fits stands where the block map would be.
    if (size < INODE_BLOCK_BYTES && !hasExtents(inode)) return byteString(inode.block.subarray(0, size));
    const target = Buffer.alloc(size);
    const content = {
      kind: 'extents',
      source: this.source,
      extents: () => byteExtents(this.volume, inode),
    } as const;
    for (const piece of piecesOf(content, size)) target.set(piece.bytes, piece.offset);
    return byteString(target);
  }
}

/** Opens an ext2, ext3 or ext4 image. Throws a DiagnosticError when it is none, or uses features unknown here. */
export function openExt2(source: ByteSource): Ext2Filesystem {
  return new Ext2Filesystem(source);
}
