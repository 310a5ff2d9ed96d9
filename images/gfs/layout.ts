import { usageError } from '../diagnostic.js';
import { SECTOR_BYTES, SUPERBLOCK_OFFSET } from './constants.js';
import { dialectGeometry, OPENGFS } from './dialect.js';
import { isBlockSize } from './geometry.js';
import type { JournalIndexRecord } from './journal.js';
import { bitmapCapacity, type ResourceIndexRecord } from './resource-group.js';

/** What the user asks of mkfs (§7). */
export interface LayoutOptions {
  /** Bytes of the device; a part of a sector at the end is not used. */
  readonly deviceBytes: number;
  readonly blockSize: number;
  /** Blocks in a journal segment. */
  readonly segmentBlocks: number;
  readonly journals: number;
  readonly journalMiB: number;
  readonly resourceGroupMiB: number;
  /** Lowers the minima: journals and resource groups from 1 MiB on, one resource group a section. */
  readonly expert: boolean;
}

/** Where everything lies: in blocks from the start of the device. */
export interface Layout {
  readonly resourceGroups: readonly ResourceIndexRecord[];
  readonly journals: readonly JournalIndexRecord[];
  /** Allocatable blocks: what mkfs reports as the filesystem's size. */
  readonly allocatableBlocks: number;
}

/** Sizes mkfs takes (§7, "Inputs"). */
const limits = {
  journalMiB: { ordinary: 32, expert: 1 },
  resourceGroupMiB: { ordinary: 32, expert: 1, most: 2048 },
  groupsInSection: { ordinary: 4, expert: 1 },
  segmentBlocks: 2,
  sectionBlocks: 100,
} as const;

const SECTORS_PER_MIB = (1024 * 1024) / SECTOR_BYTES;

/** A run of blocks between which the device is divided. */
interface Section {
  readonly start: number;
  readonly length: number;
}

/**
 * The layout algorithm of mkfs (§7, steps 1 to 7). Throws a DiagnosticError of kind `usage` that names the option
 * when the device can't be laid out so.
 */
export function planLayout(options: LayoutOptions): Layout {
  checkOptions(options);
  const { blockSize, journals, expert } = options;
  const sectors = Math.floor(options.deviceBytes / SECTOR_BYTES);
  const journalSectors = options.journalMiB * SECTORS_PER_MIB;
  if (journals * journalSectors > sectors) {
    throw usageError(
      `${journals} journals of ${options.journalMiB} MiB need ${(journals * journalSectors) / SECTORS_PER_MIB} MiB, the device has ${Math.floor(sectors / SECTORS_PER_MIB)} MiB`,
      'Use a larger device, or fewer (-j) or smaller (-J) journals.',
    );
  }
  const half = Math.floor((sectors - journals * journalSectors) / 2);
  const first = toBlocks({ start: 0, length: half }, options);
  const last = toBlocks({ start: half + journals * journalSectors, length: half }, options);
  const reserved = SUPERBLOCK_OFFSET / blockSize + 1;
  const groupBlocks = (options.resourceGroupMiB * 1024 * 1024) / blockSize;
  const resourceGroups = [
    ...planGroups({ start: reserved, length: first.length - reserved }, groupBlocks, expert, blockSize),
    ...planGroups(last, groupBlocks, expert, blockSize),
  ];
  return {
    resourceGroups,
    journals: Array.from({ length: journals }, (_, index) => {
      const section = toBlocks({ start: half + index * journalSectors, length: journalSectors }, options);
      return planJournal(section, options);
    }),
    allocatableBlocks: resourceGroups.reduce((sum, group) => sum + group.data, 0),
  };
}

