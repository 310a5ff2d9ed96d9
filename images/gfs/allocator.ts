import { readBytes } from '../bytes/byte-source.js';
import { imageError } from '../diagnostic.js';
import { BlockState, type BlockStateValue, countStates, nextFree, setStateAt, stateAt } from './bitmap.js';
import type { GfsImage } from './image.js';
import { readResourceIndex } from './indexes.js';
import { faultOfHeader } from './metadata-header.js';
import {
  decodeBitmap,
  decodeResourceGroupCounters,
  encodeResourceGroup,
  type ResourceGroupCounters,
  type ResourceIndexRecord,
} from './resource-group.js';

/** Consecutive blocks of one resource group. */
export interface BlockRange {
  readonly address: number;
  readonly count: number;
}

/** A resource group with its bitmap, as it will be written. */
interface Group {
  readonly record: ResourceIndexRecord;
  readonly counters: { -readonly [K in keyof ResourceGroupCounters]: ResourceGroupCounters[K] };
  readonly bitmap: Buffer;
  changed: boolean;
}

/**
 * Hands out free blocks of a filesystem, first fit in the order of the resource index (§8 "Allocation"). Nothing is
 * written before `groupsToWrite`: until then the blocks handed out are free as far as the image is concerned.
 */
export class Allocator {
  private readonly groups: Group[];
  /** The group that is being filled, and the block of it to look at next. */
  private current = 0;
  private cursor = 0;

  /** Reads all bitmaps: one byte for four blocks. Throws a DiagnosticError when they contradict their counters. */
  constructor(private readonly image: GfsImage) {
    this.groups = readResourceIndex(image).map((record) => readGroup(image, record));
  }

  get freeBlocks(): number {
    return this.groups.reduce((sum, { counters }) => sum + counters.free, 0);
  }

  /** Blocks in use: 5 dinodes and perhaps index blocks right after mkfs. */
  get usedBlocks(): number {
    return this.groups.reduce((sum, { record, counters }) => sum + record.data - counters.free, 0);
  }

  get usedDinodes(): number {
    return this.groups.reduce((sum, { counters }) => sum + counters.usedDinodes, 0);
  }

  /** One block for a dinode, and the group it lies in. */
  allocateDinode(): { address: number; group: ResourceIndexRecord } {
    const { address } = this.take(this.image.dialect.dinodeState, 1);
    const group = this.groups[this.current]!;
    group.counters.usedDinodes += 1;
    return { address, group: group.record };
  }

  /** One block for metadata other than a dinode. */
  allocateMetadata(): number {
    const { address } = this.take(this.image.dialect.metadataState, 1);
    this.groups[this.current]!.counters.usedMetadata += 1;
    return address;
  }

  /** At least one and at most `wanted` consecutive blocks for a file's data. */
  allocateData(wanted: number): BlockRange {
    return this.take(BlockState.data, wanted);
  }

  /** The groups that changed: where each lies and its blocks, header and bitmap. */
  *groupsToWrite(): Generator<{ address: number; blocks: Buffer }> {
    for (const { record, counters, bitmap, changed } of this.groups) {
      if (!changed) continue;
      yield {
        address: record.address,
        blocks: encodeResourceGroup(this.image.geometry, record.length, counters, bitmap),
      };
    }
  }

  private take(state: BlockStateValue, wanted: number): BlockRange {
    for (; this.current < this.groups.length; this.current += 1, this.cursor = 0) {
      const group = this.groups[this.current]!;
      if (group.counters.free === 0) continue;
      const first = nextFree(group.bitmap, this.cursor, group.record.data);
      if (first < 0) continue;
      let end = first;
      while (
        end - first < wanted &&
        end < group.record.data &&
        stateAt(group.bitmap, end) === BlockState.free
      ) {
        setStateAt(group.bitmap, end, state);
        end += 1;
      }
      group.counters.free -= end - first;
      group.changed = true;
      this.cursor = end;
      return { address: group.record.firstData + first, count: end - first };
    }
    throw imageError({ file: this.image.name }, 'the filesystem is full', 'Make the image larger.');
  }
}

function readGroup(image: GfsImage, record: ResourceIndexRecord): Group {
  const { geometry } = image;
  const blocks = readBytes(
    image.device,
    record.address * geometry.blockSize,
    record.length * geometry.blockSize,
  );
  for (let index = 0; index < record.length; index++) {
    const block = blocks.subarray(index * geometry.blockSize, (index + 1) * geometry.blockSize);
    const fault = faultOfHeader(block, index === 0 ? 'resourceGroup' : 'resourceGroupBitmap');
    if (fault !== undefined) throw image.error(record.address + index, fault);
  }
  const counters = decodeResourceGroupCounters(blocks);
  const bitmap = decodeBitmap(geometry, blocks, record.bitmapBytes);
  const free = countStates(bitmap, record.data)[BlockState.free];
  if (free !== counters.free) {
    throw image.error(
      record.address,
      `the resource group counts ${counters.free} free blocks, its bitmap has ${free}`,
    );
  }
  return { record, counters: { ...counters }, bitmap, changed: false };
}
