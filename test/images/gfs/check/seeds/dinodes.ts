import {
  DINODE,
  FAR,
  FIRST_DATA,
  FLAGS,
  HEIGHT,
  ofInode,
  ofSpecial,
  type SeededFault,
  TYPE,
} from './seed.js';

/** Row 8 to 12: dinodes and their trees. */
export const dinodeFaults: readonly SeededFault[] = [
  ofInode('/stuffed', 'another magic', 'dinode-header', (d, inode) => d.set(inode, 0, 0)),
  ofInode('/stuffed', 'another block format', 'dinode-header', (d, inode) => d.set(inode, 16, 401)),
  ofInode('/dir', 'another block type', 'dinode-header', (d, inode) => d.set(inode, 4, 5)),
  ofInode('/stuffed', 'another address', 'dinode-number', (d, inode) => d.add(inode, 32, 1, 8)),
  ofInode('/stuffed', 'another formal number', 'dinode-number', (d, inode) => d.add(inode, 24, 1, 8)),
  ofInode('/stuffed', 'an unknown type', 'dinode-type', (d, inode) => d.set(inode, TYPE, 9, 2)),
  ofInode('/stuffed', 'type bits in the mode', 'dinode-mode', (d, inode) =>
    d.set(inode, DINODE.mode, 0o100644),
  ),
  ofInode('/stuffed', 'more bytes than it holds', 'dinode-size', (d, inode) =>
    d.set(inode, DINODE.size, d.blockSize - FIRST_DATA + 1, 8),
  ),
  ofInode('/flat', 'more bytes than its height holds', 'dinode-size', (d, inode) =>
    d.set(inode, DINODE.size, ((d.blockSize - FIRST_DATA) / 8) * d.blockSize + 1, 8),
  ),
  ofInode('/flat', 'blocks behind its end', 'dinode-size', (d, inode) => d.set(inode, DINODE.size, 4000, 8)),
  ofInode('/tall', 'a size beyond all numbers', 'dinode-size', (d, inode) =>
    d.set(inode, DINODE.size, 0xffffffffffffffffn, 8),
  ),
  ofInode('/device', 'a size', 'dinode-size', (d, inode) => d.set(inode, DINODE.size, 1, 8)),
  ofInode('/flat', 'eleven levels', 'dinode-height', (d, inode) => d.set(inode, HEIGHT, 11, 2)),
  ofInode('/symlink', 'a tree', 'dinode-height', (d, inode) => d.set(inode, HEIGHT, 1, 2)),
  ofInode('/stuffed', 'one block too many', 'dinode-blocks', (d, inode) => d.add(inode, DINODE.blocks, 1, 8)),
  ofInode('/tall', 'one block too few', 'dinode-blocks', (d, inode) => d.add(inode, DINODE.blocks, -1, 8)),
  ofInode('/hashed', 'one block too few', 'dinode-blocks', (d, inode) => d.add(inode, DINODE.blocks, -1, 8)),
  ofInode('/stuffed', 'a payload format', 'dinode-payload', (d, inode) => d.set(inode, 132, 1200)),
  ofInode('/dir', 'no payload format', 'dinode-payload', (d, inode) => d.set(inode, 132, 0)),
  ofInode('/hashed', 'the payload format of a linear directory', 'dinode-payload', (d, inode) =>
    d.set(inode, 132, 1200),
  ),
  ofSpecial('quota', 'another payload format', 'dinode-payload', (d, inode) => d.set(inode, 132, 1000)),
  ofSpecial('license', 'another payload format', 'dinode-payload', (d, inode) => d.set(inode, 132, 1200)),
  ofSpecial('root', 'another payload format', 'dinode-payload', (d, inode) => d.set(inode, 132, 1500)),
  ofInode('/dir', 'no journaled data', 'dinode-flags', (d, inode) => d.set(inode, FLAGS, 0)),
  ofSpecial('journalIndex', 'no journaled data', 'dinode-flags', (d, inode) => d.set(inode, FLAGS, 0)),
  ofInode('/stuffed', 'a hash table', 'dinode-flags', (d, inode) => d.set(inode, FLAGS, 2)),
  ofInode('/stuffed', 'unused', 'dinode-flags', (d, inode) => d.set(inode, FLAGS, 4)),
  ofInode('/stuffed', 'an unknown flag', 'dinode-flags', (d, inode) => d.set(inode, FLAGS, 0x200)),
  ofInode('/stuffed', 'another resource group', 'dinode-group', (d, inode) =>
    d.set(inode, DINODE.group, d.group(1).address, 8),
  ),
  ofInode('/stuffed', 'no resource group', 'dinode-group', (d, inode) => d.block(inode).fill(0, 104, 128)),
  ofInode('/stuffed', 'a goal in no resource group', 'dinode-group', (d, inode) => d.add(inode, 112, 1, 8)),
  ofInode('/stuffed', 'a goal outside its resource group', 'dinode-group', (d, inode) =>
    d.set(inode, 120, d.group(0).data),
  ),
  ofInode('/stuffed', 'a reserved field', 'reserved-not-zero', (d, inode) => d.set(inode, 228, 1)),
  ofInode('/stuffed', 'a pad field', 'reserved-not-zero', (d, inode) => d.set(inode, 144, 1, 2)),
  ofInode('/stuffed', 'a time beyond all numbers', 'dinode-time', (d, inode) =>
    d.set(inode, DINODE.mtime, 0x7fffffffffffffffn, 8),
  ),
  ofInode('/symlink', 'no target', 'symlink-target', (d, inode) => d.set(inode, DINODE.size, 0, 8)),
  ofInode('/symlink', 'a target that goes on behind its end', 'symlink-target', (d, inode) =>
    d.set(inode, FIRST_DATA + 8, 0x61616161),
  ),
  ofInode('/symlink', 'a target with NUL', 'symlink-target', (d, inode) =>
    d.set(inode, FIRST_DATA + 2, 0, 2),
  ),
  ofInode('/symlink', 'a target as long as the block', 'symlink-target', (d, inode) => {
    d.block(inode).fill(0x61, FIRST_DATA);
    d.set(inode, DINODE.size, 280, 8);
  }),
  {
    name: 'an indirect block without its magic',
    rule: 'block-header',
    seed: (d) => {
      const block = d.target(d.inode('/tall'), 0);
      d.set(block, 0, 0);
      return block;
    },
  },
  {
    name: 'a reserved field of an indirect block',
    rule: 'reserved-not-zero',
    seed: (d) => {
      const block = d.target(d.inode('/tall'), 0);
      d.set(block, 80, 1);
      return block;
    },
  },
  {
    name: 'a block of a hash table of another type',
    rule: 'block-header',
    seed: (d) => {
      const block = d.target(d.inode('/large'), 0);
      d.set(block, 4, 5);
      return block;
    },
  },
  {
    name: 'extended attributes in a block of another type',
    rule: 'attribute-block',
    seed: (d) => {
      d.setState(d.freeBlock(), 3);
      d.set(d.inode('/stuffed'), 168, d.freeBlock(), 8);
      return d.freeBlock();
    },
  },
  {
    name: 'indirect extended attributes in a block of another type',
    rule: 'attribute-block',
    seed: (d) => {
      d.setState(d.freeBlock(), 3);
      d.set(d.inode('/stuffed'), FLAGS, 8);
      d.set(d.inode('/stuffed'), 168, d.freeBlock(), 8);
      return d.freeBlock();
    },
  },
  {
    name: 'values of extended attributes that are nowhere',
    rule: 'attribute-block',
    seed: (d) => {
      const block = d.freeBlock();
      d.set(block, 0, 0x01161970);
      d.set(block, 4, 10);
      d.set(block, 16, 1600);
      d.setState(block, 3);
      d.set(d.inode('/stuffed'), 168, block, 8);
      d.add(d.inode('/stuffed'), DINODE.blocks, 3, 8);
      return undefined;
    },
  },
  ofInode('/stuffed', 'extended attributes outside the device', 'block-location', (d, inode) =>
    d.set(inode, 168, FAR, 8),
  ),
];
