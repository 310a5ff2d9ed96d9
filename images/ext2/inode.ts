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

/** What the writer says about an inode. */
export interface NewInode {
  readonly type: keyof typeof ModeType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: Timestamp;
  readonly links: number;
  /** Blocks of data, pointers and attributes, in units of 512 bytes. */
  readonly sectors: number;
  /** The 60 bytes that say where the data is, or are the data. */
  readonly block: Buffer;
  /** Block of extended attributes; 0 for none. */
  readonly attributeBlock: number;
}

/** What inodes of 256 bytes use of the upper half: the length field itself, up to the creation time. */
export const EXTRA_INODE_BYTES = 32;
const SECONDS_MIN = -(2 ** 31);

/** Last second that an inode of this size can hold; the first is always in December 1901. */
function lastSecond(inodeSize: number): number {
  return SECONDS_MIN + (inodeSize > BASE_INODE_BYTES ? 2 ** 34 : 2 ** 32) - 1;
}

/** A time as an inode of this size keeps it: in its range, and with nanoseconds only where there is room for them. */
export function storableTime({ seconds, nanoseconds }: Timestamp, inodeSize: number): Timestamp {
  const clamped = Math.min(Math.max(seconds, SECONDS_MIN), lastSecond(inodeSize));
  return {
    seconds: clamped,
    nanoseconds: inodeSize > BASE_INODE_BYTES && clamped === seconds ? nanoseconds : 0,
  };
}

/** Encodes an inode into its record of the inode table, which is all zero before. All times are that of the content. */
export function encodeInode(inode: NewInode, bytes: Buffer): void {
  const { seconds, nanoseconds } = storableTime(inode.mtime, bytes.length);
  bytes.writeUInt16LE(ModeType[inode.type] | inode.mode, 0);
  bytes.writeUInt16LE(inode.uid % 65536, 2);
  bytes.writeUInt32LE(inode.size % 2 ** 32, 4);
  for (const offset of [8, 12, 16]) bytes.writeInt32LE(seconds | 0, offset);
  bytes.writeUInt16LE(inode.gid % 65536, 24);
  bytes.writeUInt16LE(inode.links, 26);
  bytes.writeUInt32LE(inode.sectors, 28);
  inode.block.copy(bytes, INODE_BLOCK_OFFSET, 0, INODE_BLOCK_BYTES);
  bytes.writeUInt32LE(inode.attributeBlock, 104);
  if (inode.type === 'file') bytes.writeUInt32LE(Math.floor(inode.size / 2 ** 32), 108);
  bytes.writeUInt16LE(Math.floor(inode.uid / 65536), 120);
  bytes.writeUInt16LE(Math.floor(inode.gid / 65536), 122);
  if (bytes.length === BASE_INODE_BYTES) return;
  bytes.writeUInt16LE(EXTRA_INODE_BYTES, 128);
  const extra = (((seconds - (seconds | 0)) / 2 ** 32) & 3) + nanoseconds * 4;
  for (const offset of [132, 136, 140, 148]) bytes.writeUInt32LE(extra, offset);
  bytes.writeInt32LE(seconds | 0, 144);
}

export function hasExtents(inode: Ext2Inode): boolean {
  return (inode.flags & InodeFlag.extents) !== 0;
}

export function hasInlineData(inode: Ext2Inode): boolean {
  return (inode.flags & InodeFlag.inlineData) !== 0;
}

/** Largest device numbers that Linux knows: 12 and 20 bits. */
const MAJOR_MAX = 0xfff;
const MINOR_MAX = 0xfffff;

/**
 * The 60 bytes of a device's inode: in the encoding of 2001 where its numbers have 8 bits, else in that of Linux 2.6.
 * Undefined for numbers that are too large for both.
 */
export function blockOfDevice(major: number, minor: number): Buffer | undefined {
  if (major > MAJOR_MAX || minor > MINOR_MAX) return undefined;
  const block = Buffer.alloc(INODE_BLOCK_BYTES);
  if (major <= 0xff && minor <= 0xff) block.writeUInt32LE((major << 8) | minor, 0);
  else block.writeUInt32LE(((minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12)) >>> 0, 4);
  return block;
}

/** Device number in either encoding: 8:8 bits in the first word, else 12:20 bits in the second. */
export function deviceOf({ block }: Ext2Inode): { major: number; minor: number } {
  const old = block.readUInt32LE(0);
  if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff };
  const wide = block.readUInt32LE(4);
  return { major: (wide & 0xfff00) >>> 8, minor: (wide & 0xff) | ((wide >>> 12) & 0xfff00) };
}
