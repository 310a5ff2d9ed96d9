import type { Rule } from '../../../../images/gfs/check/rules.js';
import { hashOfName } from '../../../../images/gfs/dirent.js';
import type { Damage } from './damage.js';

/** One fault put into a good image: the rule that must report it, and the block it must name. */
export interface SeededFault {
  readonly name: string;
  readonly rule: Rule;
  /** Damages the image; returns the block that the report must have, undefined for a report without one. */
  readonly seed: (damage: Damage) => number | undefined;
}

/** Fields that several seeds change. */
const DINODE = { number: 24, mode: 40, links: 52, size: 56, blocks: 64, mtime: 80, group: 104 } as const;
const FLAGS = 128;
const TYPE = 136;
const HEIGHT = 138;
const FIRST_DATA = 232;
const FAR = 0x7fffffff;

/** A fault in a field of the superblock. */
function ofSuperblock(name: string, rule: Rule, seed: (damage: Damage) => void): SeededFault {
  return {
    name: `superblock: ${name}`,
    rule,
    seed: (damage) => {
      seed(damage);
      return damage.superblock;
    },
  };
}

/** A fault in the dinode at a path. */
function ofInode(
  path: string,
  name: string,
  rule: Rule,
  seed: (damage: Damage, inode: number) => void,
): SeededFault {
  return {
    name: `dinode of ${path}: ${name}`,
    rule,
    seed: (damage) => {
      const inode = damage.inode(path);
      seed(damage, inode);
      return inode;
    },
  };
}

/** A fault in one of the filesystem's own inodes. */
function ofSpecial(
  inode: 'journalIndex' | 'resourceIndex' | 'quota' | 'license' | 'root',
  name: string,
  rule: Rule,
  seed: (damage: Damage, inode: number) => void,
): SeededFault {
  return {
    name: `${inode}: ${name}`,
    rule,
    seed: (damage) => {
      seed(damage, damage.special[inode]);
      return damage.special[inode];
    },
  };
}

/** A fault in the header block of the first resource group. */
function ofGroup(name: string, rule: Rule, seed: (damage: Damage, address: number) => void): SeededFault {
  return {
    name: `resource group: ${name}`,
    rule,
    seed: (damage) => {
      const { address } = damage.group(0);
      seed(damage, address);
      return address;
    },
  };
}

/** A fault in the dirent of a name; the report names the block it stands in. */
function ofDirent(
  directory: string,
  file: string,
  name: string,
  rule: Rule,
  seed: (damage: Damage, block: number, offset: number) => void,
): SeededFault {
  return {
    name: `dirent of ${directory}/${file}: ${name}`,
    rule,
    seed: (damage) => {
      const { block, offset } = damage.dirent(directory, file);
      seed(damage, block, offset);
      return block;
    },
  };
}

/** A fault in a leaf with names, of a directory. */
function ofLeaf(
  directory: string,
  name: string,
  rule: Rule,
  seed: (damage: Damage, leaf: number) => void,
): SeededFault {
  return {
    name: `leaf of ${directory}: ${name}`,
    rule,
    seed: (damage) => {
      const leaf = damage.leaf(directory, (block) => damage.get(block, 26, 2) > 1);
      seed(damage, leaf);
      return leaf;
    },
  };
}

/** A fault in the log header of a segment of the first journal. */
function ofLog(
  segment: number,
  name: string,
  rule: Rule,
  seed: (damage: Damage, block: number) => void,
): SeededFault {
  return {
    name: `journal: ${name}`,
    rule,
    seed: (damage) => {
      const block = damage.segment(0, segment);
      seed(damage, block);
      return block;
    },
  };
}

