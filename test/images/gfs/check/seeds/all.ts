import { dinodeFaults } from './dinodes.js';
import { directoryFaults } from './directories.js';
import { journalIndexFaults, resourceIndexFaults } from './indexes.js';
import { journalFaults, quotaFaults } from './journals-and-quota.js';
import { blockFaults, resourceGroupFaults } from './resource-groups.js';
import type { SeededFault } from './seed.js';
import { superblockFaults } from './superblock.js';

/** Faults of every rule, in the order of the format document's table in §8. */
export const seededFaults: readonly SeededFault[] = [
  ...superblockFaults,
  ...resourceIndexFaults,
  ...journalIndexFaults,
  ...resourceGroupFaults,
  ...blockFaults,
  ...dinodeFaults,
  ...directoryFaults,
  ...journalFaults,
  ...quotaFaults,
];
