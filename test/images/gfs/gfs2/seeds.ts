import type { Gfs2Rule } from '../../../../images/gfs/gfs2/check/rules.js';
import type { Gfs2Damage } from './damage.js';

/** One fault put into a good image: the rule that must report it, and the block it must name. */
export interface Gfs2Seed {
  readonly name: string;
  readonly rule: Gfs2Rule;
  /** Damages the image; returns the block that the report must have. */
  readonly seed: (damage: Gfs2Damage) => number | Promise<number>;
}

/** A block outside every image here. */
const FAR = 0x7fffffff;
const FIRST_DATA = 232;

function seed(name: string, rule: Gfs2Rule, place: (d: Gfs2Damage) => number | Promise<number>): Gfs2Seed {
  return { name, rule, seed: place };
}

function ofSuperblock(name: string, rule: Gfs2Rule, change: (d: Gfs2Damage) => void): Gfs2Seed {
  return seed(`superblock: ${name}`, rule, (d) => {
    change(d);
    return d.superblock;
  });
}

/** A fault in the dinode at a path. */
function ofInode(
  path: string,
  name: string,
  rule: Gfs2Rule,
  change: (d: Gfs2Damage, inode: number) => void,
): Gfs2Seed {
  return seed(`dinode of ${path}: ${name}`, rule, (d) => {
    const inode = d.inode(path);
    change(d, inode);
    return inode;
  });
}

/** A fault in one of the filesystem's own dinodes. */
function ofOwn(
  which: 'inodeNumbers' | 'statfs' | 'resourceIndex' | 'quota' | 'journal' | 'quotaChange' | 'statfsChange',
  name: string,
  rule: Gfs2Rule,
  change: (d: Gfs2Damage, inode: number) => void,
): Gfs2Seed {
  return seed(`${which}: ${name}`, rule, (d) => {
    const [journal = 0] = d.files.journals;
    const [node] = d.files.nodes;
    const own = { ...d.files, journal, quotaChange: 0, statfsChange: 0, ...node };
    change(d, own[which]);
    return own[which];
  });
}

function ofGroup(name: string, rule: Gfs2Rule, change: (d: Gfs2Damage, address: number) => void): Gfs2Seed {
  return seed(`resource group: ${name}`, rule, (d) => {
    const { address } = d.group();
    change(d, address);
    return address;
  });
}

function ofDirent(
  directory: string,
  file: string,
  name: string,
  rule: Gfs2Rule,
  change: (d: Gfs2Damage, block: number, offset: number) => void,
): Gfs2Seed {
  return seed(`dirent of ${directory}/${file}: ${name}`, rule, (d) => {
    const { block, offset } = d.dirent(directory, file);
    change(d, block, offset);
    return block;
  });
}

function ofLeaf(name: string, rule: Gfs2Rule, change: (d: Gfs2Damage, leaf: number) => void): Gfs2Seed {
  return seed(`leaf of /hashed: ${name}`, rule, (d) => {
    const leaf = d.leaf('/hashed');
    change(d, leaf);
    return leaf;
  });
}

/** A fault in the block that a dinode names for its attributes. */
function ofAttributes(
  path: string,
  name: string,
  rule: Gfs2Rule,
  change: (d: Gfs2Damage, block: number) => void,
): Gfs2Seed {
  return seed(`attributes of ${path}: ${name}`, rule, (d) => {
    const block = d.attributes(path);
    change(d, block);
    return block;
  });
}

