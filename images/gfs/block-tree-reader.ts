import { readUint64BE } from '../bytes/integers.js';
import type { Extent } from '../tree/content.js';
import { blocksBelow, payloadBytes } from './block-tree.js';
import { DINODE_BYTES, HEADER_BYTES, HEIGHT_MAX } from './constants.js';
import { faultOfHeader } from './metadata-header.js';
import type { GfsVolume } from './volume.js';

/** A data block of a file: which block of the file it is, and where it lies. */
interface DataBlock {
  readonly logical: number;
  readonly address: number;
}

/** The part of a dinode that says where a file's data is. */
export interface BlockMap {
  readonly address: number;
  readonly size: number;
  /** Levels of indirection, at least 1. */
  readonly height: number;
  /** Whether data blocks carry a metadata header. */
  readonly journaled: boolean;
}

interface Frame {
  readonly block: Buffer;
  /** Byte offset of the first pointer. */
  readonly start: number;
  readonly pointers: number;
  /** Levels of blocks below this one; at 1 the pointers lead to data. */
  readonly level: number;
  /** First logical block below this block. */
  readonly logical: number;
  next: number;
}

/**
 * The allocated data blocks of a file in ascending order, up to its end: what a damaged tree has behind that would
 * only take time. Throws a DiagnosticError on a pointer outside the device,
 * on a block that is no indirect block, and when a file has more blocks than the device (a cycle).
 */
function* dataBlocks(image: GfsVolume, map: BlockMap): Generator<DataBlock> {
  const { geometry } = image;
  const payload = payloadBytes(geometry, map.journaled);
  if (map.height > HEIGHT_MAX)
    throw image.error(map.address, `a file of height ${map.height} (at most ${HEIGHT_MAX})`);
  const stack: Frame[] = [
    {
      block: image.readBlock(map.address),
      start: DINODE_BYTES,
      pointers: geometry.dinodePointers,
      level: map.height,
      logical: 0,
      next: 0,
    },
  ];
  let budget = image.blockCount;
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    if (frame.next >= frame.pointers) {
      stack.pop();
      continue;
    }
    const index = frame.next++;
    const address = readUint64BE(frame.block, frame.start + index * 8);
    if (address === 0) continue;
    const logical = frame.logical + index * blocksBelow(geometry, frame.level - 1);
    if (logical * payload >= map.size) return;
    image.checkAddress(address, `the tree of the file at block ${map.address}`);
    if (budget-- <= 0)
      throw image.error(map.address, 'a file with more blocks than the device: its tree has a cycle');
    if (frame.level === 1) {
      yield { logical, address };
      continue;
    }
    const block = image.readBlock(address);
    const fault = faultOfHeader(block, 'indirect');
    if (fault !== undefined) throw image.error(address, fault);
    stack.push({
      block,
      start: geometry.indirectHeaderBytes,
      pointers: geometry.indirectPointers,
      level: frame.level - 1,
      logical,
      next: 0,
    });
  }
}

/** Where the bytes of a file lie on the device: neighbouring blocks are one extent, holes have none. */
export function* extentsOfFile(image: GfsVolume, map: BlockMap): Generator<Extent> {
  const { blockSize } = image.geometry;
  const payload = payloadBytes(image.geometry, map.journaled);
  const skip = map.journaled ? HEADER_BYTES : 0;
  let offset = 0;
  let position = 0;
  let length = 0;
  for (const block of dataBlocks(image, map)) {
    const blockOffset = block.logical * payload;
    const blockPosition = block.address * blockSize + skip;
    const count = Math.min(payload, map.size - blockOffset);
    if (length > 0 && blockOffset === offset + length && blockPosition === position + length) {
      length += count;
      continue;
    }
    if (length > 0) yield { offset, position, length };
    offset = blockOffset;
    position = blockPosition;
    length = count;
  }
  if (length > 0) yield { offset, position, length };
}
