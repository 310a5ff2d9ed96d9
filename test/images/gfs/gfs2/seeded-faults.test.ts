import { beforeAll, expect, test } from 'vitest';
import { Pace } from '../../../../images/bytes/pace.js';
import { checkGfs2 } from '../../../../images/gfs/gfs2/check/check.js';
import { gfs2Rules } from '../../../../images/gfs/gfs2/check/rules.js';
import { MKFS_GFS2_TOOLS } from '../../../support/gfs2-image.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { describeWith } from '../../../support/tools.js';
import type { MemoryImage } from '../check/memory-image.js';
import { Gfs2Damage } from './damage.js';
import { makeGfs2Image } from './memory-image.js';
import { gfs2Seeds } from './seeds.js';
import { gfs2Subject } from './subject.js';

const folder = temporaryFolder();

describeWith(MKFS_GFS2_TOOLS, 'each fault of GFS2 is found by its rule, at its block', () => {
  let good: MemoryImage;

  beforeAll(async () => {
    good = await makeGfs2Image(folder, {}, gfs2Subject());
    const { faults } = await checkGfs2(good.source, { pace: new Pace(), quotaValues: true });
    expect(faults).toEqual([]);
  });

  test.each(gfs2Seeds.map((seeded) => [seeded.name, seeded] as const))('%s', async (_, seeded) => {
    const damage = new Gfs2Damage(good);
    const block = await seeded.seed(damage);
    const { faults, truncated } = await checkGfs2(damage.image.source, {
      pace: new Pace(),
      quotaValues: true,
    });
    expect(truncated).toBe(false);
    expect(faults.map((fault) => ({ rule: fault.rule, block: fault.block }))).toContainEqual({
      rule: seeded.rule,
      block,
    });
  });
});

test('every rule has a seeded fault', () => {
  const seeded = new Set<string>(gfs2Seeds.map(({ rule }) => rule));
  expect(Object.keys(gfs2Rules).filter((rule) => !seeded.has(rule))).toEqual([]);
});

test.each(Object.entries(gfs2Rules))(
  'the rule %s says where the format document states it',
  (_, sentence) => {
    expect(sentence).toMatch(/^[A-Z".].*\(O?§\d.*\)\.$/);
  },
);

test('names of seeded faults are different', () => {
  expect(new Set(gfs2Seeds.map(({ name }) => name)).size).toBe(gfs2Seeds.length);
});
