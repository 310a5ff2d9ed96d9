import { QUOTA_RECORD_BYTES } from '../constants.js';
import type { DinodeBlock } from '../image.js';
import { decodeQuotaRecord } from '../quota.js';
import { QUOTA_ID_MAX } from '../quota-writer.js';
import type { CheckContext } from './context.js';

/** Largest quota file that is read record by record: ids of 16 bits and some more. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Checks the quota file against what the owners use. Ids above QUOTA_ID_MAX need no record: mkfs and populate write
 * none, a kernel adds them as it goes.
 */
export function checkQuota(context: CheckContext, quota: DinodeBlock): void {
  const { faults, image } = context;
  const { size } = quota.dinode;
  if (size % QUOTA_RECORD_BYTES !== 0 || size < 2 * QUOTA_RECORD_BYTES) {
    faults.add(
      'quota-file',
      quota.address,
      `${size} bytes are no whole records, or not those of user and group 0`,
    );
    return;
  }
  // A kernel's file for large ids is sparse and huge: then only its shape was checked.
  if (size > FILE_BYTES_MAX) return;
  const bytes = faults.attempt('quota-file', quota.address, () =>
    image.readFile(quota, 'a quota file', FILE_BYTES_MAX),
  );
  if (bytes === undefined) return;
  const records = size / QUOTA_RECORD_BYTES;
  const compare = (what: string, usage: ReadonlyMap<number, number>, kind: 0 | 1): void => {
    const ids = new Set(usage.keys());
    for (let number = kind; number < records; number += 2) {
      if (decodeQuotaRecord(bytes, number * QUOTA_RECORD_BYTES).value !== 0) ids.add((number - kind) / 2);
    }
    for (const id of ids) {
      const number = 2 * id + kind;
      if (number >= records && id > QUOTA_ID_MAX) continue;
      const value = number < records ? decodeQuotaRecord(bytes, number * QUOTA_RECORD_BYTES).value : 0;
      const used = usage.get(id) ?? 0;
      if (value !== used)
        faults.add(
          'quota-value',
          quota.address,
          `${what} ${id} uses ${used} blocks, its record says ${value}`,
        );
    }
  };
  compare('user', context.users, 0);
  compare('group', context.owningGroups, 1);
}
