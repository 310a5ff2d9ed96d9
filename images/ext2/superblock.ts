import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { byteString, textFromByteString } from '../bytes/byte-string.js';
import { imageError } from '../diagnostic.js';
import {
  Compatible,
  Incompatible,
  MAGIC,
  ReadOnlyCompatible,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
  UNREADABLE_FEATURES,
} from './constants.js';
import { BASE_INODE_BYTES, EXTRA_INODE_BYTES } from './inode.js';
import { type Ext2Layout, RESERVED_INODES } from './layout.js';

/** What a reader needs of the ext2/3/4 superblock, and what `info` shows. */
export interface Ext2Superblock {
  readonly blockSize: number;
  readonly blockCount: number;
  readonly freeBlockCount: number;
  readonly inodeCount: number;
  readonly freeInodeCount: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly inodeSize: number;
  readonly descriptorSize: number;
  /** First block group whose descriptors lie inside their own meta group. */
  readonly firstMetaGroup: number;
  readonly groups: number;
  readonly label: string;
  readonly uuid: string;
  /** Names of all features, as `dumpe2fs` has them. */
  readonly features: readonly string[];
  /** The journal was not replayed: the newest changes are missing. */
  readonly needsRecovery: boolean;
}

/** Whether the source holds an ext2, ext3 or ext4 filesystem. */
export function isExt2(source: ByteSource): boolean {
  if (source.size < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) return false;
  return readBytes(source, SUPERBLOCK_OFFSET + 56, 2).readUInt16LE(0) === MAGIC;
}

/** Reads the superblock. Throws a DiagnosticError when it is missing, contradicts itself or needs an unknown feature. */
export function readSuperblock(source: ByteSource): Ext2Superblock {
  const fail = (message: string) => imageError({ file: source.name, offset: SUPERBLOCK_OFFSET }, message);
  if (!isExt2(source)) throw fail('no ext2, ext3 or ext4 superblock');
  const bytes = readBytes(source, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
  const dynamic = bytes.readUInt32LE(76) >= 1;
  const incompatible = dynamic ? bytes.readUInt32LE(96) : 0;
  checkFeatures(incompatible, fail);
  const logBlockSize = bytes.readUInt32LE(24);
  if (logBlockSize > 6) throw fail(`block size 2^${logBlockSize + 10} is not from 1024 to 65536`);
  const blockSize = 1024 << logBlockSize;
  const wide = (incompatible & Incompatible['64bit']!) !== 0;
  const blockCount = bytes.readUInt32LE(4) + (wide ? bytes.readUInt32LE(336) * 2 ** 32 : 0);
  const firstDataBlock = bytes.readUInt32LE(20);
  const blocksPerGroup = bytes.readUInt32LE(32);
  const inodesPerGroup = bytes.readUInt32LE(40);
  const inodeCount = bytes.readUInt32LE(0);
  const inodeSize = dynamic ? bytes.readUInt16LE(88) : 128;
  const descriptorSize = wide ? bytes.readUInt16LE(254) : 32;
  if (blocksPerGroup === 0 || inodesPerGroup === 0) throw fail('block groups without blocks or inodes');
  if (inodeSize < 128 || inodeSize > blockSize || (inodeSize & (inodeSize - 1)) !== 0)
    throw fail(`inodes of ${inodeSize} bytes`);
  if (descriptorSize < 32 || descriptorSize > blockSize)
    throw fail(`group descriptors of ${descriptorSize} bytes`);
  if (firstDataBlock >= blockCount)
    throw fail(`the first data block, ${firstDataBlock}, is behind the last, ${blockCount - 1}`);
  if (!(blockCount * blockSize <= source.size)) {
    throw fail(
      `${blockCount} blocks of ${blockSize} bytes are needed, but the image has only ${source.size} bytes`,
    );
  }
  const groups = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup);
  if (inodeCount > groups * inodesPerGroup)
    throw fail(`${inodeCount} inodes in ${groups} groups of ${inodesPerGroup}`);
  return {
    blockSize,
    blockCount,
    freeBlockCount: bytes.readUInt32LE(12) + (wide ? bytes.readUInt32LE(344) * 2 ** 32 : 0),
    inodeCount,
    freeInodeCount: bytes.readUInt32LE(16),
    firstDataBlock,
    blocksPerGroup,
    inodesPerGroup,
    inodeSize,
    descriptorSize,
    firstMetaGroup:
      (incompatible & Incompatible.meta_bg!) !== 0 ? bytes.readUInt32LE(260) : Number.POSITIVE_INFINITY,
    groups,
    label: textFromByteString(byteString(bytes.subarray(120, 136)).split('\0', 1)[0] ?? ''),
    uuid: formatUuid(bytes.subarray(104, 120)),
    features: dynamic
      ? [
          ...namesOf(bytes.readUInt32LE(92), Compatible),
          ...namesOf(incompatible, Incompatible),
          ...namesOf(bytes.readUInt32LE(100), ReadOnlyCompatible),
        ]
      : [],
    needsRecovery: (incompatible & Incompatible.needs_recovery!) !== 0,
  };
}