/** Row 1 to 4 of the format document's table in §8: superblock, indexes. */
const superblock: readonly SeededFault[] = [
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

const resourceIndex: readonly SeededFault[] = [
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

const journalIndex: readonly SeededFault[] = [
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

/** Row 5: headers, bitmaps and counters of resource groups. */
const resourceGroups: readonly SeededFault[] = [
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
const blocks: readonly SeededFault[] = [
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

/** Row 8 to 12: dinodes and their trees. */
const dinodes: readonly SeededFault[] = [
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

/** Row 10 and 13 to 17: directories and links. */
const directories: readonly SeededFault[] = [
  ofDirent('/dir', 'file', 'another hash', 'dirent-hash', (d, block, at) => d.add(block, at + 16, 1)),
  ofDirent('/hashed', 'name-7', 'another hash', 'dirent-hash', (d, block, at) => d.add(block, at + 16, 1)),
  ofDirent('/dir', 'file', 'no length', 'dirent-chain', (d, block, at) => d.set(block, at + 20, 0, 2)),
  ofDirent('/dir', 'file', 'a length that is no multiple of 8', 'dirent-chain', (d, block, at) =>
    d.add(block, at + 20, 4, 2),
  ),
  ofDirent('/dir', 'file', 'longer than its block', 'dirent-chain', (d, block, at) =>
    d.set(block, at + 20, 512, 2),
  ),
  ofDirent('/dir', 'file', 'a name longer than the record', 'dirent-chain', (d, block, at) =>
    d.set(block, at + 22, 200, 2),
  ),
  ofDirent('/dir', 'file', 'no name', 'dirent-name', (d, block, at) => d.set(block, at + 22, 0, 2)),
  ofDirent('/dir', 'file', 'a slash in the name', 'dirent-name', (d, block, at) => {
    d.block(block).write('fi/e', at + 40);
    d.set(block, at + 16, hashOfName('fi/e'));
  }),
  ofDirent('/dir', 'file', 'a NUL in the name', 'dirent-name', (d, block, at) => {
    d.block(block).write('fi\0e', at + 40);
    d.set(block, at + 16, hashOfName('fi\0e'));
  }),
  ofDirent('/dir', 'file', 'the name of another', 'dirent-name', (d, block, at) => {
    d.block(block).write('next', at + 40);
    d.set(block, at + 16, hashOfName('next'));
  }),
  ofDirent('/dir', 'file', 'another type', 'dirent-type', (d, block, at) => d.set(block, at + 24, 2, 2)),
  ofDirent('/dir', '..', 'another type', 'dirent-type', (d, block, at) => d.set(block, at + 24, 1, 2)),
  ofDirent('/dir', 'file', 'another formal number', 'dirent-formal', (d, block, at) =>
    d.add(block, at, 1, 8),
  ),
  ofDirent('/dir', 'file', 'a data block', 'dirent-target', (d, block, at) =>
    d.set(block, at + 8, d.target(d.inode('/flat'), 0), 8),
  ),
  ofDirent('/dir', 'file', 'a free block', 'dirent-target', (d, block, at) =>
    d.set(block, at + 8, d.freeBlock(), 8),
  ),
  ofDirent('/dir', 'file', 'a second name of a directory', 'directory-parents', (d, block, at) => {
    const target = d.inode('/hashed');
    d.set(block, at, target, 8);
    d.set(block, at + 8, target, 8);
    d.set(block, at + 24, 2, 2);
  }),
  ofDirent('/dir/sub', 'deep', 'the directory above', 'directory-parents', (d, block, at) => {
    const target = d.inode('/dir');
    d.set(block, at, target, 8);
    d.set(block, at + 8, target, 8);
    d.set(block, at + 24, 2, 2);
  }),
  {
    name: 'a lost name',
    rule: 'block-leak',
    seed: (d) => {
      const inode = d.inode('/dir/file');
      const { block, offset } = d.dirent('/dir', 'file');
      d.set(block, offset, 0, 8);
      return inode;
    },
  },
  ofDirent('/dir', '.', 'another directory', 'directory-dots', (d, block, at) =>
    d.set(block, at + 8, d.inode('/hashed'), 8),
  ),
  ofDirent('/dir/sub', '..', 'not the parent', 'directory-dots', (d, block, at) => {
    d.set(block, at, d.special.root, 8);
    d.set(block, at + 8, d.special.root, 8);
  }),
  ofDirent('/dir', '.', 'missing', 'directory-dots', (d, block, at) => d.set(block, at, 0, 8)),
  {
    name: 'a name for the quota file',
    rule: 'link-count',
    seed: (d) => {
      const { block, offset } = d.dirent('/dir', 'file');
      d.set(block, offset, d.special.quota, 8);
      d.set(block, offset + 8, d.special.quota, 8);
      return d.special.quota;
    },
  },
  ofInode('/dir', 'one entry too many', 'directory-entries', (d, inode) => d.add(inode, 148, 1)),
  ofInode('/hashed', 'one entry too few', 'directory-entries', (d, inode) => d.add(inode, 148, -1)),
  ofInode('/dir', 'another size', 'dinode-size', (d, inode) => d.add(inode, DINODE.size, -8, 8)),
  ofInode('/dir', 'a depth without a hash table', 'dinode-size', (d, inode) => d.set(inode, 146, 3, 2)),
  ofInode('/hashed', 'another depth', 'directory-table', (d, inode) => d.add(inode, 146, 1, 2)),
  ofInode('/hashed', 'another size', 'directory-table', (d, inode) => d.add(inode, DINODE.size, -8, 8)),
  ofInode('/chained', 'a depth of 18', 'directory-table', (d, inode) => {
    d.set(inode, 146, 18, 2);
    d.set(inode, DINODE.size, 8 * 2 ** 18, 8);
  }),
  ofInode('/hashed', 'a pointer that leads nowhere', 'directory-table', (d, inode) =>
    d.set(inode, d.topPointer(0), 0, 8),
  ),
  ofInode('/hashed', 'a pointer to a leaf outside the device', 'block-location', (d, inode) =>
    d.set(inode, d.topPointer(0), FAR, 8),
  ),
  ofLeaf('/hashed', 'another magic', 'leaf-header', (d, leaf) => d.set(leaf, 0, 0)),
  ofLeaf('/hashed', 'another format of dirents', 'leaf-header', (d, leaf) => d.set(leaf, 28, 1201)),
  ofLeaf('/hashed', 'a reserved field', 'reserved-not-zero', (d, leaf) => d.set(leaf, 60, 1)),
  ofLeaf('/hashed', 'another depth', 'leaf-depth', (d, leaf) => d.add(leaf, 24, 1, 2)),
  ofLeaf('/large', 'deeper than the table', 'leaf-depth', (d, leaf) => d.set(leaf, 24, 30, 2)),
  ofLeaf('/hashed', 'one entry too many', 'leaf-names', (d, leaf) => d.add(leaf, 26, 1, 2)),
  ofLeaf('/hashed', 'itself as the next leaf', 'block-claimed-twice', (d, leaf) => d.set(leaf, 32, leaf, 8)),
  {
    name: 'leaf of /hashed: pointers in two places',
    rule: 'leaf-depth',
    seed: (d) => {
      const table = d.table('/hashed');
      const [first = 0] = table;
      d.set(d.inode('/hashed'), d.topPointer(table.length - 1), first, 8);
      return first;
    },
  },
  {
    name: 'leaves of /hashed: in each other’s places',
    rule: 'leaf-names',
    seed: (d) => {
      const table = d.table('/hashed');
      const deepest = table.filter((leaf) => 2 ** (5 - d.get(leaf, 24, 2)) === 2);
      const [first = 0] = deepest;
      const second = deepest.find((leaf) => leaf !== first) ?? 0;
      for (const [index, leaf] of table.entries()) {
        const other = leaf === first ? second : leaf === second ? first : leaf;
        d.set(d.inode('/hashed'), d.topPointer(index), other, 8);
      }
      return first;
    },
  },
  {
    name: 'leaf of /chained: another depth in a chain',
    rule: 'leaf-depth',
    seed: (d) => {
      const first = d.leaf('/chained', (leaf) => d.get(leaf, 32, 8) !== 0);
      const next = d.get(first, 32, 8);
      d.add(next, 24, -1, 2);
      return next;
    },
  },
  {
    name: 'leaf of /chained: an empty one of two records',
    rule: 'dirent-chain',
    seed: (d) => {
      const empty = d.leaf('/chained', (leaf) => d.get(leaf, 26, 2) === 0);
      d.set(empty, 104 + 20, 48, 2);
      d.set(empty, 104 + 48 + 20, 512 - 104 - 48, 2);
      return empty;
    },
  },
  ofInode('/link-1', 'one link too many', 'link-count', (d, inode) => d.add(inode, DINODE.links, 1)),
  ofInode('/stuffed', 'no link', 'link-count', (d, inode) => d.set(inode, DINODE.links, 0)),
  ofInode('/dir', 'one link too few', 'link-count', (d, inode) => d.add(inode, DINODE.links, -1)),
  ofSpecial('root', 'one link too many', 'link-count', (d, inode) => d.add(inode, DINODE.links, 1)),
  ofSpecial('license', 'two links', 'link-count', (d, inode) => d.set(inode, DINODE.links, 2)),
];

/** The last row: what no external tool looks at. */
const journals: readonly SeededFault[] = [
  ofLog(0, 'no header', 'journal-header', (d, block) => d.block(block).fill(0)),
  ofLog(7, 'another block type', 'journal-header', (d, block) => d.setLog(block, 4, 9)),
  ofLog(7, 'one copy differs', 'journal-copies', (d, block) => d.add(block, 384 + 40, 1, 8)),
  ofLog(7, 'no second copy', 'journal-copies', (d, block) => d.block(block).fill(0, 384)),
  ofLog(7, 'another first block', 'journal-header', (d, block) => d.setLog(block, 32, block + 1, 8)),
  ofLog(7, 'a first block outside the journal', 'journal-header', (d, block) => {
    d.setLog(block, 24, 0);
    d.setLog(block, 32, d.segment(1, 0), 8);
  }),
  ofLog(7, 'a sequence too low', 'journal-sequence', (d, block) => d.setLog(block, 40, 2, 8)),
  ofLog(7, 'a sequence too high', 'journal-sequence', (d, block) => d.setLog(block, 40, 9999, 8)),
  ofLog(7, 'the sequence of another', 'journal-sequence', (d, block) => d.setLog(block, 40, 50, 8)),
  {
    name: 'journal: one sequence everywhere',
    rule: 'journal-sequence',
    seed: (d) => {
      for (let segment = 0; segment < d.journal(0).segments; segment++) {
        d.setLog(d.segment(0, segment), 40, 5, 8);
      }
      return d.segment(0, 1);
    },
  },
  {
    name: 'journal: its head is not clean',
    rule: 'journal-dirty',
    seed: (d) => {
      const head = d.segment(1, d.journal(1).segments - 1);
      d.setLog(head, 24, 0);
      return head;
    },
  },
  ofLog(3, 'a reserved field', 'reserved-not-zero', (d, block) => d.setLog(block, 120, 1)),
];

const quota: readonly SeededFault[] = [
  ofSpecial('quota', 'half a record', 'quota-file', (d, inode) => d.add(inode, DINODE.size, 1, 8)),
  ofSpecial('quota', 'one record', 'quota-file', (d, inode) => d.set(inode, DINODE.size, 88, 8)),
  ofSpecial('quota', 'another value', 'quota-value', (d, inode) =>
    d.add(firstQuotaBlock(d, inode), 24 + 16, 1, 8),
  ),
  ofSpecial('quota', 'a value for a group that owns nothing', 'quota-value', (d, inode) =>
    // Record 3, group 1: it lies in the same journaled block.
    d.set(firstQuotaBlock(d, inode), 24 + 3 * 88 + 16, 5, 8),
  ),
  ofSpecial('quota', 'no record for an owner', 'quota-value', (d, inode) =>
    d.set(inode, DINODE.size, 4 * 88, 8),
  ),
  ofSpecial('quota', 'a reserved field', 'reserved-not-zero', (d, inode) =>
    d.set(firstQuotaBlock(d, inode), 24 + 80, 1, 8),
  ),
];

/** With owners beyond root the file does not fit behind a dinode of 512 bytes. */
function firstQuotaBlock(damage: Damage, inode: number): number {
  return damage.target(inode, 0);
}

export const seededFaults: readonly SeededFault[] = [
  ...superblock,
  ...resourceIndex,
  ...journalIndex,
  ...resourceGroups,
  ...blocks,
  ...dinodes,
  ...directories,
  ...journals,
  ...quota,
];
