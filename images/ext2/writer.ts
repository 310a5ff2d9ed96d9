import { createHash } from 'node:crypto';
import { byteStringFromText, bytesOf } from '../bytes/byte-string.js';
import type { ByteSink } from '../bytes/sparse-file.js';
import { imageError, usageError } from '../diagnostic.js';
import type { NotKept } from '../tree/not-kept.js';
import type { Tree } from '../tree/tree.js';
import { SUPERBLOCK_OFFSET } from './constants.js';
import { ContentAllocator } from './content-allocator.js';
import { type ContentOptions, ContentWriter } from './content-writer.js';
import { writeBitmaps } from './group-writer.js';
import { InodeTables } from './inode-tables.js';
import {
  contentBlocks,
  type Ext2Layout,
  type Ext2Sizes,
  groupLayout,
  layoutFor,
  smallestLayout,
} from './layout.js';
import { type Ext2Plan, planExt2 } from './plan.js';
import { countContentBlocks } from './space.js';
import { encodeSuperblock, formatUuid, type NewSuperblock } from './superblock.js';

/** What decides how large a filesystem has to be. */
export interface Ext2SizeOptions extends Pick<ContentOptions, 'pace'> {
  readonly blockSize: Ext2Sizes['blockSize'];
  /** Bytes; 128 by default, which every Linux reads. Nanoseconds and times after 2038 need 256. */
  readonly inodeSize?: Ext2Sizes['inodeSize'];
  /** Inodes to make, the 10 reserved ones included; by default an eighth more than the Tree has, at least 32 more. */
  readonly inodes?: number;
  /** What messages call it, where there is no image yet. */
  readonly name?: string;
}

export interface WriteExt2Options extends Ext2SizeOptions, ContentOptions {
  /** The only clock: seconds since 1970, for the superblock and a `lost+found` that the Tree lacks. */
  readonly epoch: number;
  /** 32 hexadecimal digits, with or without dashes; by default one that depends on the metadata and nothing else. */
  readonly uuid?: string;
  /** At most 16 bytes. */
  readonly label?: string;
  /** Blocks that only root may fill, in percent of all, 0 to 50; 0 by default. */
  readonly reservedPercent?: number;
}

export interface Ext2Requirements {
  /** The smallest image that holds the Tree, in bytes. */
  readonly bytes: number;
  /** Blocks of it that content takes; what remains is the filesystem's own. */
  readonly contentBlocks: number;
  readonly inodes: number;
}

export interface WriteExt2Summary {
  readonly blockCount: number;
  readonly freeBlocks: number;
  readonly groups: number;
  /** Inodes made, and how many of them are free. */
  readonly inodeCount: number;
  readonly freeInodes: number;
  /** Bytes of file data written; holes are not. */
  readonly dataBytes: number;
  readonly uuid: string;
  readonly features: readonly string[];
  /** What of the Tree ext2 can't hold. */
  readonly notKept: readonly NotKept[];
}

/**
 * How large an ext2 filesystem must be to hold a Tree. Reads every file once, to leave out blocks of zeros. Throws a
 * DiagnosticError when no filesystem with these blocks and inodes holds it.
 */
export async function ext2Requirements(tree: Tree, options: Ext2SizeOptions): Promise<Ext2Requirements> {
  checkSizes(options);
  const sizes = sizesOf(options);
  const name = options.name ?? 'ext2';
  const plan = await planExt2(sizes, tree, { name, epoch: 0, pace: options.pace });
  const content = await countContentBlocks(plan, sizes.blockSize, true, options.pace);
  const inodes = inodesOf(name, plan, options);
  const layout = smallestOf(name, sizes, content, inodes);
  return { bytes: layout.blockCount * sizes.blockSize, contentBlocks: content, inodes: inodeCount(layout) };
}

