import { beforeAll, describe, expect, test } from 'vitest';
import { Pace } from '../../../../images/bytes/pace.js';
import { checkOpenGfs } from '../../../../images/gfs/check/check.js';
import { rules } from '../../../../images/gfs/check/rules.js';
import { Damage } from './damage.js';
import { type MemoryImage, makeImage } from './memory-image.js';
import { seededFaults } from './seeds/all.js';
import { subjectTree } from './subject.js';

describe('each fault is found by its rule, at its block', () => {
  let good: MemoryImage;

  beforeAll(async () => {
    good = await makeImage(8, { blockSize: 512 }, subjectTree());
    const { faults } = await checkOpenGfs(good.source, { pace: new Pace() });
    expect(faults).toEqual([]);
  });

  test.each(seededFaults.map((seeded) => [seeded.name, seeded] as const))('%s', async (_, seeded) => {
    const damage = new Damage(good);
    const block = seeded.seed(damage);
    const { faults, truncated } = await checkOpenGfs(damage.image.source, { pace: new Pace() });
    expect(truncated).toBe(false);
    expect(faults.map((fault) => ({ rule: fault.rule, block: fault.block }))).toContainEqual({
      rule: seeded.rule,
      block,
    });
  });
});

test('every rule has a seeded fault', () => {
  const seeded = new Set(seededFaults.map(({ rule }) => rule));
  expect(Object.keys(rules).filter((rule) => !seeded.has(rule as keyof typeof rules))).toEqual([]);
  expect(seededFaults.length).toBeGreaterThan(80);
});

test.each(Object.entries(rules))('the rule %s says where the format document states it', (_, sentence) => {
  expect(sentence).toMatch(/^[A-Z".].*\(§\d.*\)\.$/);
});

test('names of seeded faults are different', () => {
  expect(new Set(seededFaults.map(({ name }) => name)).size).toBe(seededFaults.length);
});
