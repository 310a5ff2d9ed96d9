import { beforeAll, expect, test } from 'vitest';
import { Pace } from '../../../../images/bytes/pace.js';
import { checkOpenGfs } from '../../../../images/gfs/check/check.js';
import { Damage } from './damage.js';
import { type MemoryImage, makeImage } from './memory-image.js';
import { subjectTree } from './subject.js';

const MAGIC = 0x01161970;
const DINODE_FLAGS = 128;
const ATTRIBUTES = 168;

let good: MemoryImage;

beforeAll(async () => {
  good = await makeImage(8, { blockSize: 512 }, subjectTree());
});

/** Puts the header of a metadata block into a block that is to be one. */
function header(damage: Damage, block: number, type: number, format: number): void {
  damage.set(block, 0, MAGIC);
  damage.set(block, 4, type);
  damage.set(block, 16, format);
}

/** Gives root's user and group this many blocks more, as the quota file counts them. */
function own(damage: Damage, blocks: number): void {
  const records = damage.target(damage.special.quota, 0);
  for (const record of [0, 1]) damage.add(records, 24 + record * 88 + 16, blocks, 8);
}

/** Adds `blocks` to what the dinode at a path counts. */
function count(damage: Damage, path: string, blocks: number): void {
  damage.add(damage.inode(path), 64, blocks, 8);
  own(damage, blocks);
}

/** Forms that mkfs and populate never write, but others may have: each is right as it is. */
const unusual: readonly (readonly [string, (damage: Damage) => void])[] = [
  [
    'the numbers of the period',
    (d) => {
      d.set(d.superblock, 24, 1308);
      d.set(d.superblock, 28, 1400);
    },
  ],
  [
    'neither quota nor license',
    (d) => {
      d.block(d.superblock).fill(0, 224, 256);
      const pointers = [d.target(d.special.quota, 0), d.target(d.special.quota, 1)];
      for (const block of pointers.filter((pointer) => pointer !== 0)) d.setState(block, 0);
      for (const inode of [d.special.quota, d.special.license]) {
        d.setState(inode, 0, false);
        d.add(d.groupOf(inode).address, 28, 1);
        d.add(d.groupOf(inode).address, 32, -1);
      }
    },
  ],
  [
    'a journal whose sequences begin elsewhere',
    (d) => {
      const { segments } = d.journal(0);
      for (let segment = 0; segment < segments; segment++)
        d.setLog(d.segment(0, segment), 40, (segment + 89) % segments, 8);
    },
  ],
  [
    'a journal that was written round, and unmounted cleanly',
    (d) => {
      const { address, segments } = d.journal(1);
      for (let segment = 0; segment < 20; segment++) {
        const block = d.segment(1, segment);
        d.setLog(block, 40, segments + segment, 8);
        d.setLog(block, 24, segment === 19 ? 1 : 0);
        d.setLog(block, 32, segment === 19 ? block : address, 8);
        d.setLog(block, 48, 3, 8);
        d.setLog(block, 8, 77, 8);
      }
    },
  ],
  [
    'blocks kept for metadata',
    (d) => {
      for (let back = 1; back <= 64; back++) {
        header(d, d.freeBlock(0, back), 0, 0);
        d.setState(d.freeBlock(0, back), 2);
      }
    },
  ],
  [
    'unused dinodes',
    (d) => {
      const [first, second] = [d.freeBlock(0, 5), d.freeBlock(0, 9)];
      const { address } = d.group(0);
      for (const [block, next] of [
        [first, second],
        [second, 0],
      ] as const) {
        header(d, block, 4, 400);
        d.set(block, DINODE_FLAGS, 4);
        d.set(block, 152, next, 8);
        d.set(block, 160, next, 8);
        d.setState(block, 3, false);
        d.add(address, 28, -1);
        d.add(address, 36, 1);
      }
      d.set(address, 40, first, 8);
      d.set(address, 48, first, 8);
    },
  ],
  [
    'a tree with a level more than it needs',
    (d) => {
      const inode = d.inode('/owned');
      const indirect = d.freeBlock();
      header(d, indirect, 5, 500);
      for (let index = 0; index < 4; index++) {
        d.set(indirect, d.indirectPointer(index), d.target(inode, index), 8);
        d.set(inode, d.topPointer(index), 0, 8);
      }
      d.set(inode, d.topPointer(0), indirect, 8);
      d.set(inode, 138, 2, 2);
      d.add(inode, 64, 1, 8);
      d.setState(indirect, 3);
      // User 3 is record 6, group 4 record 9: both in the second journaled block of 488 bytes.
      const records = d.target(d.special.quota, 1);
      for (const record of [6, 9]) d.add(records, 24 + record * 88 - 488 + 16, 1, 8);
    },
  ],
  [
    'extended attributes in one block',
    (d) => {
      const block = d.freeBlock();
      header(d, block, 10, 1600);
      d.setState(block, 3);
      d.set(d.inode('/dir'), ATTRIBUTES, block, 8);
      count(d, '/dir', 1);
    },
  ],
  [
    'extended attributes behind an indirect block, with values in blocks of their own',
    (d) => {
      const [indirect, attributes, value] = [d.freeBlock(0, 1), d.freeBlock(0, 3), d.freeBlock(1, 2)];
      header(d, indirect, 5, 500);
      d.set(indirect, d.indirectPointer(0), attributes, 8);
      header(d, attributes, 10, 1600);
      header(d, value, 11, 1700);
      for (const block of [indirect, attributes, value]) d.setState(block, 3);
      const inode = d.inode('/hashed');
      d.set(inode, DINODE_FLAGS, d.get(inode, DINODE_FLAGS) | 8);
      d.set(inode, ATTRIBUTES, indirect, 8);
      count(d, '/hashed', 3);
    },
  ],
  [
    'a first dirent that was deleted',
    (d) => {
      const leaf = d.leaf('/large', (block) => d.get(block, 26, 2) > 2);
      const inode = d.get(leaf, 104 + 8, 8);
      d.set(leaf, 104, 0, 8);
      d.add(leaf, 26, -1, 2);
      d.add(d.inode('/large'), 148, -1);
      const { address } = d.groupOf(inode);
      d.setState(inode, 0, false);
      d.add(address, 28, 1);
      d.add(address, 32, -1);
      own(d, -1);
    },
  ],
  [
    'a leaf from which all names were deleted',
    (d) => {
      // As a kernel leaves it: one record, in which the length of the last name still stands.
      const empty = d.leaf('/chained', (block) => d.get(block, 26, 2) === 0);
      d.set(empty, 104 + 22, 9, 2);
    },
  ],
  ['data that is journaled', (d) => d.set(d.inode('/stuffed'), DINODE_FLAGS, 1)],
  ['attributes of files', (d) => d.set(d.inode('/stuffed'), DINODE_FLAGS, 0xc00001f0)],
  ['a time before 1970', (d) => d.set(d.inode('/stuffed'), 80, 0xffffffffffffff00n, 8)],
];

test.each(unusual)('no fault: %s', async (_, change) => {
  const damage = new Damage(good);
  change(damage);
  expect(damage.image.bytes.equals(good.bytes)).toBe(false);
  expect((await checkOpenGfs(damage.image.source, { pace: new Pace() })).faults).toEqual([]);
});
