import { FAR, ofSuperblock, type SeededFault } from './seed.js';

/** Row 1 to 4 of the format document's table in §8: superblock, indexes. */
export const superblockFaults: readonly SeededFault[] = [
  ofSuperblock('another magic', 'superblock-header', (d) => d.set(d.superblock, 0, 0x01161971)),
  ofSuperblock('another block type', 'superblock-header', (d) => d.set(d.superblock, 4, 2)),
  ofSuperblock('another block format', 'superblock-header', (d) => d.set(d.superblock, 16, 101)),
  ofSuperblock('an unknown filesystem format', 'superblock-format', (d) => d.set(d.superblock, 24, 1304)),
  ofSuperblock("GFS2's filesystem format", 'superblock-format', (d) => d.set(d.superblock, 24, 1801)),
  ofSuperblock('an unknown multihost format', 'superblock-format', (d) => d.set(d.superblock, 28, 1399)),
  ofSuperblock('a wrong shift', 'superblock-block-size', (d) => d.set(d.superblock, 40, 12)),
  {
    name: 'superblock: a block size that is no power of two',
    rule: 'superblock-block-size',
    seed: (d) => {
      d.set(d.superblock, 36, 768);
      return undefined;
    },
  },
  {
    name: 'superblock: another block size',
    rule: 'superblock-block-size',
    seed: (d) => {
      d.set(d.superblock, 36, 1024);
      return 64;
    },
  },
  ofSuperblock('segments of one block', 'superblock-segment', (d) => d.set(d.superblock, 44, 1)),
  ofSuperblock('segments of no block', 'superblock-segment', (d) => d.set(d.superblock, 44, 0)),
  ofSuperblock('a formal number that is no block', 'superblock-inode', (d) => d.set(d.superblock, 48, 1, 8)),
  ofSuperblock('quota and license the same inode', 'superblock-inode', (d) => {
    d.set(d.superblock, 240, d.special.quota, 8);
    d.set(d.superblock, 248, d.special.quota, 8);
  }),
  ofSuperblock('a root outside the device', 'superblock-inode', (d) => d.set(d.superblock, 88, FAR, 8)),
  ofSuperblock('a license inode in a free block', 'superblock-inode', (d) =>
    d.set(d.superblock, 248, d.freeBlock(), 8),
  ),
  {
    name: 'superblock: a root that is a file',
    rule: 'superblock-inode',
    seed: (d) => {
      const inode = d.inode('/stuffed');
      d.set(d.superblock, 80, inode, 8);
      d.set(d.superblock, 88, inode, 8);
      return inode;
    },
  },
  {
    name: 'superblock: a resource index that is no dinode',
    rule: 'resource-index',
    seed: (d) => {
      d.set(d.superblock, 72, d.freeBlock(), 8);
      return d.freeBlock();
    },
  },
  {
    name: 'superblock: a journal index that is no dinode',
    rule: 'journal-index',
    seed: (d) => {
      d.set(d.superblock, 56, d.freeBlock(), 8);
      return d.freeBlock();
    },
  },
  ofSuperblock('a lock protocol without an end', 'superblock-name', (d) =>
    d.block(d.superblock).fill(0x61, 96, 160),
  ),
  ofSuperblock('something behind the lock table', 'superblock-name', (d) => d.set(d.superblock, 220, 7)),
  ofSuperblock('flags', 'reserved-not-zero', (d) => d.set(d.superblock, 32, 1)),
  ofSuperblock('a reserved field', 'reserved-not-zero', (d) => d.set(d.superblock, 300, 1)),
  ofSuperblock('something behind it in its block', 'reserved-not-zero', (d) => d.set(d.superblock, 508, 1)),
];
