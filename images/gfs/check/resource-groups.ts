import { readBytes } from '../../bytes/byte-source.js';
import { isZero } from '../../bytes/zeros.js';
import { BlockState } from '../bitmap.js';
import { BlockType, DinodeFlag, MAGIC } from '../constants.js';
import { decodeDinode } from '../dinode.js';
import { faultOfHeader, readMetadataHeader } from '../metadata-header.js';
import {
  bitmapParts,
  decodeBitmap,
  decodeResourceGroupCounters,
  type ResourceIndexRecord,
} from '../resource-group.js';
import { BitmapComparison, type StateRules } from './bitmap-comparison.js';
import { Claim, type ClaimValue } from './claims.js';
import type { CheckContext } from './context.js';
import type { OpenGfsCheckContext } from './opengfs-context.js';

/** Checks headers, bitmaps and counters of all groups against what the inodes claimed. */
export async function checkResourceGroups(context: OpenGfsCheckContext): Promise<void> {
  let attributeData = 0;
  for (const group of context.groups) {
    if (context.faults.truncated) return;
    if (context.pace.due()) await context.pace.breathe();
    attributeData += await checkGroup(context, group);
  }
  if (attributeData !== context.attributeData && !context.faults.truncated) {
    context.faults.add(
      'attribute-block',
      undefined,
      `inodes count ${context.attributeData} blocks of attribute data, there are ${attributeData}`,
    );
  }
}

/** Returns how many blocks of attribute data there are in the group. */
async function checkGroup(context: OpenGfsCheckContext, group: ResourceIndexRecord): Promise<number> {
  const { image, faults } = context;
  const { blockSize } = image.geometry;
  const blocks = readBytes(image.device, group.address * blockSize, group.length * blockSize);
  if (!checkGroupHeaders(context, group, blocks)) return 0;
  claimUnusedDinodes(context, group, blocks);
  const rules = new OpenGfsStates(context);
  const bitmap = decodeBitmap(image.geometry, blocks, group.bitmapBytes);
  const comparison = new BitmapComparison(context, group, bitmap, rules);
  await comparison.run();
  const { states, claimed } = comparison;
  const { attributeData } = rules;
  const counters = decodeResourceGroupCounters(blocks);
  const expected = {
    free: states[BlockState.free],
    usedDinodes: claimed[Claim.dinode],
    freeDinodes: claimed[Claim.unusedDinode],
    usedMetadata: claimed[Claim.metadata] + attributeData,
    freeMetadata: states[BlockState.freeMetadata],
  };
  for (const [name, value] of Object.entries(expected) as [keyof typeof expected, number][]) {
    if (counters[name] !== value) {
      faults.add(
        'resource-group-counters',
        group.address,
        `the resource group counts ${counters[name]} ${counterNames[name]}, there are ${value}`,
      );
    }
  }
  if (!isZero(blocks.subarray(64, 128)) || counters.flags !== 0) {
    faults.add('reserved-not-zero', group.address, 'a reserved field of the resource group is not zero');
  }
  return attributeData;
}

const counterNames = {
  free: 'free blocks',
  usedDinodes: 'dinodes in use',
  freeDinodes: 'free dinodes',
  usedMetadata: 'metadata blocks in use',
  freeMetadata: 'free metadata blocks',
} as const;

/** Checks the metadata headers of a group's blocks, and that nothing stands behind its bitmap. */
export function checkGroupHeaders(
  { image, faults }: CheckContext,
  group: ResourceIndexRecord,
  blocks: Buffer,
): boolean {
  const { blockSize } = image.geometry;
  let good = true;
  for (let index = 0; index < group.length; index++) {
    const type = index === 0 ? 'resourceGroup' : 'resourceGroupBitmap';
    const fault = faultOfHeader(blocks.subarray(index * blockSize, (index + 1) * blockSize), type);
    if (fault === undefined) continue;
    faults.add('resource-group-header', group.address + index, fault);
    good = false;
  }
  const parts = [...bitmapParts(image.geometry, group.length, group.bitmapBytes)];
  const end = parts.reduce((last, part) => Math.max(last, part.position + part.length), 0);
  if (good && !isZero(blocks.subarray(end))) {
    faults.add(
      'reserved-not-zero',
      group.address + group.length - 1,
      'something stands behind the end of the bitmap',
    );
  }
  return good;
}

/** Dinodes that were in use once are kept in a list; their blocks are metadata (§12). */
function claimUnusedDinodes(context: OpenGfsCheckContext, group: ResourceIndexRecord, blocks: Buffer): void {
  const { faults } = context;
  const { freeDinodes, freeDinodeList } = decodeResourceGroupCounters(blocks);
  let { address } = freeDinodeList;
  for (let left = Math.min(freeDinodes, group.data); left > 0 && address !== 0 && !faults.truncated; left--) {
    if (!(address >= group.firstData && address < group.firstData + group.data)) {
      faults.add('block-location', group.address, `an unused dinode: block ${address} is not in this group`);
      return;
    }
    if (!context.claim(address, Claim.unusedDinode, group.address, 'an unused dinode')) return;
    const block = context.image.readBlock(address);
    const fault = faultOfHeader(block, 'dinode');
    const dinode = decodeDinode(block);
    if (fault !== undefined || (dinode.flags & DinodeFlag.unused) === 0) {
      faults.add(
        'dinode-header',
        address,
        fault ?? 'in the list of unused dinodes, but not marked as unused',
      );
      return;
    }
    address = dinode.nextUnused.address;
  }
}

/** What OpenGFS says about states, and what it leaves open. */
class OpenGfsStates implements StateRules {
  readonly names = ['free', 'used data', 'free metadata', 'used metadata'] as const;
  /** Blocks of attribute data, which no claim is made for. */
  attributeData = 0;
  private hasBadFreeMetadata = false;

  constructor(private readonly context: OpenGfsCheckContext) {}

  agree(state: number, claim: ClaimValue): boolean {
    switch (claim) {
      case Claim.none:
        return state === BlockState.free || state === BlockState.freeMetadata;
      case Claim.data:
        return state === BlockState.data;
      default:
        return state === BlockState.metadata;
    }
  }

  excuses(block: number, state: number, claim: ClaimValue): boolean {
    if (claim !== Claim.none) return false;
    if (state === BlockState.freeMetadata) this.checkFreeMetadata(block);
    return this.isAttributeData(block, state);
  }

  /** A kernel takes such blocks as they are; the first fault is enough to know that something filled the bitmap. */
  private checkFreeMetadata(block: number): void {
    if (this.hasBadFreeMetadata) return;
    const { magic } = readMetadataHeader(this.context.image.readBlock(block));
    if (magic === MAGIC) return;
    this.hasBadFreeMetadata = true;
    this.context.faults.add('block-header', block, 'a block kept for metadata has no metadata header');
  }

  /** Values of large extended attributes are found through records that the format document does not describe. */
  private isAttributeData(block: number, state: number): boolean {
    const { context } = this;
    if (!context.hasAttributes || state !== BlockState.metadata) return false;
    const { magic, type } = readMetadataHeader(context.image.readBlock(block));
    const isAttribute = type === BlockType.extendedAttributeData || type === BlockType.extendedAttribute;
    if (magic !== MAGIC || !isAttribute) return false;
    this.attributeData += 1;
    return true;
  }
}
