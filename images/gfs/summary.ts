import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import type { Pace } from '../bytes/pace.js';
import { GfsImage } from './image.js';
import { readJournalIndex, readResourceIndex } from './indexes.js';
import type { JournalIndexRecord } from './journal.js';
import { faultOfHeader } from './metadata-header.js';
import { decodeResourceGroupCounters } from './resource-group.js';

/** A filesystem's facts at a glance. */
export interface FilesystemSummary {
  readonly filesystemFormat: number;
  readonly multihostFormat: number;
  readonly blockSize: number;
  readonly segmentBlocks: number;
  /** Byte strings, as the superblock has them. */
  readonly lockProtocol: string;
  readonly lockTable: string;
  readonly journals: readonly JournalIndexRecord[];
  readonly resourceGroups: number;
  /** Blocks that files can have, and how many of them are free: the sums over the resource groups. */
  readonly allocatableBlocks: number;
  readonly freeBlocks: number;
  /** Dinodes in use, the filesystem's own five included. */
  readonly usedDinodes: number;
}

/** Reads the superblock, both indexes and the counters of every resource group; nothing else. */
export async function summarise(device: ByteSource, pace: Pace): Promise<FilesystemSummary> {
  const image = new GfsImage(device);
  const { blockSize } = image.geometry;
  let allocatableBlocks = 0;
  let freeBlocks = 0;
  let usedDinodes = 0;
  const groups = readResourceIndex(image);
  for (const group of groups) {
    const block = readBytes(device, group.address * blockSize, blockSize);
    const fault = faultOfHeader(block, 'resourceGroup');
    if (fault !== undefined) throw image.error(group.address, fault);
    const counters = decodeResourceGroupCounters(block);
    allocatableBlocks += group.data;
    freeBlocks += counters.free;
    usedDinodes += counters.usedDinodes;
    if (pace.due()) await pace.breathe();
  }
  const { filesystemFormat, multihostFormat, segmentBlocks, lockProtocol, lockTable } = image.superblock;
  return {
    filesystemFormat,
    multihostFormat,
    blockSize,
    segmentBlocks,
    lockProtocol,
    lockTable,
    journals: readJournalIndex(image),
    resourceGroups: groups.length,
    allocatableBlocks,
    freeBlocks,
    usedDinodes,
  };
}
