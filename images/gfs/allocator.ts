import { readBytes } from '../bytes/byte-source.js';
import { imageError } from '../diagnostic.js';
import { BlockState, type BlockStateValue, countStates, nextFree, setStateAt, stateAt } from './bitmap.js';
import type { CommitBlock } from './commit.js';
import { RESOURCE_GROUP_HEADER_BYTES } from './constants.js';
import { readResourceIndex } from './indexes.js';
import { faultOfHeader } from './metadata-header.js';
import { decodeBitmap, type ResourceGroupTally, type ResourceIndexRecord } from './resource-group.js';
import type { GfsVolume } from './volume.js';

/** Consecutive blocks of one resource group. */
export interface BlockRange {
  readonly address: number;
  readonly count: number;
}

/** A block for a new dinode. */
export interface NewDinodeBlock {
  readonly address: number;
  readonly group: ResourceIndexRecord;
  readonly generation: number;
}

/** A resource group with its bitmap, as it will be written. */
interface Group {
  readonly record: ResourceIndexRecord;
  /** The header as it was read. */
  readonly header: Buffer;
  readonly counters: ResourceGroupTally;
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
  /** Above those of all dinodes. */
  nextGeneration = 1;

  /** Reads all bitmaps: one byte for four blocks. Throws a DiagnosticError when they contradict their counters. */
  constructor(private readonly image: GfsVolume) {
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

  /** One block for a dinode, and a generation that no dinode of the filesystem has and none of its group ever had. */
  allocateDinode(): NewDinodeBlock {
    const { address } = this.take(this.image.dialect.dinodeState, 1);
    const group = this.groups[this.current]!;
    const { counters } = group;
    counters.usedDinodes += 1;
    const generation = Math.max(this.nextGeneration, counters.generation);
    this.nextGeneration = generation + 1;
    counters.generation = this.nextGeneration;
    return { address, group: group.record, generation };
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

  /** Gives back a block that is marked as a dinode. False, and nothing happens, when it is not. */
  freeDinode(address: number): boolean {
    const group = this.groups.find(
      ({ record }) => address >= record.firstData && address < record.firstData + record.data,
    );
    if (group === undefined) return false;
    const index = address - group.record.firstData;
    if (stateAt(group.bitmap, index) !== this.image.dialect.dinodeState) return false;
    setStateAt(group.bitmap, index, BlockState.free);
    group.counters.free += 1;
    group.counters.usedDinodes -= 1;
    group.changed = true;
    return true;
  }

  /** The groups that changed: where each lies and its blocks, header and bitmap. */
  *groupsToWrite(): Generator<CommitBlock> {
    const { dialect, geometry } = this.image;
    for (const { record, header, counters, bitmap, changed } of this.groups) {
      if (!changed) continue;
      const bytes = dialect.resourceGroup.encode(geometry, record.length, header, counters, bitmap);
      yield { address: record.address, bytes };
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

function readGroup(image: GfsVolume, record: ResourceIndexRecord): Group {
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
  const header = Buffer.from(blocks.subarray(0, RESOURCE_GROUP_HEADER_BYTES));
  const counters = image.dialect.resourceGroup.decode(header);
  const bitmap = decodeBitmap(geometry, blocks, record.bitmapBytes);
  const free = countStates(bitmap, record.data)[BlockState.free];
  if (free !== counters.free) {
    throw image.error(
      record.address,
      `the resource group counts ${counters.free} free blocks, its bitmap has ${free}`,
    );
  }
  return { record, header, counters, bitmap, changed: false };
}
