import type { Timestamp } from '../tree/node.js';
import { InodeFlag, MODE_TYPE_MASK, ModeType } from './constants.js';

/** Bytes of the block map, extent tree, short link target or inline data inside an inode. */
export const INODE_BLOCK_BYTES = 60;
const INODE_BLOCK_OFFSET = 40;
/** Every inode has this much; what `extraBytes` adds follows. */
export const BASE_INODE_BYTES = 128;

/** An ext2/3/4 inode. */
export interface Ext2Inode {
  readonly number: number;
  readonly type: keyof typeof ModeType | undefined;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: Timestamp;
  readonly links: number;
  readonly flags: number;
  /** The 60 bytes that say where the data is, or are the data. */
  readonly block: Buffer;
  /** Block of extended attributes; 0 for none. */
  readonly attributeBlock: number;
  /** In-inode extended attributes, from their magic number on; empty where there is no room for them. */
  readonly attributeBytes: Buffer;
}

const types = Object.entries(ModeType) as [keyof typeof ModeType, number][];

/** Decodes an inode out of its record in the inode table. `bytes` has the filesystem's inode size. */
export function decodeInode(bytes: Buffer, number: number): Ext2Inode {
  const rawMode = bytes.readUInt16LE(0);
  const type = types.find(([, code]) => code === (rawMode & MODE_TYPE_MASK))?.[0];
  const extraBytes = bytes.length > BASE_INODE_BYTES ? bytes.readUInt16LE(128) : 0;
  const attributesAt = BASE_INODE_BYTES + extraBytes;
  return {
    number,
    type,
    mode: rawMode & 0o7777,
    uid: bytes.readUInt16LE(2) + bytes.readUInt16LE(120) * 65536,
    gid: bytes.readUInt16LE(24) + bytes.readUInt16LE(122) * 65536,
    size:
      bytes.readUInt32LE(4) +
      (type === 'file' || type === 'directory' ? bytes.readUInt32LE(108) * 2 ** 32 : 0),
    mtime: decodeTime(bytes.readInt32LE(16), extraBytes >= 12 ? bytes.readUInt32LE(136) : 0),
    links: bytes.readUInt16LE(26),
    flags: bytes.readUInt32LE(32),
    block: bytes.subarray(INODE_BLOCK_OFFSET, INODE_BLOCK_OFFSET + INODE_BLOCK_BYTES),
    attributeBlock: bytes.readUInt32LE(104) + bytes.readUInt16LE(118) * 2 ** 32,
    attributeBytes:
      bytes.length > BASE_INODE_BYTES && attributesAt + 4 <= bytes.length
        ? bytes.subarray(attributesAt)
        : Buffer.alloc(0),
  };
}

/** Signed seconds, with two more bits of them and 30 bits of nanoseconds where the inode has room (ext4). */
function decodeTime(seconds: number, extra: number): Timestamp {
  return { seconds: seconds + (extra & 3) * 2 ** 32, nanoseconds: Math.min(extra >>> 2, 999_999_999) };
}

export function hasExtents(inode: Ext2Inode): boolean {
  return (inode.flags & InodeFlag.extents) !== 0;
}

export function hasInlineData(inode: Ext2Inode): boolean {
  return (inode.flags & InodeFlag.inlineData) !== 0;
}

/** Device number in either encoding: 8:8 bits in the first word, else 12:20 bits in the second. */
export function deviceOf({ block }: Ext2Inode): { major: number; minor: number } {
  const old = block.readUInt32LE(0);
  if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff };
  const wide = block.readUInt32LE(4);
  return { major: (wide & 0xfff00) >>> 8, minor: (wide & 0xff) | ((wide >>> 12) & 0xfff00) };
}