/**
 * Fills a device with a new ext2 filesystem that holds a Tree: owners, modes, times, links, holes, devices and
 * attributes as they are. Revision 1 with `filetype` and `sparse_super`, so that Linux 2.4 mounts it too; blocks of
 * zeros become holes. Equal Trees and options give equal bytes on a device that was all zero. Each file is streamed
 * once.
 *
 * Throws a DiagnosticError before anything is written when the device is too small (it says how large it has to be) or
 * the Tree has something that ext2 can't hold. The superblock is written last: an error or an abort leaves none.
 */
export async function writeExt2(
  sink: ByteSink,
  tree: Tree,
  options: WriteExt2Options,
): Promise<WriteExt2Summary> {
  checkSizes(options);
  const identity = checkIdentity(options);
  const sizes = sizesOf(options);
  const plan = await planExt2(sizes, tree, {
    name: sink.name,
    epoch: options.epoch,
    pace: options.pace,
  });
  const layout = await layoutThatHolds(sink, plan, sizes, options);
  // Whatever was here is gone from now on.
  sink.write(Buffer.alloc(Math.max(sizes.blockSize, 2 * SUPERBLOCK_OFFSET)), 0);
  const hash = createHash('sha256');
  const allocator = new ContentAllocator(layout);
  const tables = new InodeTables(layout, sink, (table) => hash.update(table));
  const writer = new ContentWriter(plan, layout, sink, allocator, tables, options);
  await writer.writeAll();
  tables.finish();
  const { descriptors, free } = writeBitmaps(layout, sink, {
    allocator,
    inodes: plan.inodes,
    directories: plan.directories,
  });
  const counted = {
    layout,
    freeBlocks: free.blocks,
    freeInodes: free.inodes,
    reservedBlocks: Math.floor((layout.blockCount * (options.reservedPercent ?? 0)) / 100),
    features: plan.features,
    label: identity.label,
    time: options.epoch,
  };
  hash.update(encodeSuperblock({ ...counted, uuid: new Uint8Array(16) }, 0));
  const uuid = identity.uuid ?? customUuid(hash.digest());
  writeSuperblocks(sink, { ...counted, uuid }, descriptors);
  sink.flush();
  return {
    blockCount: layout.blockCount,
    freeBlocks: free.blocks,
    groups: layout.groups,
    inodeCount: inodeCount(layout),
    freeInodes: free.inodes,
    dataBytes: writer.dataBytes,
    uuid: formatUuid(uuid),
    features: plan.features,
    notKept: plan.notKept,
  };
}

/** Copies of the superblock and the descriptors, and last the superblock that makes all this a filesystem. */
function writeSuperblocks(sink: ByteSink, superblock: NewSuperblock, descriptors: Buffer): void {
  const { layout } = superblock;
  const { blockSize } = layout;
  for (let group = layout.groups - 1; group >= 0; group--) {
    const { first, hasSuperblock } = groupLayout(layout, group);
    if (!hasSuperblock) continue;
    sink.write(descriptors, (first + 1) * blockSize);
    sink.write(encodeSuperblock(superblock, group), group === 0 ? SUPERBLOCK_OFFSET : first * blockSize);
  }
}

async function layoutThatHolds(
  sink: ByteSink,
  plan: Ext2Plan,
  sizes: Ext2Sizes,
  options: WriteExt2Options,
): Promise<Ext2Layout> {
  const { blockSize } = sizes;
  const inodes = inodesOf(sink.name, plan, options);
  const layout = layoutFor(sizes, Math.floor(sink.size / blockSize), inodes);
  const holds = (content: number): boolean => layout !== undefined && contentBlocks(layout) >= content;
  const stored = await countContentBlocks(plan, blockSize, false, options.pace);
  if (layout !== undefined && holds(stored)) return layout;
  // What the sources store does not fit; blocks of zeros among it need no room.
  const content = await countContentBlocks(plan, blockSize, true, options.pace);
  if (layout !== undefined && holds(content)) return layout;
  const needed = smallestOf(sink.name, sizes, content, inodes).blockCount * blockSize;
  if (needed <= sink.size) {
    throw imageError(
      { file: sink.name },
      `an ext2 of ${sink.size} bytes can't be made with blocks of ${blockSize} bytes`,
      'Use larger blocks or a smaller image.',
    );
  }
  throw imageError(
    { file: sink.name },
    `the content needs ${content} blocks of ${blockSize} bytes and ${inodes} inodes, which is an ext2 of ${needed} bytes (${mebibytes(needed)} MiB), but the image has ${sink.size} (${mebibytes(sink.size)} MiB)`,
    `Make the image at least ${Math.ceil(needed / 1024 ** 2)} MiB large.`,
  );
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(1);
}