/** What the writer says in the superblock. */
export interface NewSuperblock {
  readonly layout: Ext2Layout;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  /** Blocks that only root may fill. */
  readonly reservedBlocks: number;
  /** Names of the features. */
  readonly features: readonly string[];
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  /** At most 16 bytes. */
  readonly label: Uint8Array;
  /** Seconds since 1970: when it was made, written and checked. */
  readonly time: number;
}

const REVISION_DYNAMIC = 1;
const STATE_CLEAN = 1;
const ERRORS_CONTINUE = 1;
/** Never check only because of the number of mounts. */
const NO_MOUNT_LIMIT = -1;
const MOUNT_OPTIONS_XATTR_ACL = 0xc;

/** The superblock as it stands in a group: copies differ from the first in the number of their group only. */
export function encodeSuperblock(superblock: NewSuperblock, group: number): Buffer {
  const { layout, features, time } = superblock;
  const bytes = Buffer.alloc(SUPERBLOCK_BYTES);
  const logBlockSize = Math.log2(layout.blockSize / 1024);
  bytes.writeUInt32LE(layout.groups * layout.inodesPerGroup, 0);
  bytes.writeUInt32LE(layout.blockCount, 4);
  bytes.writeUInt32LE(superblock.reservedBlocks, 8);
  bytes.writeUInt32LE(superblock.freeBlocks, 12);
  bytes.writeUInt32LE(superblock.freeInodes, 16);
  bytes.writeUInt32LE(layout.firstDataBlock, 20);
  for (const offset of [24, 28]) bytes.writeUInt32LE(logBlockSize, offset);
  for (const offset of [32, 36]) bytes.writeUInt32LE(layout.blocksPerGroup, offset);
  bytes.writeUInt32LE(layout.inodesPerGroup, 40);
  bytes.writeUInt32LE(time, 48);
  bytes.writeInt16LE(NO_MOUNT_LIMIT, 54);
  bytes.writeUInt16LE(MAGIC, 56);
  bytes.writeUInt16LE(STATE_CLEAN, 58);
  bytes.writeUInt16LE(ERRORS_CONTINUE, 60);
  bytes.writeUInt32LE(time, 64);
  bytes.writeUInt32LE(REVISION_DYNAMIC, 76);
  bytes.writeUInt32LE(RESERVED_INODES + 1, 84);
  bytes.writeUInt16LE(layout.inodeSize, 88);
  bytes.writeUInt16LE(group, 90);
  bytes.writeUInt32LE(maskOf(features, Compatible), 92);
  bytes.writeUInt32LE(maskOf(features, Incompatible), 96);
  bytes.writeUInt32LE(maskOf(features, ReadOnlyCompatible), 100);
  bytes.set(superblock.uuid, 104);
  bytes.set(superblock.label, 120);
  if (features.includes('ext_attr')) bytes.writeUInt32LE(MOUNT_OPTIONS_XATTR_ACL, 256);
  bytes.writeUInt32LE(time, 264);
  if (layout.inodeSize > BASE_INODE_BYTES)
    for (const offset of [348, 350]) bytes.writeUInt16LE(EXTRA_INODE_BYTES, offset);
  return bytes;
}

function maskOf(features: readonly string[], bits: Readonly<Record<string, number>>): number {
  return features.reduce((mask, name) => mask | (bits[name] ?? 0), 0);
}

/** A UUID in its usual form, `8-4-4-4-12` hexadecimal digits. */
export function formatUuid(uuid: Uint8Array): string {
  return Buffer.from(uuid)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function checkFeatures(incompatible: number, fail: (message: string) => Error): void {
  const unreadable = UNREADABLE_FEATURES.filter((name) => (incompatible & Incompatible[name]!) !== 0);
  if (unreadable.length > 0)
    throw fail(`the filesystem uses ${unreadable.join(', ')}, which can't be read here`);
  const known = Object.values(Incompatible).reduce((mask, bit) => mask | bit, 0);
  const unknown = (incompatible & ~known) >>> 0;
  if (unknown !== 0)
    throw fail(`the filesystem uses unknown incompatible features (0x${unknown.toString(16)})`);
}

function namesOf(mask: number, features: Readonly<Record<string, number>>): string[] {
  return Object.entries(features)
    .filter(([, bit]) => (mask & bit) !== 0)
    .map(([name]) => name);
}

/** `ext2`, `ext3` (with a journal) or `ext4` (with anything that came after ext3). */
export function formatName({ features }: Ext2Superblock): 'ext2' | 'ext3' | 'ext4' {
  const later = [
    'extent',
    '64bit',
    'flex_bg',
    'meta_bg',
    'inline_data',
    'ea_inode',
    'large_dir',
    'huge_file',
    'gdt_csum',
    'dir_nlink',
    'extra_isize',
    'bigalloc',
    'metadata_csum',
  ];
  if (features.some((name) => later.includes(name))) return 'ext4';
  return features.includes('has_journal') ? 'ext3' : 'ext2';
}
