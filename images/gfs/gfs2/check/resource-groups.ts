import { readBytes } from '../../../bytes/byte-source.js';
import { BlockState } from '../../bitmap.js';
import { BitmapComparison, type StateRules } from '../../check/bitmap-comparison.js';
import { Claim } from '../../check/claims.js';
import { checkGroupHeaders } from '../../check/resource-groups.js';
import { decodeBitmap, type ResourceIndexRecord } from '../../resource-group.js';
import { checksumOfResourceGroup, decodeGfs2ResourceGroup } from '../resource-group.js';
import type { Gfs2CheckContext } from './context.js';

/** What the bitmaps add up to: for the statfs file. */
export interface GroupTotals {
  total: number;
  free: number;
  dinodes: number;
}

/** What GFS2 says about states (docs/gfs2-format.md §2). */
const states: StateRules = {
  names: ['free', 'used', 'unlinked', 'a dinode'],
  agree(state, claim) {
    switch (claim) {
      case Claim.none:
        return state === BlockState.free;
      case Claim.dinode:
        return state === BlockState.metadata;
      default:
        return state === BlockState.data;
    }
  },
};

/** Checks headers, bitmaps and counters of all groups against what the inodes claimed. */
export async function checkGfs2ResourceGroups(context: Gfs2CheckContext): Promise<GroupTotals> {
  const totals = { total: 0, free: 0, dinodes: 0 };
  for (const [index, group] of context.groups.entries()) {
    if (context.faults.truncated) break;
    if (context.pace.due()) await context.pace.breathe();
    await checkGroup(context, group, context.groups[index + 1], totals);
  }
  return totals;
}

async function checkGroup(
  context: Gfs2CheckContext,
  group: ResourceIndexRecord,
  next: ResourceIndexRecord | undefined,
  totals: GroupTotals,
): Promise<void> {
  const { image, faults } = context;
  const { blockSize } = image.geometry;
  const blocks = readBytes(image.device, group.address * blockSize, group.length * blockSize);
  totals.total += group.data;
  if (!checkGroupHeaders(context, group, blocks)) return;
  const bitmap = decodeBitmap(image.geometry, blocks, group.bitmapBytes);
  const comparison = new BitmapComparison(context, group, bitmap, states);
  await comparison.run();
  const free = comparison.states[BlockState.free];
  const dinodes = comparison.states[BlockState.metadata];
  totals.free += free;
  totals.dinodes += dinodes;
  const header = decodeGfs2ResourceGroup(blocks);
  for (const [what, counted, found] of [
    ['free blocks', header.free, free],
    ['dinodes', header.dinodes, dinodes],
  ] as const) {
    if (counted !== found) {
      faults.add(
        'resource-group-counters',
        group.address,
        `the resource group counts ${counted} ${what}, there are ${found}`,
      );
    }
  }
  const latest = context.latest.get(group.address);
  if (latest !== undefined && latest.generation >= header.generation) {
    faults.add(
      'dinode-generation',
      latest.address,
      `the dinode has the generation ${latest.generation}, and the next in its resource group gets ${header.generation}`,
    );
  }
  checkCopies(context, group, next, blocks);
}

/** What older tools did not keep is 0 (§3.3). */
function checkCopies(
  { faults }: Gfs2CheckContext,
  group: ResourceIndexRecord,
  next: ResourceIndexRecord | undefined,
  blocks: Buffer,
): void {
  const { crc, data, firstData, bitmapBytes, skip } = decodeGfs2ResourceGroup(blocks);
  const add = (message: string): void => faults.add('resource-group-copies', group.address, message);
  if (skip !== 0 && group.address + skip !== next?.address)
    add(`the next resource group is said to be ${skip} blocks further on, where none is`);
  const computed = checksumOfResourceGroup(blocks);
  if (crc !== 0 && crc !== computed)
    add(`the resource group has the checksum 0x${crc.toString(16)}, not 0x${computed.toString(16)}`);
  // Where the first is not kept, what OpenGFS had in the place of the others may stand there still.
  const differs = firstData !== group.firstData || data !== group.data || bitmapBytes !== group.bitmapBytes;
  if (differs && firstData !== 0)
    add('the resource group and its record in the resource index say different things');
}