function smallestOf(name: string, sizes: Ext2Sizes, content: number, inodes: number): Ext2Layout {
  const layout = smallestLayout(sizes, content, inodes);
  if (layout !== undefined) return layout;
  throw imageError(
    { file: name },
    `no ext2 with blocks of ${sizes.blockSize} bytes holds content of ${content} blocks and ${inodes} inodes`,
    sizes.blockSize < 4096 ? 'Use larger blocks.' : undefined,
  );
}

function sizesOf({ blockSize, inodeSize }: Ext2SizeOptions): Ext2Sizes {
  return { blockSize, inodeSize: inodeSize ?? 128 };
}

function inodeCount({ groups, inodesPerGroup }: Ext2Layout): number {
  return groups * inodesPerGroup;
}

function inodesOf(name: string, plan: Ext2Plan, { inodes }: Ext2SizeOptions): number {
  if (inodes === undefined) return plan.inodes + Math.max(32, Math.ceil(plan.inodes / 8));
  if (inodes >= plan.inodes) return inodes;
  throw imageError(
    { file: name },
    `the content needs ${plan.inodes} inodes, but the filesystem was to have ${inodes}`,
    `Give it at least ${plan.inodes}, or leave the number open.`,
  );
}

const COUNT_MAX = 2 ** 32 - 1;

function checkSizes({ blockSize, inodeSize, inodes }: Ext2SizeOptions): void {
  if (![1024, 2048, 4096].includes(blockSize))
    throw usageError(`an ext2 block size of ${blockSize} bytes`, 'It can be 1024, 2048 or 4096.');
  if (inodeSize !== undefined && ![128, 256].includes(inodeSize))
    throw usageError(`ext2 inodes of ${inodeSize} bytes`, 'They can have 128 or 256.');
  if (inodes !== undefined && !isCount(inodes)) throw usageError(`a number of inodes of ${inodes}`);
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= COUNT_MAX;
}

/** The label and, where one is asked for, the UUID as bytes. */
function checkIdentity(options: WriteExt2Options): { label: Buffer; uuid: Buffer | undefined } {
  const { epoch, uuid, reservedPercent = 0 } = options;
  if (!isCount(epoch))
    throw usageError(`a time of ${epoch} for an ext2`, `It can be 0 to ${COUNT_MAX} seconds after 1970.`);
  if (!(reservedPercent >= 0 && reservedPercent <= 50))
    throw usageError(`${reservedPercent} percent of reserved blocks`, 'It can be 0 to 50.');
  const label = bytesOf(byteStringFromText(options.label ?? ''));
  if (label.length > 16 || label.includes(0))
    throw usageError(`the label "${options.label}"`, 'It can have at most 16 bytes, none of them NUL.');
  if (uuid === undefined) return { label, uuid };
  const digits = uuid.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(digits))
    throw usageError(`the UUID "${uuid}"`, 'It has 32 hexadecimal digits.');
  return { label, uuid: Buffer.from(digits, 'hex') };
}

/** The start of a digest as a UUID of version 8, "custom" (RFC 9562, section 5.8). */
function customUuid(digest: Buffer): Buffer {
  const uuid = Buffer.from(digest.subarray(0, 16));
  uuid[6] = 0x80 | ((uuid[6] ?? 0) & 0x0f);
  uuid[8] = 0x80 | ((uuid[8] ?? 0) & 0x3f);
  return uuid;
}
