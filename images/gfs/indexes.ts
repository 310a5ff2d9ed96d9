import { imageError } from '../diagnostic.js';
import { JOURNAL_INDEX_RECORD_BYTES, RESOURCE_INDEX_RECORD_BYTES } from './constants.js';
import type { GfsImage } from './image.js';
import { decodeJournalIndexRecord, type JournalIndexRecord } from './journal.js';
import { bitmapCapacity, decodeResourceIndexRecord, type ResourceIndexRecord } from './resource-group.js';
import type { GfsVolume } from './volume.js';

/** More records than any filesystem has, and few enough to hold. */
const RECORDS_MAX = 1024 * 1024;

/**
 * The bytes of a journal or resource index. Throws a DiagnosticError when the file is damaged, has no whole records,
 * or more of them than there can be.
 */
export function readIndexBytes(image: GfsVolume, address: number, what: string, recordBytes: number): Buffer {
  const file = image.readDinode(address, 'the superblock');
  // There can't be more records than blocks on the device.
  const bytes = image.readFile(file, what, Math.min(image.blockCount, RECORDS_MAX) * recordBytes);
  if (bytes.length % recordBytes !== 0) {
    throw image.error(
      address,
      `${what} of ${bytes.length} bytes is no whole number of ${recordBytes}-byte records`,
    );
  }
  return bytes;
}

/** The records in an index's bytes. */
export function decodeRecords<T>(
  bytes: Buffer,
  recordBytes: number,
  decode: (bytes: Buffer, offset: number) => T,
): T[] {
  const records: T[] = [];
  for (let offset = 0; offset < bytes.length; offset += recordBytes) records.push(decode(bytes, offset));
  return records;
}

/** Where the journals lie, as the journal index says. */
export function readJournalIndex(image: GfsImage): JournalIndexRecord[] {
  const { address } = image.superblock.journalIndex;
  const bytes = readIndexBytes(image, address, 'a journal index', JOURNAL_INDEX_RECORD_BYTES);
  return decodeRecords(bytes, JOURNAL_INDEX_RECORD_BYTES, decodeJournalIndexRecord);
}

/** Where the resource groups lie. Throws a DiagnosticError unless each lies on the device and is consistent in itself. */
export function readResourceIndex(image: GfsVolume): ResourceIndexRecord[] {
  const address = image.resourceIndexAddress;
  const bytes = readIndexBytes(image, address, 'a resource index', RESOURCE_INDEX_RECORD_BYTES);
  const records = decodeRecords(bytes, RESOURCE_INDEX_RECORD_BYTES, decodeResourceIndexRecord);
  for (const [index, record] of records.entries()) {
    const fault = faultOfResourceIndexRecord(image, record);
    if (fault !== undefined) {
      throw imageError({ file: image.name, block: address }, `resource group ${index}: ${fault}`);
    }
  }
  return records;
}

/** What is wrong with a record, or undefined when it describes a group on the device whose bitmap fits (§3.6). */
export function faultOfResourceIndexRecord(
  image: GfsVolume,
  record: ResourceIndexRecord,
): string | undefined {
  const { address, length, firstData, data, bitmapBytes } = record;
  if (!(address > image.geometry.superblockBlock) || length < 1)
    return `header at block ${address}, ${length} blocks long`;
  if (firstData !== address + length)
    return `first data block ${firstData} is not header ${address} + length ${length}`;
  if (firstData + data > image.blockCount) {
    return `blocks ${firstData}..${firstData + data - 1} reach outside the device (${image.blockCount} blocks)`;
  }
  if (bitmapBytes * 4 !== data) return `${bitmapBytes} bytes of bitmap for ${data} blocks`;
  if (
    bitmapBytes > bitmapCapacity(image.geometry, length) ||
    bitmapBytes <= bitmapCapacity(image.geometry, length - 1)
  ) {
    return `${bitmapBytes} bytes of bitmap do not fill ${length} blocks`;
  }
  return undefined;
}
