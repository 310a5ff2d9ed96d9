import type { ByteSource } from '../bytes/byte-source.js';
import { imageError } from '../diagnostic.js';
import type { Tree } from '../tree/tree.js';
import { Allocator } from './allocator.js';
import type { CommitBlock } from './commit.js';
import { FileType } from './constants.js';
import { encodeDinode } from './dinode.js';
import { GfsImage } from './image.js';
import type { InodeNumber } from './inode-number.js';
import { OPENGFS_QUOTA, quotaShape, writeQuota } from './quota-writer.js';
import { type Excluded, excludedFrom } from './suitability.js';
import type { PopulateTarget } from './target.js';
import type { InodeFormat, NewInode, TreeWriter } from './tree-writer.js';

/** How OpenGFS numbers and writes inodes (§3.2, §3.7); extended attributes have no known form. */
const openGfsInodes: InodeFormat = {
  numberAt: ({ address }) => ({ formal: address, address }),
  direntType: (type) => FileType[type],
  encode: encodeInode,
  writeAttributes: () => ({ address: 0, blocks: 0, flags: 0 }),
  leafFields: () => () => {},
};

function encodeInode(inode: NewInode, block: Buffer): void {
  const { node, number, place } = inode;
  const device = node.type === 'block' || node.type === 'character' ? node : { major: 0, minor: 0 };
  const resourceGroup = place?.group.address ?? 0;
  const goal = place === undefined ? 0 : place.address - place.group.firstData;
  encodeDinode(
    {
      number,
      mode: node.mode,
      uid: node.uid,
      gid: node.gid,
      links: inode.links,
      size: inode.size,
      blocks: inode.blocks,
      accessTime: node.mtime.seconds,
      modificationTime: node.mtime.seconds,
      changeTime: node.mtime.seconds,
      major: device.major,
      minor: device.minor,
      resourceGroup,
      goalResourceGroup: resourceGroup,
      goalDataBlock: goal,
      goalMetadataBlock: goal,
      flags: inode.flags,
      payloadFormat: inode.payloadFormat,
      type: FileType[node.type],
      height: inode.height,
      incarnation: 0,
      depth: inode.depth,
      entries: inode.entries,
      nextUnused: { formal: 0, address: 0 },
      attributes: inode.attributes,
    },
    block,
  );
}

/** An empty OpenGFS filesystem. */
export class OpenGfsTarget implements PopulateTarget {
  readonly image: GfsImage;
  readonly allocator: Allocator;
  readonly format = openGfsInodes;
  readonly remakeHint = 'Make the filesystem anew with mkfs_gfs.';

  constructor(source: ByteSource) {
    this.image = new GfsImage(source);
    this.allocator = new Allocator(this.image);
  }

  get root(): InodeNumber {
    const { address } = this.image.superblock.root;
    return { formal: address, address };
  }

  async checkEmpty(): Promise<void> {
    const { image, allocator } = this;
    const root = image.readDinode(image.rootAddress, 'the superblock').dinode;
    if (root.type === FileType.directory && root.entries === 2 && allocator.usedDinodes === 5) return;
    throw imageError(
      { file: image.name },
      `the filesystem is not empty: it has ${allocator.usedDinodes} inodes (5 when new)`,
      'Make a new one with mkfs_gfs.',
    );
  }

  /** Extended attributes are left out: the period's OpenGFS stores them in a form nobody could give us. */
  excluded(tree: Tree): Excluded[] {
    return excludedFrom(this.image, tree, {
      unkept: ({ xattrs }) => [...(xattrs?.keys() ?? [])],
      fault: () => undefined,
      hint: 'Larger blocks (mkfs_gfs -b) hold more.',
    });
  }

  extraBlocks(tree: Tree): number {
    const nodes = [tree.root, ...tree.nodes().keys()];
    return quotaShape(
      this.image.geometry,
      OPENGFS_QUOTA,
      nodes.map(({ uid }) => uid),
      nodes.map(({ gid }) => gid),
    ).blocks;
  }

  finish({ users, groups, blocks, rootBlock }: TreeWriter): CommitBlock[] {
    const { image } = this;
    const { geometry } = image;
    const quotaAddress = image.superblock.quota.address;
    const quota = image.readDinode(quotaAddress, 'the superblock');
    // What the filesystem's own inodes take belongs to user and group 0.
    const initial = this.initialUsage();
    const shape = quotaShape(geometry, OPENGFS_QUOTA, users.keys(), groups.keys());
    for (const usage of [users, groups]) usage.set(0, (usage.get(0) ?? 0) + initial + shape.blocks);
    const block = Buffer.alloc(geometry.blockSize);
    writeQuota(geometry, OPENGFS_QUOTA, shape, users, groups, block, blocks);
    encodeDinode(
      { ...quota.dinode, size: shape.size, height: shape.height, blocks: 1 + shape.blocks },
      block,
    );
    return [
      { address: quotaAddress, bytes: block },
      ...this.allocator.groupsToWrite(),
      { address: image.rootAddress, bytes: rootBlock },
    ];
  }

  private initialUsage(): number {
    const { journalIndex, resourceIndex, license, quota } = this.image.superblock;
    return [journalIndex, resourceIndex, license, quota]
      .map(({ address }) => this.image.readDinode(address, 'the superblock').dinode.blocks)
      .reduce((sum, blocks) => sum + blocks, 0);
  }
}
