import { readInt64BE, readUint64BE, writeInt64BE } from '../../bytes/integers.js';
import type { Timestamp } from '../../tree/node.js';
import { DINODE_BYTES } from '../constants.js';
import { readInodeNumber, writeInodeNumber } from '../inode-number.js';
import { writeMetadataHeader } from '../metadata-header.js';
import type { BaseDinode } from '../volume.js';

/** The GFS2 dinode (docs/gfs2-format.md §3.4). Sizes are bytes, addresses block numbers. */
export interface Gfs2Dinode extends BaseDinode {
  readonly accessTime: Timestamp;
  readonly writeTime: Timestamp;
  readonly changeTime: Timestamp;
  /** Where the next metadata and data block of this inode is looked for. */
  readonly goalMetadata: number;
  readonly goalData: number;
  /** Tells inodes that lay in the same block one after the other apart. */
  readonly generation: number;
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
  goalMetadata: 104,
  goalData: 112,
  generation: 120,
  flags: 128,
  payloadFormat: 132,
  height: 138,
  depth: 146,
  entries: 148,
  attributes: 168,
  accessNanoseconds: 176,
  modificationNanoseconds: 180,
  changeNanoseconds: 184,
} as const;

/** Decodes the fields as they are; the caller has checked the block's header. */
export function decodeGfs2Dinode(block: Buffer): Gfs2Dinode {
  const time = (seconds: number, nanoseconds: number): Timestamp => ({
    seconds: readInt64BE(block, seconds),
    nanoseconds: block.readUInt32BE(nanoseconds),
  });
  const writeTime = time(offsets.modificationTime, offsets.modificationNanoseconds);
  return {
    number: readInodeNumber(block, offsets.number),
    mode: block.readUInt32BE(offsets.mode),
    uid: block.readUInt32BE(offsets.uid),
    gid: block.readUInt32BE(offsets.gid),
    links: block.readUInt32BE(offsets.links),
    size: readUint64BE(block, offsets.size),
    blocks: readUint64BE(block, offsets.blocks),
    accessTime: time(offsets.accessTime, offsets.accessNanoseconds),
    writeTime,
    modificationTime: writeTime.seconds,
    changeTime: time(offsets.changeTime, offsets.changeNanoseconds),
    major: block.readUInt32BE(offsets.major),
    minor: block.readUInt32BE(offsets.minor),
    goalMetadata: readUint64BE(block, offsets.goalMetadata),
    goalData: readUint64BE(block, offsets.goalData),
    generation: readUint64BE(block, offsets.generation),
    flags: block.readUInt32BE(offsets.flags),
    payloadFormat: block.readUInt32BE(offsets.payloadFormat),
    height: block.readUInt16BE(offsets.height),
    depth: block.readUInt16BE(offsets.depth),
    entries: block.readUInt32BE(offsets.entries),
    attributes: readUint64BE(block, offsets.attributes),
  };
}

/** Writes header and dinode to the start of `block`; what follows the dinode is the caller's. */
export function encodeGfs2Dinode(dinode: Gfs2Dinode, block: Buffer): void {
  block.fill(0, 0, DINODE_BYTES);
  writeMetadataHeader(block, 'dinode');
  writeInodeNumber(block, dinode.number, offsets.number);
  block.writeUInt32BE(dinode.mode, offsets.mode);
  block.writeUInt32BE(dinode.uid, offsets.uid);
  block.writeUInt32BE(dinode.gid, offsets.gid);
  block.writeUInt32BE(dinode.links, offsets.links);
  writeInt64BE(block, dinode.size, offsets.size);
  writeInt64BE(block, dinode.blocks, offsets.blocks);
  writeInt64BE(block, dinode.accessTime.seconds, offsets.accessTime);
  writeInt64BE(block, dinode.writeTime.seconds, offsets.modificationTime);
  writeInt64BE(block, dinode.changeTime.seconds, offsets.changeTime);
  block.writeUInt32BE(dinode.major, offsets.major);
  block.writeUInt32BE(dinode.minor, offsets.minor);
  writeInt64BE(block, dinode.goalMetadata, offsets.goalMetadata);
  writeInt64BE(block, dinode.goalData, offsets.goalData);
  writeInt64BE(block, dinode.generation, offsets.generation);
  block.writeUInt32BE(dinode.flags, offsets.flags);
  block.writeUInt32BE(dinode.payloadFormat, offsets.payloadFormat);
  block.writeUInt16BE(dinode.height, offsets.height);
  block.writeUInt16BE(dinode.depth, offsets.depth);
  block.writeUInt32BE(dinode.entries, offsets.entries);
  writeInt64BE(block, dinode.attributes, offsets.attributes);
  block.writeUInt32BE(dinode.accessTime.nanoseconds, offsets.accessNanoseconds);
  block.writeUInt32BE(dinode.writeTime.nanoseconds, offsets.modificationNanoseconds);
  block.writeUInt32BE(dinode.changeTime.nanoseconds, offsets.changeNanoseconds);
}

/** Sets all three times of the dinode in a block. */
export function setDinodeTimes(block: Buffer, { seconds, nanoseconds }: Timestamp): void {
  for (const offset of [offsets.accessTime, offsets.modificationTime, offsets.changeTime])
    writeInt64BE(block, seconds, offset);
  for (const offset of [
    offsets.accessNanoseconds,
    offsets.modificationNanoseconds,
    offsets.changeNanoseconds,
  ])
    block.writeUInt32BE(nanoseconds, offset);
}
