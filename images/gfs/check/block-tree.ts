import { readUint64BE } from '../../bytes/integers.js';
import { isZero } from '../../bytes/zeros.js';
import { blocksBelow, payloadBytes } from '../block-tree.js';
import { DINODE_BYTES, HEADER_BYTES } from '../constants.js';
import { faultOfHeader } from '../metadata-header.js';
import type { DinodeBlock } from '../volume.js';
import { Claim } from './claims.js';
import type { CheckContext } from './context.js';

interface Frame {
  readonly address: number;
  readonly block: Buffer;
  readonly start: number;
  readonly pointers: number;
  /** Levels of blocks below this one; at 1 the pointers lead to data. */
  readonly level: number;
  readonly logical: number;
  next: number;
}

/**
 * Claims all blocks of an inode's tree and checks their headers. Returns how many blocks there are besides the
 * dinode. The height has been checked.
 */
export async function checkBlockTree(
  context: CheckContext,
  inode: DinodeBlock,
  path: string,
): Promise<number> {
  const { image, faults, pace } = context;
  const { geometry } = image;
  const { dinode } = inode;
  const journaled = image.isJournaled(dinode);
  const payload = payloadBytes(geometry, journaled);
  let blocks = 0;
  let behindEnd = 0;
  const stack: Frame[] = [
    {
      address: inode.address,
      block: inode.block,
      start: DINODE_BYTES,
      pointers: geometry.dinodePointers,
      level: dinode.height,
      logical: 0,
      next: 0,
    },
  ];
  for (let frame = stack.at(-1); frame !== undefined && !faults.truncated; frame = stack.at(-1)) {
    if (frame.next >= frame.pointers) {
      stack.pop();
      continue;
    }
    const index = frame.next++;
    const pointer = readUint64BE(frame.block, frame.start + index * 8);
    if (pointer === 0) continue;
    if (pace.due()) await pace.breathe();
    const logical = frame.logical + index * blocksBelow(geometry, frame.level - 1);
    const isData = frame.level === 1;
    const what = isData ? (journaled ? 'a journaled data block' : 'a data block') : 'an indirect block';
    const claim = isData && !journaled ? Claim.data : Claim.metadata;
    if (!context.claim(pointer, claim, frame.address, what, path)) continue;
    blocks += 1;
    if (logical * payload >= dinode.size && !context.allowsBlocksBehindEnd) behindEnd += 1;
    if (isData && !journaled) continue;
    const block = image.readBlock(pointer);
    const fault = faultOfHeader(block, isData ? 'journaledData' : 'indirect');
    if (fault !== undefined) {
      faults.add('block-header', pointer, fault, path);
      continue;
    }
    if (isData) continue;
    if (!isZero(block.subarray(HEADER_BYTES, geometry.indirectHeaderBytes))) {
      faults.add('reserved-not-zero', pointer, 'a reserved field of an indirect block is not zero', path);
    }
    stack.push({
      address: pointer,
      block,
      start: geometry.indirectHeaderBytes,
      pointers: geometry.indirectPointers,
      level: frame.level - 1,
      logical,
      next: 0,
    });
  }
  if (behindEnd > 0) {
    faults.add(
      'dinode-size',
      inode.address,
      `${behindEnd} blocks lie behind the end of a file of ${dinode.size} bytes`,
      path,
    );
  }
  return blocks;
}
