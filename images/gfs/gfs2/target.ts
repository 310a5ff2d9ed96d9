import type { ByteSource } from '../../bytes/byte-source.js';
import { writeInt64BE } from '../../bytes/integers.js';
import type { Pace } from '../../bytes/pace.js';
import { imageError } from '../../diagnostic.js';
import type { DirectoryNode, NodeType } from '../../tree/node.js';
import type { Tree } from '../../tree/tree.js';
import { Allocator } from '../allocator.js';
import type { CommitBlock } from '../commit.js';
import { QUOTA_RECORD_BYTES } from '../constants.js';
import type { LeafFields } from '../directory-writer.js';
import type { InodeNumber } from '../inode-number.js';
import { type QuotaFormat, quotaShape, writeQuota } from '../quota-writer.js';
import { type Excluded, excludedFrom } from '../suitability.js';
import type { PopulateTarget } from '../target.js';
import type { InodeFormat, NewInode, TreeWriter } from '../tree-writer.js';
import { AttributeWriter } from './attribute-writer.js';
import { checkGfs2 } from './check/check.js';
import { direntTypes, OPEN_DIRENT_TYPE, TYPE_SHIFT } from './constants.js';
import { encodeGfs2Dinode } from './dinode.js';
import { Gfs2Image } from './image.js';
import { inodeNumberBlock, readNextInodeNumber, readStatfs, statfsBlock } from './statfs.js';
import { ownDinodes } from './system-files.js';

/** Blocks of the quota file are plain ones, and it has a record for every owner (docs/gfs2-format.md §6). */
const GFS2_QUOTA: QuotaFormat = { journaled: false, idMax: 0xffffffff };

/** Numbers go up to 2^53 here: so far below them is room for every inode that fits on a disk. */
const INODE_NUMBER_MAX = 2 ** 52;

/** An empty GFS2 filesystem. */
export class Gfs2Target implements PopulateTarget {
  readonly image: Gfs2Image;
  readonly allocator: Allocator;
  readonly format: InodeFormat;
  readonly remakeHint = 'Make the filesystem anew with mkfs.gfs2.';
  private readonly attributes: AttributeWriter;
  private readonly freeBefore: number;

  constructor(source: ByteSource) {
    this.image = new Gfs2Image(source);
    this.allocator = new Allocator(this.image);
    this.freeBefore = this.allocator.freeBlocks;
    this.attributes = new AttributeWriter(this.image.geometry, this.image.superblock.filesystemFormat);
    this.allocator.nextGeneration = readNextInodeNumber(this.image, this.image.systemFiles.inodeNumbers);
    const rootGeneration = this.image.readDinode(this.image.rootAddress, 'the superblock').dinode.generation;
    this.format = {
      // A kernel too makes the formal number of the generation.
      numberAt: ({ address, generation }) => ({ formal: generation, address }),
      direntType: writtenDirentType,
      encode: (inode, block) => encodeInode(inode, block, inode.place?.generation ?? rootGeneration),
      writeAttributes: (node, blocks) => this.attributes.write(node, blocks),
      leafFields,
    };
  }

  get root(): InodeNumber {
    return this.image.superblock.root;
  }

  async checkEmpty(pace: Pace): Promise<void> {
    const { image, allocator } = this;
    const { quota } = image.systemFiles;
    const root = image.readDinode(image.rootAddress, 'the superblock').dinode;
    const own = ownDinodes(image.systemFiles);
    const isEmptyRoot = image.typeOf(root) === 'directory' && root.entries === 2 && root.blocks === 1;
    if (!isEmptyRoot || allocator.usedDinodes !== own) {
      throw this.notNew(`it has ${allocator.usedDinodes} inodes (${own} when new)`);
    }
    const quotas = image.readDinode(quota, "the filesystem's own files").dinode;
    if (quotas.height !== 0 || quotas.size !== 2 * QUOTA_RECORD_BYTES || quotas.attributes !== 0)
      throw this.notNew('its quota file has grown');
    const next = allocator.nextGeneration;
    if (!Number.isSafeInteger(next) || next > INODE_NUMBER_MAX || next <= image.superblock.root.formal)
      throw this.notNew(`its next inode number is ${next}`);
    await this.checkSound(pace);
  }

  excluded(tree: Tree): Excluded[] {
    return excludedFrom(this.image, tree, {
      unkept: (node) => this.attributes.unkept(node),
      fault: (node) => this.attributes.fault(node),
      hint: 'Larger blocks (mkfs.gfs2 -b) hold more.',
    });
  }

