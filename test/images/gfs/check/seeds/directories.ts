import { hashOfName } from '../../../../../images/gfs/dirent.js';
import { DINODE, FAR, ofDirent, ofInode, ofLeaf, ofSpecial, type SeededFault } from './seed.js';

/** Row 10 and 13 to 17: directories and links. */
export const directoryFaults: readonly SeededFault[] = [
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
