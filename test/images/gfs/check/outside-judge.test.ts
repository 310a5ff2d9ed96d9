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
import { seededFaults } from './seeded-faults.js';
import { subjectTree } from './subject.js';

const folder = temporaryFolder();

/** Seeded faults that fsck.gfs2 sees too (format document §8), so that they are faults indeed. */
const seenByBoth = seededFaults.map(s=>s.name).filter(n=>!/superblock|resourceIndex/.test(n));

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

  for (const name of seenByBoth) {
    testWith(FSCK_TOOLS, `sees: ${name}`, async () => {
      const seeded = seededFaults.find((each) => each.name === name);
      if (seeded === undefined) throw new Error(`no seeded fault ${name}`);
      const damage = new Damage(good);
      const block = seeded.seed(damage);
      const { faults } = await checkOpenGfs(damage.image.source, { pace: new Pace() });
      expect(faults).toContainEqual(expect.objectContaining({ rule: seeded.rule, block }));
      expect(judge(damage.image).accepted).toBe(false);
    });
  }
});
