import type { BlockExtent } from './data-map.js';
import type { Ext2Inode } from './inode.js';
import type { Ext2Volume } from './volume.js';

const HEADER_BYTES = 12;
const ENTRY_BYTES = 12;
const EXTENT_MAGIC = 0xf30a;
/** The format allows five levels; the kernel makes no more. */
const DEPTH_MAX = 5;
/** A longer extent is not written yet: its blocks are allocated and read as zeros. */
const WRITTEN_LENGTH_MAX = 32768;

interface Frame {
  readonly node: Buffer;
  readonly depth: number;
  readonly entries: number;
  /** The block it was read from; 0 for the inode itself. */
  readonly holder: number;
  next: number;
}

/**
 * The data of a file with an extent tree, ascending; holes and unwritten extents are left out. Throws a
 * DiagnosticError on a damaged node, extents out of order or outside the filesystem, or a tree in a circle.
 */
export function* extentsOfTree(volume: Ext2Volume, inode: Ext2Inode): Generator<BlockExtent> {
  const { blockCount } = volume.superblock;
  const fail = (holder: number, message: string) =>
    holder === 0
      ? volume.inodeError(inode.number, message)
      : volume.error(holder, `extent tree of inode ${inode.number}: ${message}`);
  let budget = blockCount;
  const open = (node: Buffer, holder: number, expected?: number): Frame => {
    const depth = node.readUInt16LE(6);
    const entries = node.readUInt16LE(2);
    if (node.readUInt16LE(0) !== EXTENT_MAGIC)
      throw fail(holder, 'a node of its extent tree has no magic number');
    if (depth > DEPTH_MAX || (expected !== undefined && depth !== expected))
      throw fail(holder, `an extent node of depth ${depth}`);
    if (HEADER_BYTES + entries * ENTRY_BYTES > node.length)
      throw fail(holder, `an extent node with ${entries} entries`);
    if (budget-- <= 0) throw fail(holder, 'its extent tree goes in a circle');
    return { node, depth, entries, holder, next: 0 };
  };
  const stack = [open(inode.block, 0)];
  let end = 0;
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    if (frame.next >= frame.entries) {
      stack.pop();
      continue;
    }
    const entry = frame.node.subarray(HEADER_BYTES + frame.next++ * ENTRY_BYTES);
    const logical = entry.readUInt32LE(0);
    if (frame.depth > 0) {
      const child = entry.readUInt32LE(4) + entry.readUInt16LE(8) * 2 ** 32;
      if (!(child > 0 && child < blockCount))
        throw fail(frame.holder, `an extent node at block ${child}, outside the filesystem`);
      stack.push(open(volume.readBlock(child), child, frame.depth - 1));
      continue;
    }
    const length = entry.readUInt16LE(4);
    const block = entry.readUInt32LE(8) + entry.readUInt16LE(6) * 2 ** 32;
    const unwritten = length > WRITTEN_LENGTH_MAX;
    const count = unwritten ? length - WRITTEN_LENGTH_MAX : length;
    if (logical < end || count === 0)
      throw fail(frame.holder, `extents out of order at block ${logical} of the file`);
    if (!(block > 0 && block + count <= blockCount)) {
      throw fail(frame.holder, `an extent of ${count} blocks at block ${block}, outside the filesystem`);
    }
    end = logical + count;
    if (!unwritten) yield { logical, block, count };
  }
}
