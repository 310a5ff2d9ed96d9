import { faultOfResourceIndexRecord, readJournalIndex, readRawResourceIndex } from '../indexes.js';
import type { CheckContext } from './context.js';

/** Checks both indexes and remembers the records that can be believed. */
export function checkIndexes(context: CheckContext): void {
  checkResourceIndex(context);
  checkJournalIndex(context);
}

function checkResourceIndex(context: CheckContext): void {
  const { image, faults } = context;
  const indexBlock = image.superblock.resourceIndex.address;
  const records = faults.attempt('resource-index', indexBlock, () => readRawResourceIndex(image)) ?? [];
  if (records.length === 0) faults.add('resource-index', indexBlock, 'there is no resource group');
  const good = [];
  let end = image.geometry.superblockBlock + 1;
  for (const [index, record] of records.entries()) {
    const fault = faultOfResourceIndexRecord(image, record);
    if (fault !== undefined) faults.add('resource-index', indexBlock, `resource group ${index}: ${fault}`);
    else if (record.address < end) {
      faults.add(
        'resource-index',
        indexBlock,
        `resource group ${index} at block ${record.address} begins inside the one before it, or out of order`,
      );
    } else {
      good.push(record);
      end = record.firstData + record.data;
    }
  }
  context.groups = good;
}

function checkJournalIndex(context: CheckContext): void {
  const { image, faults } = context;
  const { segmentBlocks } = image.superblock;
  const indexBlock = image.superblock.journalIndex.address;
  const records = faults.attempt('journal-index', indexBlock, () => readJournalIndex(image)) ?? [];
  if (records.length === 0) faults.add('journal-index', indexBlock, 'there is no journal');
  const good = [];
  const taken = context.groups.map((group) => ({
    what: `the resource group at block ${group.address}`,
    start: group.address,
    end: group.firstData + group.data,
  }));
  for (const [index, record] of records.entries()) {
    const end = record.address + record.segments * segmentBlocks;
    const fault = faultOfJournal(context, record.address, record.segments, end);
    const overlap = taken.find((other) => record.address < other.end && other.start < end);
    if (fault !== undefined) faults.add('journal-index', indexBlock, `journal ${index}: ${fault}`);
    else if (overlap !== undefined)
      faults.add('journal-index', indexBlock, `journal ${index}: it overlaps ${overlap.what}`);
    else {
      good.push(record);
      taken.push({ what: `journal ${index}`, start: record.address, end });
    }
  }
  context.journals = good;
}

function faultOfJournal(
  { image }: CheckContext,
  address: number,
  segments: number,
  end: number,
): string | undefined {
  const { segmentBlocks } = image.superblock;
  if (segments < 1) return 'it has no segment';
  if (!(address > image.geometry.superblockBlock) || !(end <= image.blockCount)) {
    return `blocks ${address}..${end - 1} are not on the device (${image.blockCount} blocks)`;
  }
  if (address % segmentBlocks !== 0)
    return `block ${address} is no multiple of the segment size ${segmentBlocks}`;
  return undefined;
}