export const gfs2Seeds: readonly Gfs2Seed[] = [
  ofSuperblock('another magic', 'superblock-header', (d) => d.set(d.superblock, 0, 1)),
  ofSuperblock('a filesystem format of the future', 'superblock-format', (d) =>
    d.set(d.superblock, 24, 1803),
  ),
  ofSuperblock('another multihost format', 'superblock-format', (d) => d.set(d.superblock, 28, 1901)),
  ofSuperblock('a shift that is not its logarithm', 'superblock-block-size', (d) =>
    d.set(d.superblock, 40, 9),
  ),
  ofSuperblock('no end of the lock table', 'superblock-name', (d) =>
    d.block(d.superblock).fill(65, 160, 224),
  ),
  ofSuperblock('the root is a file', 'superblock-inode', (d) => d.set(d.superblock, 88, d.inode('/flat'), 8)),
  ofSuperblock('the root is outside', 'superblock-inode', (d) => d.set(d.superblock, 88, FAR, 8)),
  ofSuperblock('another formal number of the root', 'superblock-inode', (d) => d.add(d.superblock, 80, 1, 8)),
  ofSuperblock('the root is the master directory', 'superblock-inode', (d) =>
    d.set(d.superblock, 88, d.files.master, 8),
  ),

  seed('master: "rindex" has another name', 'system-file', (d) => {
    const block = d.block(d.files.master);
    block.write('r', block.indexOf('rindex') + 1, 'latin1');
    return d.files.master;
  }),
  ofOwn('inodeNumbers', 'too long', 'system-file', (d, inode) => d.set(inode, 56, 16, 8)),
  ofOwn('statfs', 'too short', 'system-file', (d, inode) => d.set(inode, 56, 8, 8)),
  ofOwn('quota', 'another payload format', 'system-file', (d, inode) => d.set(inode, 132, 0)),
  ofOwn('resourceIndex', 'a directory', 'system-file', (d, inode) => d.set(inode, 40, 0o040600)),
  ofOwn('statfsChange', 'a tree', 'system-file', (d, inode) => d.set(inode, 138, 1, 2)),

  ofOwn('resourceIndex', 'no whole records', 'resource-index', (d, inode) => d.add(inode, 56, -1, 8)),
  ofOwn('resourceIndex', 'a group outside the device', 'resource-index', (d) =>
    d.setGroupRecord(1, { address: FAR, firstData: FAR + 1 }),
  ),
  ofOwn('resourceIndex', 'groups that overlap', 'resource-index', (d) => d.setGroupRecord(1, d.group(0))),
  ofGroup('another magic', 'resource-group-header', (d, address) => d.set(address, 0, 0)),
  ofGroup('one free block too many', 'resource-group-counters', (d, address) => d.add(address, 28, 1)),
  ofGroup('one dinode too few', 'resource-group-counters', (d, address) => d.add(address, 32, -1)),
  ofGroup('a checksum that does not hold', 'resource-group-copies', (d, address) => d.add(address, 64, 1)),
  ofGroup('other data blocks', 'resource-group-copies', (d, address) => {
    d.add(address, 48, 1, 8);
    d.sign(d.group());
  }),
  ofGroup('fewer bitmap bytes', 'resource-group-copies', (d, address) => {
    d.add(address, 60, -1);
    d.sign(d.group());
  }),
  ofGroup('a way to the next group that leads nowhere', 'resource-group-copies', (d, address) => {
    d.add(address, 36, 1);
    d.sign(d.group());
  }),
  seed('resource group: something behind the bitmap', 'reserved-not-zero', (d) => {
    const { address, length } = d.group();
    d.block(address + length - 1).fill(1, d.blockSize - 1);
    return address + length - 1;
  }),

  seed('bitmap: a file marked as free', 'block-state', (d) => {
    d.setState(d.inode('/stuffed'), 0);
    return d.inode('/stuffed');
  }),
  seed('bitmap: a dinode marked as unlinked', 'block-state', (d) => {
    d.setState(d.inode('/stuffed'), 2);
    return d.inode('/stuffed');
  }),
  seed('bitmap: data marked as a dinode', 'block-state', (d) => {
    const block = d.target(d.inode('/flat'), 1);
    d.setState(block, 3);
    return block;
  }),
  seed('bitmap: attributes marked as free', 'block-state', (d) => {
    d.setState(d.attributes('/attributes'), 0);
    return d.attributes('/attributes');
  }),
  seed('bitmap: a free block marked as used', 'block-leak', (d) => {
    d.setState(d.freeBlock(), 1);
    return d.freeBlock();
  }),
  seed('bitmap: a free block marked as unlinked', 'block-leak', (d) => {
    d.setState(d.freeBlock(), 2);
    return d.freeBlock();
  }),
  seed('/flat: a pointer to data of /owned', 'block-claimed-twice', (d) => {
    d.set(d.inode('/owned'), FIRST_DATA, d.target(d.inode('/flat')), 8);
    return d.target(d.inode('/flat'));
  }),
  ofInode('/flat', 'a pointer outside', 'block-location', (d, inode) => d.set(inode, FIRST_DATA, FAR, 8)),
  ofInode('/flat', 'a pointer to a bitmap', 'block-location', (d, inode) =>
    d.set(inode, FIRST_DATA, d.group().address, 8),
  ),

  ofInode('/stuffed', 'another magic', 'dinode-header', (d, inode) => d.set(inode, 0, 0)),
  ofInode('/dir', 'another block type', 'dinode-header', (d, inode) => d.set(inode, 4, 5)),
  ofInode('/stuffed', 'another address', 'dinode-number', (d, inode) => d.add(inode, 32, 1, 8)),
  ofInode('/stuffed', 'no formal number', 'dinode-number', (d, inode) => d.set(inode, 24, 0, 8)),
  ofInode('/stuffed', 'a generation that is still to come', 'dinode-generation', (d, inode) =>
    d.set(inode, 120, 1_000_000, 8),
  ),
  ofInode('/stuffed', 'an unknown type', 'dinode-type', (d, inode) => d.set(inode, 40, 0o030644)),
  ofInode('/stuffed', 'more bytes than it holds', 'dinode-size', (d, inode) =>
    d.set(inode, 56, d.blockSize - FIRST_DATA + 1, 8),
  ),
  ofInode('/tall', 'a size beyond all numbers', 'dinode-size', (d, inode) =>
    d.set(inode, 56, 0xffffffffffffffffn, 8),
  ),
  ofInode('/device', 'a size', 'dinode-size', (d, inode) => d.set(inode, 56, 1, 8)),
  ofInode('/dir', 'a linear directory that is too short', 'dinode-size', (d, inode) =>
    d.add(inode, 56, -8, 8),
  ),
  ofInode('/flat', 'eleven levels', 'dinode-height', (d, inode) => d.set(inode, 138, 11, 2)),
  ofInode('/symlink', 'a tree', 'dinode-height', (d, inode) => d.set(inode, 138, 1, 2)),
  ofInode('/stuffed', 'one block too many', 'dinode-blocks', (d, inode) => d.add(inode, 64, 1, 8)),
  ofInode('/tall', 'one block too few', 'dinode-blocks', (d, inode) => d.add(inode, 64, -1, 8)),
  ofInode('/hashed', 'one block too few', 'dinode-blocks', (d, inode) => d.add(inode, 64, -1, 8)),
  ofInode('/attributes', 'without the blocks of its attributes', 'dinode-blocks', (d, inode) =>
    d.add(inode, 64, -1, 8),
  ),
  ofInode('/stuffed', 'a payload format', 'dinode-payload', (d, inode) => d.set(inode, 132, 1200)),
  ofInode('/dir', 'no payload format', 'dinode-payload', (d, inode) => d.set(inode, 132, 0)),
  ofInode('/dir', 'no journaled data', 'dinode-flags', (d, inode) => d.set(inode, 128, 0)),
  ofInode('/stuffed', 'a hash table', 'dinode-flags', (d, inode) => d.set(inode, 128, 2)),
  ofInode('/stuffed', 'an unknown flag', 'dinode-flags', (d, inode) => d.set(inode, 128, 0x800)),
  ofInode('/stuffed', 'a goal outside', 'dinode-goal', (d, inode) => d.set(inode, 104, FAR, 8)),
  ofInode('/stuffed', 'a second of nanoseconds', 'dinode-time', (d, inode) =>
    d.set(inode, 180, 1_000_000_000),
  ),
  ofInode('/stuffed', 'a time beyond all calendars', 'dinode-time', (d, inode) =>
    d.set(inode, 80, 0x7fffffffffffffffn, 8),
  ),
  ofInode('/symlink', 'too long a target', 'symlink-target', (d, inode) => d.add(inode, 56, 1, 8)),
  ofInode('/symlink', 'no target', 'symlink-target', (d, inode) => d.set(inode, 56, 0, 8)),
  ofInode('/link-1', 'a link too many', 'link-count', (d, inode) => d.add(inode, 52, 1)),
  ofInode('/dir', 'a link too few', 'link-count', (d, inode) => d.add(inode, 52, -1)),

  seed('/tall: an indirect block with another magic', 'block-header', (d) => {
    const block = d.target(d.inode('/tall'));
    d.set(block, 0, 0);
    return block;
  }),
  seed('/large: a block of the hash table of another type', 'block-header', (d) => {
    const block = d.target(d.inode('/large'));
    d.set(block, 4, 5);
    return block;
  }),

  ofAttributes('/attributes', 'another magic', 'attribute-block', (d, block) => d.set(block, 0, 0)),
  ofAttributes('/many-attributes', 'no indirect block', 'attribute-block', (d, block) => d.set(block, 4, 10)),
  seed('attributes of /large-attribute: a value of another type', 'attribute-block', (d) => {
    // Header of the block, of the record, and the name "large" up to the next multiple of 8.
    const block = d.get(d.attributes('/large-attribute'), 24 + 16 + 8, 8);
    d.set(block, 4, 10);
    return block;
  }),
  ofAttributes('/attributes', 'a record of no length', 'attribute-record', (d, block) => d.set(block, 24, 0)),
  ofAttributes('/attributes', 'a record that is too long', 'attribute-record', (d, block) =>
    d.set(block, 24, d.blockSize),
  ),
  ofAttributes('/attributes', 'an unknown type', 'attribute-record', (d, block) => d.set(block, 33, 5, 1)),
  ofAttributes('/attributes', 'no name', 'attribute-record', (d, block) => d.set(block, 32, 0, 1)),
  ofAttributes('/attributes', 'a value that is too long', 'attribute-record', (d, block) =>
    d.set(block, 28, 1000),
  ),
  ofAttributes('/attributes', 'a last record in the middle', 'attribute-record', (d, block) =>
    d.set(block, 34, 1, 1),
  ),
  ofAttributes('/attributes', 'one name twice', 'attribute-record', (d, block) =>
    d.block(block).write('a', d.block(block).indexOf('b'), 'latin1'),
  ),
  ofAttributes('/large-attribute', 'a block too few', 'attribute-record', (d, block) =>
    d.add(block, 35, -1, 1),
  ),
  ofInode('/attributes', 'attributes outside', 'block-location', (d, inode) => d.set(inode, 168, FAR, 8)),
  seed('attributes of two inodes', 'block-claimed-twice', (d) => {
    d.set(d.inode('/stuffed'), 168, d.attributes('/attributes'), 8);
    return d.attributes('/attributes');
  }),

  ofDirent('/dir', 'file', 'a record that is too short', 'dirent-chain', (d, block, offset) =>
    d.set(block, offset + 20, 8, 2),
  ),
  ofDirent('/dir', 'file', 'a name with "/"', 'dirent-name', (d, block, offset) =>
    d.block(block).write('/', offset + 40, 'latin1'),
  ),
  ofDirent('/dir', 'file', 'another hash', 'dirent-hash', (d, block, offset) => d.add(block, offset + 16, 1)),
  ofDirent('/dir', 'file', 'the type of a directory', 'dirent-type', (d, block, offset) =>
    d.set(block, offset + 24, 4, 2),
  ),
  ofDirent('/dir', 'file', 'an open type', 'dirent-type', (d, block, offset) =>
    d.set(block, offset + 24, 0, 2),
  ),
  ofDirent('/', 'device', 'the type of another device', 'dirent-type', (d, block, offset) =>
    d.set(block, offset + 24, 2, 2),
  ),
  ofDirent('/dir', 'file', 'another formal number', 'dirent-formal', (d, block, offset) =>
    d.add(block, offset, 1000, 8),
  ),
  ofDirent('/dir', 'file', 'a block that is no dinode', 'dirent-target', (d, block, offset) =>
    d.set(block, offset + 8, d.target(d.inode('/flat')), 8),
  ),
  ofDirent('/dir', 'sub', 'a directory with two names', 'directory-parents', (d, block) => {
    const { offset } = d.dirent('/dir', 'file');
    const other = d.dirent('/dir', 'sub').offset;
    d.block(block).copy(d.block(block), offset, other, other + 16);
    d.set(block, offset + 24, 4, 2);
  }),
  ofInode('/dir', 'another parent', 'directory-dots', (d, inode) =>
    d.add(inode, d.dirent('/dir', '..').offset + 8, 1, 8),
  ),
  ofInode('/dir', 'another formal number of itself', 'directory-dots', (d, inode) =>
    d.add(inode, d.dirent('/dir', '.').offset, 1, 8),
  ),
  ofInode('/dir', 'an entry too many', 'directory-entries', (d, inode) => d.add(inode, 148, 1)),
  ofInode('/hashed', 'a table that is too short', 'directory-table', (d, inode) => d.set(inode, 56, 8, 8)),
  ofInode('/hashed', 'a pointer to nothing', 'directory-table', (d, inode) => d.set(inode, FIRST_DATA, 0, 8)),
  ofLeaf('another magic', 'leaf-header', (d, leaf) => d.set(leaf, 0, 0)),
  ofLeaf('dirents of another format', 'leaf-header', (d, leaf) => d.set(leaf, 28, 1201)),
  ofLeaf('another directory', 'leaf-directory', (d, leaf) => d.add(leaf, 40, 1, 8)),
  ofLeaf('another depth', 'leaf-depth', (d, leaf) => d.add(leaf, 24, 1, 2)),
  ofLeaf('one entry too many', 'leaf-names', (d, leaf) => d.add(leaf, 26, 1, 2)),

  ofOwn('journal', 'no whole blocks', 'journal-file', (d, inode) => d.add(inode, 56, -1, 8)),
  ofOwn('journal', 'a hole', 'journal-file', (d, inode) => d.set(d.target(inode), 24, 0, 8)),
  ofOwn('journal', 'no log header', 'journal-header', (d) => {
    const [journal = 0] = d.files.journals;
    // The blocks that the journal's indirect blocks point at follow each other.
    const first = d.get(d.target(journal), 24, 8);
    for (let block = first; block < first + 8192; block++) d.add(block, 44, 1);
  }),
  seed('journal: a head that waits to be replayed', 'journal-dirty', async (d) => {
    const head = await d.journalHead();
    d.setLogFlags(head, 0);
    return head;
  }),

  ofOwn('statfs', 'one block too many', 'statfs-value', (d, inode) => d.add(inode, FIRST_DATA, 1, 8)),
  ofOwn('statfs', 'one free block too few', 'statfs-value', (d, inode) =>
    d.add(inode, FIRST_DATA + 8, -1, 8),
  ),
  ofOwn('statfs', 'one dinode too many', 'statfs-value', (d, inode) => d.add(inode, FIRST_DATA + 16, 1, 8)),
  seed('statfs change: a free block more', 'statfs-value', (d) => {
    d.add(d.files.nodes[0]?.statfsChange ?? 0, FIRST_DATA + 8, 1, 8);
    return d.files.statfs;
  }),
  seed('quota change: a block without a header', 'quota-change', (d) => {
    const block = d.target(d.files.nodes[0]?.quotaChange ?? 0);
    const first = d.get(block, 4) === 5 ? d.get(block, 24, 8) : block;
    d.set(first, 0, 0);
    return first;
  }),
  ofOwn('quotaChange', 'no whole blocks', 'quota-change', (d, inode) => d.add(inode, 56, -1, 8)),
  ofOwn('quota', 'no whole records', 'quota-file', (d, inode) => d.add(inode, 56, -1, 8)),
  ofOwn('quota', 'no records', 'quota-file', (d, inode) => d.set(inode, 56, 0, 8)),
  ofOwn('quota', 'another value of user 3', 'quota-value', (d, inode) =>
    d.add(d.target(inode), 6 * 88 + 16, 1, 8),
  ),
  ofOwn('quota', 'another value of group 0', 'quota-value', (d, inode) =>
    d.add(d.target(inode), 88 + 16, -1, 8),
  ),
  ofOwn('quota', 'a value of nobody', 'quota-value', (d, inode) => d.set(d.target(inode), 2 * 88 + 16, 5, 8)),
];
