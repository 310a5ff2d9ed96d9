import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect } from 'vitest';
import { Pace } from '../../../../images/bytes/pace.js';
import { checkOpenGfs } from '../../../../images/gfs/check/check.js';
import { FSCK_TOOLS, judgeOpenGfs } from '../../../support/fsck-gfs2.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { describeWith, testWith } from '../../../support/tools.js';
import { Damage } from './damage.js';
import { type MemoryImage, makeImage } from './memory-image.js';
import { seededFaults } from './seeds/all.js';
import { subjectTree } from './subject.js';

const folder = temporaryFolder();

/**
 * Seeded faults that fsck.gfs2 sees too (format document §8), so that they are faults indeed. It ends with a
 * segmentation fault on a bad magic of the superblock, and never on a leaf that is its own successor: not these.
 */
const seenByBoth: readonly string[] = [
  'journalIndex: no record',
  'resource group: another magic',
  'resource group: another type of a bitmap block',
  'resource group: free blocks',
  'resource group: dinodes in use',
  'resource group: metadata in use',
  'resource group: free metadata',
  'a data block that is free',
  'a data block marked as metadata',
  'a free block marked as data',
  'free blocks marked as metadata',
  'a data block of two files',
  'an indirect block below itself',
  'dinode of /flat: a pointer outside the device',
  'dinode of /flat: a pointer into a journal',
  'dinode of /flat: a pointer to the header of a resource group',
  'dinode of /stuffed: another magic',
  'dinode of /stuffed: another address',
  'dinode of /flat: eleven levels',
  'dinode of /tall: one block too few',
  'dinode of /hashed: one block too few',
  'an indirect block without its magic',
  'dirent of /dir/file: another hash',
  'dirent of /dir/file: no length',
  'dirent of /dir/file: a name longer than the record',
  'dirent of /dir/file: a data block',
  'dirent of /dir/file: a second name of a directory',
  'dirent of /dir/sub/..: not the parent',
  'dirent of /dir/.: missing',
  'a lost name',
  'dinode of /dir: one entry too many',
  'dinode of /hashed: another depth',
  'leaf of /hashed: another magic',
  'leaf of /hashed: another depth',
  'leaf of /hashed: one entry too many',
  'leaf of /chained: another depth in a chain',
  'dinode of /link-1: one link too many',
  'dinode of /dir: one link too few',
  'root: one link too many',
];

/** Some that it does not see: why there is a checker of our own. */
const seenByUsOnly: readonly string[] = [
  'dinode of /stuffed: type bits in the mode',
  'dinode of /dir: no payload format',
  'dinode of /dir: no journaled data',
  'dinode of /stuffed: another resource group',
  'dinode of /stuffed: more bytes than it holds',
  'dinode of /symlink: a target with NUL',
  'dirent of /dir/file: the name of another',
  'journal: no header',
  'journal: one copy differs',
  'journal: one sequence everywhere',
  'journal: its head is not clean',
  'quota: another value',
  'license: another payload format',
];

describeWith(FSCK_TOOLS, 'fsck.gfs2 -n', () => {
  let good: MemoryImage;

  const judge = (image: MemoryImage) => {
    const path = join(folder, 'image');
    writeFileSync(path, image.bytes);
    return judgeOpenGfs(path);
  };

  beforeAll(async () => {
    // Its root must be linear: fsck.gfs2 misreads a hashed root of GFS1 (§9).
    good = await makeImage(12, { blockSize: 1024 }, subjectTree());
  });

  testWith(FSCK_TOOLS, 'accepts the image before it is damaged', () => {
    expect(judge(good).unexpected).toEqual([]);
  });

  const seed = async (name: string): Promise<MemoryImage> => {
    const seeded = seededFaults.find((each) => each.name === name);
    if (seeded === undefined) throw new Error(`no seeded fault ${name}`);
    const damage = new Damage(good);
    const block = seeded.seed(damage);
    const { faults } = await checkOpenGfs(damage.image.source, { pace: new Pace() });
    expect(faults).toContainEqual(expect.objectContaining({ rule: seeded.rule, block }));
    return damage.image;
  };

  for (const name of seenByBoth) {
    testWith(FSCK_TOOLS, `sees as we do: ${name}`, async () => {
      expect(judge(await seed(name)).accepted).toBe(false);
    });
  }

  for (const name of seenByUsOnly) {
    testWith(FSCK_TOOLS, `does not see: ${name}`, async () => {
      expect(judge(await seed(name)).unexpected).toEqual([]);
    });
  }
});
