import { FAR, ofGroup, ofInode, type SeededFault } from './seed.js';

/** Row 5: headers, bitmaps and counters of resource groups. */
export const resourceGroupFaults: readonly SeededFault[] = [
  ofGroup('another magic', 'resource-group-header', (d, block) => d.set(block, 0, 0)),
  ofGroup('another block type', 'resource-group-header', (d, block) => d.set(block, 4, 3)),
  {
    name: 'resource group: another type of a bitmap block',
    rule: 'resource-group-header',
    seed: (d) => {
      d.set(d.group(0).address + 1, 4, 2);
      return d.group(0).address + 1;
    },
  },
  {
    name: 'resource group: something behind the bitmap',
    rule: 'reserved-not-zero',
    seed: (d) => {
      const last = d.group(0).address + d.group(0).length - 1;
      d.set(last, 508, 1);
      return last;
    },
  },
  ofGroup('free blocks', 'resource-group-counters', (d, block) => d.add(block, 28, 1)),
  ofGroup('dinodes in use', 'resource-group-counters', (d, block) => d.add(block, 32, 1)),
  ofGroup('free dinodes', 'resource-group-counters', (d, block) => d.add(block, 36, 1)),
  ofGroup('metadata in use', 'resource-group-counters', (d, block) => d.add(block, 56, -1)),
  ofGroup('free metadata', 'resource-group-counters', (d, block) => d.add(block, 60, 1)),
  ofGroup('a dinode counted as metadata', 'resource-group-counters', (d, block) => {
    d.add(block, 32, -1);
    d.add(block, 56, 1);
  }),
  ofGroup('flags', 'reserved-not-zero', (d, block) => d.set(block, 24, 1)),
  ofGroup('a reserved field', 'reserved-not-zero', (d, block) => d.set(block, 100, 1)),
  ofGroup('a list of unused dinodes outside it', 'block-location', (d, block) => {
    d.set(block, 36, 1);
    d.set(block, 48, d.group(1).firstData, 8);
  }),
  {
    name: 'resource group: an unused dinode that is none',
    rule: 'dinode-header',
    seed: (d) => {
      d.set(d.group(0).address, 36, 1);
      d.set(d.group(0).address, 48, d.freeBlock(), 8);
      return d.freeBlock();
    },
  },
];

/** Row 6 and 7: states of blocks, owners of blocks, where pointers lead. */
export const blockFaults: readonly SeededFault[] = [
  {
    name: 'a data block that is free',
    rule: 'block-state',
    seed: (d) => {
      const block = d.target(d.inode('/flat'), 2);
      d.setState(block, 0);
      return block;
    },
  },
  {
    name: 'a data block marked as metadata',
    rule: 'block-state',
    seed: (d) => {
      const block = d.target(d.inode('/flat'), 0);
      d.setState(block, 3);
      return block;
    },
  },
  ofInode('/dir/file', 'its block is free', 'block-state', (d, inode) => d.setState(inode, 0, false)),
  ofInode('/dir', 'its block is marked as data', 'block-state', (d, inode) => d.setState(inode, 1, false)),
  {
    name: 'an indirect block marked as free metadata',
    rule: 'block-state',
    seed: (d) => {
      const block = d.target(d.inode('/tall'), 0);
      d.setState(block, 2);
      return block;
    },
  },
  {
    name: 'a free block marked as data',
    rule: 'block-leak',
    seed: (d) => {
      d.setState(d.freeBlock(), 1);
      return d.freeBlock();
    },
  },
  {
    name: 'free blocks marked as metadata',
    rule: 'block-leak',
    seed: (d) => {
      for (let back = 3; back < 20; back++) d.setState(d.freeBlock(1, back), 3);
      return d.freeBlock(1, 19);
    },
  },
  {
    name: 'free metadata without a header',
    rule: 'block-header',
    seed: (d) => {
      d.setState(d.freeBlock(), 2);
      return d.freeBlock();
    },
  },
  {
    name: 'a data block of two files',
    rule: 'block-claimed-twice',
    seed: (d) => {
      const block = d.target(d.inode('/flat'), 1);
      d.set(d.inode('/tall'), d.topPointer(1), block, 8);
      return block;
    },
  },
  {
    name: 'a data block twice in one file',
    rule: 'block-claimed-twice',
    seed: (d) => {
      const block = d.target(d.inode('/flat'), 0);
      d.set(d.inode('/flat'), d.topPointer(1), block, 8);
      return block;
    },
  },
  {
    name: 'an indirect block below itself',
    rule: 'block-claimed-twice',
    seed: (d) => {
      const block = d.target(d.inode('/tall'), 0);
      d.set(block, d.indirectPointer(3), block, 8);
      return block;
    },
  },
  ofInode('/flat', 'a pointer outside the device', 'block-location', (d, inode) =>
    d.set(inode, d.topPointer(3), FAR, 8),
  ),
  ofInode('/flat', 'a pointer beyond all numbers', 'block-location', (d, inode) =>
    d.set(inode, d.topPointer(3), 0xffffffffffffffffn, 8),
  ),
  ofInode('/flat', 'a pointer into a journal', 'block-location', (d, inode) =>
    d.set(inode, d.topPointer(3), d.segment(1, 3), 8),
  ),
  ofInode('/flat', 'a pointer to the header of a resource group', 'block-location', (d, inode) =>
    d.set(inode, d.topPointer(3), d.group(0).address, 8),
  ),
  ofInode('/flat', 'a pointer to the superblock', 'block-location', (d, inode) =>
    d.set(inode, d.topPointer(3), d.superblock, 8),
  ),
  {
    name: 'an indirect block with a pointer outside the device',
    rule: 'block-location',
    seed: (d) => {
      const block = d.target(d.inode('/tall'), 0);
      d.set(block, d.indirectPointer(2), FAR, 8);
      return block;
    },
  },
];