function checkOptions(options: LayoutOptions): void {
  const { blockSize, segmentBlocks, journals, journalMiB, resourceGroupMiB, expert } = options;
  const kind = expert ? 'expert' : 'ordinary';
  const unlessExpert = expert ? undefined : 'Expert mode (-X) lowers this limit.';
  if (!isBlockSize(blockSize))
    throw usageError(`block size ${blockSize} is no power of two from 512 to 65536`);
  if (!Number.isInteger(journals) || journals < 1) throw usageError('at least one journal is needed (-j)');
  if (!Number.isInteger(segmentBlocks) || segmentBlocks < limits.segmentBlocks) {
    throw usageError(
      `a journal segment of ${segmentBlocks} blocks is too short (at least ${limits.segmentBlocks})`,
    );
  }
  if (!Number.isInteger(journalMiB) || journalMiB < limits.journalMiB[kind]) {
    throw usageError(
      `journals of ${journalMiB} MiB are too small (at least ${limits.journalMiB[kind]})`,
      unlessExpert,
    );
  }
  const { most } = limits.resourceGroupMiB;
  if (
    !Number.isInteger(resourceGroupMiB) ||
    resourceGroupMiB < limits.resourceGroupMiB[kind] ||
    resourceGroupMiB > most
  ) {
    throw usageError(
      `resource groups of ${resourceGroupMiB} MiB are out of range (${limits.resourceGroupMiB[kind]} to ${most})`,
      unlessExpert,
    );
  }
}

/** Step 3: a section in blocks. Its start moves up to a whole block and its length shrinks by as much. */
function toBlocks(sectors: Section, { blockSize }: LayoutOptions): Section {
  const blockSectors = blockSize / SECTOR_BYTES;
  if (sectors.length < limits.sectionBlocks * blockSectors) {
    throw usageError(
      `a part of the device would have only ${Math.max(0, Math.floor(sectors.length / blockSectors))} blocks (at least ${limits.sectionBlocks})`,
      'Use a larger device, fewer or smaller journals (-j, -J), or smaller blocks (-b).',
    );
  }
  const shift = (blockSectors - (sectors.start % blockSectors)) % blockSectors;
  return {
    start: (sectors.start + shift) / blockSectors,
    length: Math.floor((sectors.length - shift) / blockSectors),
  };
}

/** Step 5: the resource groups of a section, end to end; the first takes what division leaves over. */
function planGroups(
  section: Section,
  groupBlocks: number,
  expert: boolean,
  blockSize: number,
): ResourceIndexRecord[] {
  const minimum = expert ? limits.groupsInSection.expert : limits.groupsInSection.ordinary;
  const count = Math.max(minimum, Math.ceil(section.length / groupBlocks));
  const quotient = Math.floor(section.length / count);
  const groups: ResourceIndexRecord[] = [];
  let address = section.start;
  for (let index = 0; index < count; index++) {
    const blocks = index === 0 ? section.length - (count - 1) * quotient : quotient;
    groups.push(planGroup(address, blocks, blockSize));
    address += blocks;
  }
  return groups;
}

/**
 * Step 6: how many of a group's blocks its bitmap takes. For a few sizes (15,877 blocks of 4096 bytes is one) the search
 * has no fixed point: one bitmap block more leaves too few blocks to fill it. Then the last blocks stay unused.
 */
function planGroup(address: number, blocks: number, blockSize: number): ResourceIndexRecord {
  const geometry = dialectGeometry(OPENGFS, blockSize);
  let length = 0;
  for (;;) {
    const bytes = Math.floor((blocks - length) / 4);
    let needed = 1;
    while (bytes > bitmapCapacity(geometry, needed)) needed += 1;
    if (needed === length || (length > 0 && needed > length)) break;
    length = needed;
  }
  const data = Math.min(Math.floor((blocks - length) / 4), bitmapCapacity(geometry, length)) * 4;
  if (data < 4)
    throw usageError(
      `a resource group of ${blocks} blocks is too small`,
      'Use a larger device or larger resource groups (-r).',
    );
  return { address, length, firstData: address + length, data, bitmapBytes: data / 4 };
}

/** Step 7: a journal starts at a multiple of the segment size and has whole segments. */
function planJournal(section: Section, options: LayoutOptions): JournalIndexRecord {
  const { segmentBlocks, blockSize, expert } = options;
  const address = Math.ceil(section.start / segmentBlocks) * segmentBlocks;
  const length = section.length - (address - section.start);
  const least = limits.journalMiB[expert ? 'expert' : 'ordinary'] * 1024 * 1024;
  const segments = Math.floor(length / segmentBlocks);
  if ((length + segmentBlocks) * blockSize < least || segments < 1) {
    throw usageError(
      `a journal would have only ${length} blocks`,
      'Use larger journals (-J) or shorter segments (-s).',
    );
  }
  return { address, segments };
}
