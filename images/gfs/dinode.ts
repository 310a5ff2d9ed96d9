import { readInt64BE, readUint64BE, writeInt64BE } from '../bytes/integers.js';
import { type InodeNumber, readInodeNumber, writeInodeNumber } from './inode-number.js';
import { writeMetadataHeader } from './metadata-header.js';

/** The OpenGFS dinode (§3.7). Times are seconds since 1970; sizes are bytes; addresses are block numbers. */
export interface Dinode {
  readonly number: InodeNumber;
  /** Permission bits only; the file type is in `type`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly size: number;
  /** Blocks allocated, the dinode's own included. */
  readonly blocks: number;
  readonly accessTime: number;
  readonly modificationTime: number;
  readonly changeTime: number;
  readonly major: number;
  readonly minor: number;
  /** Address of the resource group's header; 0 in the inodes that mkfs makes. */
  readonly resourceGroup: number;
  readonly goalResourceGroup: number;
  readonly goalDataBlock: number;
  readonly goalMetadataBlock: number;
  readonly flags: number;
  readonly payloadFormat: number;
  /** A code of FileType. */
  readonly type: number;
  /** Levels of indirection; 0 means stuffed: the data follows the dinode in its block. */
  readonly height: number;
  readonly incarnation: number;
  /** log2 of the entries of a directory's hash table; 0 for a linear directory. */
  readonly depth: number;
  /** Live dirents of a directory, `.` and `..` included. */
  readonly entries: number;
  readonly nextUnused: InodeNumber;
  /** Block of the extended attributes; 0 for none. */
  readonly attributes: number;
}

const offsets = {
  number: 24,
  mode: 40,
  uid: 44,
  gid: 48,
  links: 52,
  size: 56,
  blocks: 64,
  accessTime: 72,
  modificationTime: 80,
  changeTime: 88,
  major: 96,
  minor: 100,
  resourceGroup: 104,
  goalResourceGroup: 112,
  goalDataBlock: 120,
  goalMetadataBlock: 124,
  flags: 128,
  payloadFormat: 132,
  type: 136,
  height: 138,
  incarnation: 140,
  depth: 146,
  entries: 148,
  nextUnused: 152,
  attributes: 168,
} as const;

/** Decodes the fields as they are; the caller has checked the block's header. */
export function decodeDinode(block: Buffer): Dinode {
  return {
    number: readInodeNumber(block, offsets.number),
    mode: block.readUInt32BE(offsets.mode),
    uid: block.readUInt32BE(offsets.uid),
    gid: block.readUInt32BE(offsets.gid),
    links: block.readUInt32BE(offsets.links),
    size: readUint64BE(block, offsets.size),
    blocks: readUint64BE(block, offsets.blocks),
    accessTime: readInt64BE(block, offsets.accessTime),
    modificationTime: readInt64BE(block, offsets.modificationTime),
    changeTime: readInt64BE(block, offsets.changeTime),
    major: block.readUInt32BE(offsets.major),
    minor: block.readUInt32BE(offsets.minor),
    resourceGroup: readUint64BE(block, offsets.resourceGroup),
    goalResourceGroup: readUint64BE(block, offsets.goalResourceGroup),
    goalDataBlock: block.readUInt32BE(offsets.goalDataBlock),
    goalMetadataBlock: block.readUInt32BE(offsets.goalMetadataBlock),
    flags: block.readUInt32BE(offsets.flags),
    payloadFormat: block.readUInt32BE(offsets.payloadFormat),
    type: block.readUInt16BE(offsets.type),
    height: block.readUInt16BE(offsets.height),
    incarnation: block.readUInt32BE(offsets.incarnation),
    depth: block.readUInt16BE(offsets.depth),
    entries: block.readUInt32BE(offsets.entries),
    nextUnused: readInodeNumber(block, offsets.nextUnused),
    attributes: readUint64BE(block, offsets.attributes),
  };
}

/** Writes header and dinode to the start of `block`; what follows the dinode is the caller's. */
export function encodeDinode(dinode: Dinode, block: Buffer): void {
  block.fill(0, 0, 232);
  writeMetadataHeader(block, 'dinode');
  writeInodeNumber(block, dinode.number, offsets.number);
  block.writeUInt32BE(dinode.mode, offsets.mode);
  block.writeUInt32BE(dinode.uid, offsets.uid);
  block.writeUInt32BE(dinode.gid, offsets.gid);
  block.writeUInt32BE(dinode.links, offsets.links);
  writeInt64BE(block, dinode.size, offsets.size);
  writeInt64BE(block, dinode.blocks, offsets.blocks);
  writeInt64BE(block, dinode.accessTime, offsets.accessTime);
  writeInt64BE(block, dinode.modificationTime, offsets.modificationTime);
  writeInt64BE(block, dinode.changeTime, offsets.changeTime);
  block.writeUInt32BE(dinode.major, offsets.major);
  block.writeUInt32BE(dinode.minor, offsets.minor);
  writeInt64BE(block, dinode.resourceGroup, offsets.resourceGroup);
  writeInt64BE(block, dinode.goalResourceGroup, offsets.goalResourceGroup);
  block.writeUInt32BE(dinode.goalDataBlock, offsets.goalDataBlock);
  block.writeUInt32BE(dinode.goalMetadataBlock, offsets.goalMetadataBlock);
  block.writeUInt32BE(dinode.flags, offsets.flags);
  block.writeUInt32BE(dinode.payloadFormat, offsets.payloadFormat);
  block.writeUInt16BE(dinode.type, offsets.type);
  block.writeUInt16BE(dinode.height, offsets.height);
  block.writeUInt32BE(dinode.incarnation, offsets.incarnation);
  block.writeUInt16BE(dinode.depth, offsets.depth);
  block.writeUInt32BE(dinode.entries, offsets.entries);
  writeInodeNumber(block, dinode.nextUnused, offsets.nextUnused);
  writeInt64BE(block, dinode.attributes, offsets.attributes);
}