  extraBlocks(tree: Tree): number {
    const nodes = [tree.root, ...tree.nodes().keys()];
    const quota = quotaShape(
      this.image.geometry,
      GFS2_QUOTA,
      nodes.map(({ uid }) => uid),
      nodes.map(({ gid }) => gid),
    );
    return nodes.reduce((sum, node) => sum + this.attributes.blocks(node), quota.blocks);
  }

  finish({ users, groups, blocks, rootBlock, inodes }: TreeWriter): CommitBlock[] {
    const { image, allocator } = this;
    const { geometry } = image;
    const files = image.systemFiles;
    const quota = image.readDinode(files.quota, "the filesystem's own files");
    const shape = quotaShape(geometry, GFS2_QUOTA, users.keys(), groups.keys());
    const quotaBlock = Buffer.alloc(geometry.blockSize);
    // The filesystem's own inodes belong to nobody.
    writeQuota(geometry, GFS2_QUOTA, shape, users, groups, quotaBlock, blocks);
    encodeGfs2Dinode(
      { ...quota.dinode, size: shape.size, height: shape.height, blocks: 1 + shape.blocks },
      quotaBlock,
    );
    const statfs = readStatfs(image, files.statfs);
    const statfsNow = {
      total: statfs.total,
      free: statfs.free - (this.freeBefore - allocator.freeBlocks),
      // The root was there.
      dinodes: statfs.dinodes + inodes - 1,
    };
    return [
      { address: files.quota, bytes: quotaBlock },
      { address: files.statfs, bytes: statfsBlock(image, files.statfs, statfsNow) },
      {
        address: files.inodeNumbers,
        bytes: inodeNumberBlock(image, files.inodeNumbers, allocator.nextGeneration),
      },
      ...allocator.groupsToWrite(),
      { address: image.rootAddress, bytes: rootBlock },
    ];
  }

  /**
   * With so little in it a check takes no time, and what is allocated must be free indeed. Nor may anything wait in a
   * journal: a kernel would write it over the new content.
   */
  private async checkSound(pace: Pace): Promise<void> {
    const { faults } = await checkGfs2(this.image.device, { pace, limit: 1 });
    const [fault] = faults;
    if (fault === undefined) return;
    const { message, block, path } = fault;
    throw imageError(
      {
        file: this.image.name,
        ...(block === undefined ? {} : { block }),
        ...(path === undefined ? {} : { path }),
      },
      `the filesystem is empty but damaged: ${message}`,
      'Make a new one with mkfs.gfs2.',
    );
  }

  private notNew(why: string) {
    return imageError(
      { file: this.image.name },
      `the filesystem is not empty: ${why}`,
      'Make a new one with mkfs.gfs2.',
    );
  }
}

/**
 * Linux (6.1 at least) reads a device's numbers only when it has to look at the dinode for the type: with the type in
 * the dirent it shows them as 0,0 (§5).
 */
function writtenDirentType(type: NodeType): number {
  return type === 'block' || type === 'character' ? OPEN_DIRENT_TYPE : direntTypes[type];
}

function encodeInode(inode: NewInode, block: Buffer, generation: number): void {
  const { node, number } = inode;
  const device = node.type === 'block' || node.type === 'character' ? node : { major: 0, minor: 0 };
  encodeGfs2Dinode(
    {
      number,
      mode: ((direntTypes[node.type] << TYPE_SHIFT) | node.mode) >>> 0,
      uid: node.uid,
      gid: node.gid,
      links: inode.links,
      size: inode.size,
      blocks: inode.blocks,
      accessTime: node.mtime,
      writeTime: node.mtime,
      modificationTime: node.mtime.seconds,
      changeTime: node.mtime,
      major: device.major,
      minor: device.minor,
      goalMetadata: inode.lastBlock,
      goalData: inode.lastBlock,
      generation,
      flags: inode.flags,
      payloadFormat: inode.payloadFormat,
      height: inode.height,
      depth: inode.depth,
      entries: inode.entries,
      attributes: inode.attributes,
    },
    block,
  );
}

/** A leaf says which directory it belongs to, how far it is from it, and when it was last changed (§5). */
function leafFields({ mtime }: DirectoryNode, address: number): LeafFields {
  return (block, position) => {
    writeInt64BE(block, address, 40);
    block.writeUInt32BE(position + 1, 48);
    block.writeUInt32BE(mtime.nanoseconds, 52);
    writeInt64BE(block, mtime.seconds, 56);
  };
}
