import { isZero } from '../../bytes/zeros.js';
import { JOURNAL_INDEX_RECORD_BYTES, RESOURCE_INDEX_RECORD_BYTES } from '../constants.js';
import { decodeRecords, faultOfResourceIndexRecord, readIndexBytes } from '../indexes.js';
import { decodeJournalIndexRecord, type JournalIndexRecord } from '../journal.js';
import { decodeResourceIndexRecord } from '../resource-group.js';
import type { CheckContext } from './context.js';
import type { OpenGfsCheckContext } from './opengfs-context.js';
import { SEGMENT_BLOCKS_MIN } from './superblock.js';

/** Pad and reserved bytes of a record, from and to (§3.4, §3.5). */
type ReservedBytes = readonly (readonly [number, number])[];
const journalReserved: ReservedBytes = [[12, 80]];
const groupReserved: ReservedBytes = [
  [12, 16],
  [32, 96],
];

/** Checks both indexes and remembers the records that can be believed. */
export function checkIndexes(context: OpenGfsCheckContext): void {
  checkResourceIndex(context, context.image.resourceIndexAddress, groupReserved);
  // With impossible segments nothing can be said about where journals end; the superblock's own fault says enough.
  if (context.image.superblock.segmentBlocks >= SEGMENT_BLOCKS_MIN) checkJournalIndex(context);
}

/**
 * Checks the resource index, whose dinode is at `indexBlock`, and remembers the records that can be believed;
 * `reserved` are the bytes of a record that must be zero.
 */
export function checkResourceIndex(context: CheckContext, indexBlock: number, reserved: ReservedBytes): void {
  const { image, faults } = context;
  const bytes = faults.attempt('resource-index', indexBlock, () =>
    readIndexBytes(image, indexBlock, 'a resource index', RESOURCE_INDEX_RECORD_BYTES),
  );
  if (bytes === undefined) return;
  const records = decodeRecords(bytes, RESOURCE_INDEX_RECORD_BYTES, decodeResourceIndexRecord);
  if (records.length === 0) faults.add('resource-index', indexBlock, 'there is no resource group');
  const good = [];
  let end = image.geometry.superblockBlock + 1;
  for (const [index, record] of records.entries()) {
    const what = `resource group ${index}`;
    checkReserved(context, bytes, index, RESOURCE_INDEX_RECORD_BYTES, reserved, indexBlock, what);
    const fault = faultOfResourceIndexRecord(image, record);
    if (fault !== undefined) faults.add('resource-index', indexBlock, `${what}: ${fault}`);
    else if (record.address < end) {
      faults.add(
        'resource-index',
        indexBlock,
        `${what} at block ${record.address} begins inside the one before it, or out of order`,
      );
    } else {
      good.push(record);
      end = record.firstData + record.data;
    }
    if (faults.truncated) break;
  }
  context.groups = good;
}

function checkReserved(
  { faults }: CheckContext,
  bytes: Buffer,
  index: number,
  recordBytes: number,
  reserved: ReservedBytes,
  block: number,
  what: string,
): void {
  const record = bytes.subarray(index * recordBytes, (index + 1) * recordBytes);
  if (reserved.some(([from, to]) => !isZero(record.subarray(from, to))))
    faults.add('reserved-not-zero', block, `a reserved field of the record of ${what} is not zero`);
}

/** A part of the device that belongs to one thing. */
interface Area {
  readonly what: string;
  readonly start: number;
  readonly end: number;
  /** Undefined for a resource group. */
  readonly journal?: JournalIndexRecord;
}

function checkJournalIndex(context: OpenGfsCheckContext): void {
  const { image, faults } = context;
  const { segmentBlocks } = image.superblock;
  const indexBlock = image.superblock.journalIndex.address;
  const bytes = faults.attempt('journal-index', indexBlock, () =>
    readIndexBytes(image, indexBlock, 'a journal index', JOURNAL_INDEX_RECORD_BYTES),
  );
  if (bytes === undefined) return;
  const records = decodeRecords(bytes, JOURNAL_INDEX_RECORD_BYTES, decodeJournalIndexRecord);
  if (records.length === 0) faults.add('journal-index', indexBlock, 'there is no journal');
  const areas: Area[] = [];
  for (const [index, journal] of records.entries()) {
    const what = `journal ${index}`;
    checkReserved(context, bytes, index, JOURNAL_INDEX_RECORD_BYTES, journalReserved, indexBlock, what);
    const end = journal.address + journal.segments * segmentBlocks;
    const fault = faultOfJournal(context, journal.address, journal.segments, end);
    if (fault === undefined) areas.push({ what, start: journal.address, end, journal });
    else faults.add('journal-index', indexBlock, `${what}: ${fault}`);
    if (faults.truncated) break;
  }
  context.journals = withoutOverlaps(context, areas, indexBlock);
}

/** The journals that lie apart from each other and from all resource groups, in the order of the index. */
function withoutOverlaps(
  { groups, faults }: OpenGfsCheckContext,
  journals: readonly Area[],
  indexBlock: number,
): JournalIndexRecord[] {
  const groupAreas: Area[] = groups.map(({ address, firstData, data }) => ({
    what: `the resource group at block ${address}`,
    start: address,
    end: firstData + data,
  }));
  const bad = new Set<JournalIndexRecord>();
  let last: Area | undefined;
  for (const area of [...groupAreas, ...journals].sort((a, b) => a.start - b.start)) {
    if (last !== undefined && area.start < last.end) {
      const [journal, other] = area.journal === undefined ? [last, area] : [area, last];
      if (journal.journal !== undefined) bad.add(journal.journal);
      faults.add('journal-index', indexBlock, `${journal.what} overlaps ${other.what}`);
    }
    if (last === undefined || area.end > last.end) last = area;
  }
  return journals.flatMap(({ journal }) => (journal === undefined || bad.has(journal) ? [] : [journal]));
}

function faultOfJournal(
  { image }: OpenGfsCheckContext,
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
