import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { Cache } from '../../../pipelines/cache/cache.js';
import { verify } from '../../../pipelines/cache/maintenance.js';
import { temporaryFolder } from '../../support/temporary.js';
import { blobOf, buildIn } from '../engine/build-rig.js';
import { samplePipeline, writeSampleInputs } from '../engine/sample-pipeline.js';

test('everything damaged is found, whatever it is, and put aside', async () => {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  await buildIn(folder, samplePipeline(folder));
  const check = () => verify(Cache.open(join(folder, 'cache')), new Pace());
  expect(await check()).toMatchObject({ records: 7, bad: [], incomplete: 0 });
  const [base, config, added] = ['base', 'config', 'added'].map((name) => blobOf(folder, name)) as [
    string,
    string,
    string,
  ];
  truncateSync(base, 100);
  rmSync(config);
  mkdirSync(config);
  rmSync(added);
  writeFileSync(join(folder, 'cache/cas/foreign'), 'x');
  writeFileSync(join(folder, 'cache/ac/foreign'), 'x');
  const { bad, incomplete, records } = await check();
  const names = bad.map(({ path }) => path.slice(join(folder, 'cache').length + 1)).sort();
  expect(names.length).toBe(4);
  expect(names).toContain('ac/foreign');
  expect(names).toContain('cas/foreign');
  expect(records).toBe(7);
  expect(incomplete).toBeGreaterThanOrEqual(3);
  expect((await check()).bad).toEqual([]);
  expect(readdirSync(join(folder, 'cache/bad')).length).toBe(3);
});
