import { readBytes } from '../../bytes/byte-source.js';
import { isZero } from '../../bytes/zeros.js';
import { BlockState, countStates, stateAt } from '../bitmap.js';
import { BlockType, DinodeFlag } from '../constants.js';
import { decodeDinode } from '../dinode.js';
import { faultOfHeader, readMetadataHeader } from '../metadata-header.js';
import {
  bitmapParts,
  decodeBitmap,
  decodeResourceGroupCounters,
  type ResourceIndexRecord,
} from '../resource-group.js';
import { Claim, type ClaimValue } from './claims.js';
import type { CheckContext } from './context.js';

/** Checks headers, bitmaps and counters of all groups against what the inodes claimed. */
export async function checkResourceGroups(context: CheckContext): Promise<void> {
  for (const group of context.groups) {
    if (context.faults.truncated) return;
    await context.pace.breathe();
    checkGroup(context, group);
  }
}

function checkGroup(context: CheckContext, group: ResourceIndexRecord): void {
  const { image, faults } = context;
  const { blockSize } = image.geometry;
  const blocks = readBytes(image.device, group.address * blockSize, group.length * blockSize);
  if (!checkHeaders(context, group, blocks)) return;
  const bitmap = decodeBitmap(image.geometry, blocks, group.bitmapBytes);
  claimUnusedDinodes(context, group, blocks);
  const claimed = compareStates(context, group, bitmap);
  const states = countStates(bitmap, group.data);
  const counters = decodeResourceGroupCounters(blocks);
  const expected = {
    free: states[BlockState.free],
    usedDinodes: claimed[Claim.dinode],
    freeDinodes: claimed[Claim.unusedDinode],
    usedMetadata: claimed[Claim.metadata],
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
}

const counterNames = {
  free: 'free blocks',
  usedDinodes: 'dinodes in use',
  freeDinodes: 'free dinodes',
  usedMetadata: 'metadata blocks in use',
  freeMetadata: 'free metadata blocks',
} as const;

function checkHeaders({ image, faults }: CheckContext, group: ResourceIndexRecord, blocks: Buffer): boolean {
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
function claimUnusedDinodes(context: CheckContext, group: ResourceIndexRecord, blocks: Buffer): void {
  const { freeDinodes, freeDinodeList } = decodeResourceGroupCounters(blocks);
  let { address } = freeDinodeList;
  for (
    let left = Math.min(freeDinodes, group.data);
    left > 0 && address !== 0 && !context.faults.truncated;
    left--
  ) {
    if (!context.claim(address, Claim.unusedDinode, group.address, 'an unused dinode', '')) return;
    const block = context.image.readBlock(address);
    const fault = faultOfHeader(block, 'dinode');
    const dinode = decodeDinode(block);
    if (fault !== undefined || (dinode.flags & DinodeFlag.unused) === 0) {
      context.faults.add(
        'dinode-header',
        address,
        fault ?? 'in the list of unused dinodes, but not marked as unused',
      );
      return;
    }
    address = dinode.nextUnused.address;
  }
}

/** Compares each block's state with its claim; runs of the same fault are one. Returns how many claims there are. */
function compareStates(
  context: CheckContext,
  group: ResourceIndexRecord,
  bitmap: Buffer,
): Record<ClaimValue, number> {
  const claimed: Record<ClaimValue, number> = { 0: 0, 1: 0, 2: 0, 3: 0, 4: 0 };
  let run: { state: number; claim: ClaimValue; first: number; count: number } | undefined;
  for (let index = 0; index < group.data; index++) {
    const block = group.firstData + index;
    const state = stateAt(bitmap, index);
    const claim = context.claims.get(block);
    claimed[claim] += 1;
    const wrong = !agree(state, claim) && !isAttributeData(context, block, state, claim);
    if (run !== undefined && wrong && run.state === state && run.claim === claim) {
      run.count += 1;
      continue;
    }
    if (run !== undefined) report(context, run);
    run = wrong ? { state, claim, first: block, count: 1 } : undefined;
  }
  if (run !== undefined) report(context, run);
  return claimed;
}

function agree(state: number, claim: ClaimValue): boolean {
  switch (claim) {
    case Claim.none:
      return state === BlockState.free || state === BlockState.freeMetadata;
    case Claim.data:
      return state === BlockState.data;
    default:
      return state === BlockState.metadata;
  }
}

/** Values of large extended attributes are found through records that the format document does not describe. */
function isAttributeData(context: CheckContext, block: number, state: number, claim: ClaimValue): boolean {
  if (!context.hasAttributes || claim !== Claim.none || state !== BlockState.metadata) return false;
  return readMetadataHeader(context.image.readBlock(block)).type === BlockType.extendedAttributeData;
}

const stateNames = ['free', 'used data', 'free metadata', 'used metadata'] as const;
const claimNames = ['nothing', 'data', 'metadata', 'a dinode', 'an unused dinode'] as const;

function report(
  { faults }: CheckContext,
  run: { state: number; claim: ClaimValue; first: number; count: number },
): void {
  const blocks = run.count === 1 ? 'this block is' : `blocks ${run.first}..${run.first + run.count - 1} are`;
  const state = stateNames[run.state];
  if (run.claim === Claim.none) {
    faults.add(
      'block-leak',
      run.first,
      `${blocks} marked as ${state}, and nothing refers to ${run.count === 1 ? 'it' : 'them'}`,
    );
  } else
    faults.add('block-state', run.first, `${blocks} marked as ${state}, but holds ${claimNames[run.claim]}`);
}
