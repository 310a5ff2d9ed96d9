import { isZero } from '../../bytes/zeros.js';
import { QUOTA_RECORD_BYTES } from '../constants.js';
import { decodeQuotaRecord } from '../quota.js';
import { QUOTA_ID_MAX } from '../quota-writer.js';
import type { DinodeBlock } from '../volume.js';
import type { CheckContext } from './context.js';

/** The records that are looked at: a kernel's file for ids above QUOTA_ID_MAX is sparse and huge. */
const BYTES_READ_MAX = 2 * (QUOTA_ID_MAX + 1) * QUOTA_RECORD_BYTES;
/** Fields of a record before its reserved bytes (§3.13). */
const FIELDS_BYTES = 24;

/**
 * Checks the quota file against what the owners use. Ids above QUOTA_ID_MAX need no record: mkfs and populate write
 * none, a kernel adds them as it goes.
 */
export function checkQuota(context: CheckContext, quota: DinodeBlock): void {
  const { faults } = context;
  const { size } = quota.dinode;
  if (size % QUOTA_RECORD_BYTES !== 0 || size < 2 * QUOTA_RECORD_BYTES) {
    faults.add(
      'quota-file',
      quota.address,
      `${size} bytes are no whole records, or not those of user and group 0`,
    );
    return;
  }
  const bytes = faults.attempt('quota-file', quota.address, () => readStart(context, quota));
  if (bytes === undefined) return;
  checkReserved(context, quota, bytes);
  compare(context, quota, bytes, 0, 'user', context.users);
  compare(context, quota, bytes, 1, 'group', context.owningGroups);
}

/** The file up to the last record that is looked at. */
function readStart({ image }: CheckContext, quota: DinodeBlock): Buffer {
  const size = Math.min(quota.dinode.size, BYTES_READ_MAX);
  const start = { ...quota, dinode: { ...quota.dinode, size } };
  return image.readFile(start, 'a quota file', BYTES_READ_MAX);
}

function checkReserved({ faults }: CheckContext, { address }: DinodeBlock, bytes: Buffer): void {
  if (isZero(bytes)) return;
  for (let offset = 0; offset < bytes.length; offset += QUOTA_RECORD_BYTES) {
    if (isZero(bytes.subarray(offset + FIELDS_BYTES, offset + QUOTA_RECORD_BYTES))) continue;
    faults.add(
      'reserved-not-zero',
      address,
      `a reserved field of quota record ${offset / QUOTA_RECORD_BYTES} is not zero`,
    );
    return;
  }
}

/** Compares the values of all users (`kind` 0, record 2n) or all groups (1, record 2n + 1). */
function compare(
  { faults }: CheckContext,
  { address }: DinodeBlock,
  bytes: Buffer,
  kind: 0 | 1,
  what: string,
  usage: ReadonlyMap<number, number>,
): void {
  const records = bytes.length / QUOTA_RECORD_BYTES;
  const valueAt = (number: number): number =>
    number < records ? decodeQuotaRecord(bytes, number * QUOTA_RECORD_BYTES).value : 0;
  const ids = new Set<number>();
  for (const id of usage.keys()) if (id <= QUOTA_ID_MAX) ids.add(id);
  for (let number = kind; number < records; number += 2)
    if (valueAt(number) !== 0) ids.add((number - kind) / 2);
  for (const id of ids) {
    const value = valueAt(2 * id + kind);
    const used = usage.get(id) ?? 0;
    if (value !== used)
      faults.add('quota-value', address, `${what} ${id} uses ${used} blocks, its record says ${value}`);
  }
}
