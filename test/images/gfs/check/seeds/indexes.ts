import { DINODE, FAR, FIRST_DATA, ofSpecial, type SeededFault } from './seed.js';

export const resourceIndexFaults: readonly SeededFault[] = [
  ofSpecial('resourceIndex', 'a wrong first data block', 'resource-index', (d) =>
    d.setGroupRecord(0, { firstData: d.group(0).firstData + 1 }),
  ),
  ofSpecial('resourceIndex', 'more bitmap than blocks', 'resource-index', (d) =>
    d.setGroupRecord(0, { bitmapBytes: d.group(0).bitmapBytes + 1 }),
  ),
  ofSpecial('resourceIndex', 'a bitmap that does not fill its blocks', 'resource-index', (d) =>
    d.setGroupRecord(0, { length: d.group(0).length + 1, firstData: d.group(0).firstData + 1 }),
  ),
  ofSpecial('resourceIndex', 'a bitmap larger than its blocks', 'resource-index', (d) =>
    d.setGroupRecord(0, { length: 1, firstData: d.group(0).address + 1 }),
  ),
  ofSpecial('resourceIndex', 'groups out of order', 'resource-index', (d) => {
    d.setGroupRecord(0, d.group(1));
    d.setGroupRecord(1, d.group(0));
  }),
  ofSpecial('resourceIndex', 'overlapping groups', 'resource-index', (d) =>
    d.setGroupRecord(1, {
      address: d.group(0).address + 1,
      firstData: d.group(0).address + 1 + d.group(1).length,
    }),
  ),
  ofSpecial('resourceIndex', 'a group on the superblock', 'resource-index', (d) =>
    d.setGroupRecord(0, { address: d.superblock, firstData: d.superblock + d.group(0).length }),
  ),
  ofSpecial('resourceIndex', 'a group outside the device', 'resource-index', (d) =>
    d.setGroupRecord(1, { address: d.blockCount, firstData: d.blockCount + d.group(1).length }),
  ),
  ofSpecial('resourceIndex', 'a reserved field', 'reserved-not-zero', (d, inode) =>
    d.set(inode, FIRST_DATA + 60, 1),
  ),
  ofSpecial('resourceIndex', 'half a record', 'resource-index', (d, inode) =>
    d.set(inode, DINODE.size, 100, 8),
  ),
  ofSpecial('resourceIndex', 'no record', 'resource-index', (d, inode) => d.set(inode, DINODE.size, 0, 8)),
];

export const journalIndexFaults: readonly SeededFault[] = [
  ofSpecial('journalIndex', 'a journal that starts inside a segment', 'journal-index', (d, inode) =>
    d.add(inode, FIRST_DATA, 1, 8),
  ),
  ofSpecial('journalIndex', 'a journal on a resource group', 'journal-index', (d, inode) =>
    d.set(inode, FIRST_DATA, Math.ceil(d.group(1).firstData / d.segmentBlocks) * d.segmentBlocks, 8),
  ),
  ofSpecial('journalIndex', 'two journals in one place', 'journal-index', (d, inode) =>
    d.set(inode, FIRST_DATA + 80, d.journal(0).address, 8),
  ),
  ofSpecial('journalIndex', 'a journal into the next', 'journal-index', (d, inode) =>
    d.add(inode, FIRST_DATA + 8, 1),
  ),
  ofSpecial('journalIndex', 'a journal without segments', 'journal-index', (d, inode) =>
    d.set(inode, FIRST_DATA + 8, 0),
  ),
  ofSpecial('journalIndex', 'a journal outside the device', 'journal-index', (d, inode) =>
    d.set(inode, FIRST_DATA, d.segmentBlocks * FAR, 8),
  ),
  ofSpecial('journalIndex', 'a reserved field', 'reserved-not-zero', (d, inode) =>
    d.set(inode, FIRST_DATA + 12, 1),
  ),
  ofSpecial('journalIndex', 'half a record', 'journal-index', (d, inode) => d.set(inode, DINODE.size, 81, 8)),
  ofSpecial('journalIndex', 'no record', 'journal-index', (d, inode) => d.set(inode, DINODE.size, 0, 8)),
];
