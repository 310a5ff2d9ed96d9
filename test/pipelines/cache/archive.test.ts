import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { exportEntries, importEntries } from '../../../pipelines/cache/archive.js';
import { Cache } from '../../../pipelines/cache/cache.js';
import { prune, verify } from '../../../pipelines/cache/maintenance.js';
import { setPinned } from '../../../pipelines/cache/pins.js';
import { trustIn } from '../../../pipelines/cache/remote/signing.js';
import { readManifest } from '../../../pipelines/output/manifest.js';
import { temporaryFolder } from '../../support/temporary.js';
import { run, testWith } from '../../support/tools.js';
import { recordsIn } from '../engine/build-rig.js';
import { Machine } from './remote/remote-rig.js';

const options = (machine: Machine, secret = '') => ({
  cache: Cache.open(join(machine.folder, 'cache')),
  trust: trustIn(secret === '' ? {} : { SSI_IMAGES_REMOTE_KEY: secret }),
  pace: new Pace(),
  signal: new AbortController().signal,
});
const usedBy = (machine: Machine): string[] =>
  readManifest(join(machine.folder, 'out'))?.stages.map(({ key }) => key) ?? [];

testWith(['tar'], 'an archive holds what one build used, and gives full hits elsewhere', async () => {
  const folder = temporaryFolder();
  const [a, b] = [new Machine(join(folder, 'a'), 'x'), new Machine(join(folder, 'b'), 'x')];
  await a.build({}, 'an older greeting');
  await a.build();
  expect([...options(a).cache.records()]).toHaveLength(10);
  const exported = await exportEntries(usedBy(a), folder, options(a));
  expect(exported).toMatchObject({ entries: 7, missing: [], kept: false });
  expect(exported.file).toMatch(/ssi-cache-[0-9a-f]{32}\.tar$/);
  const size = statSync(exported.file).size;
  expect(exported.size).toBe(size);
  expect(size).toBeLessThan(2_500_000 * 1.1);
  expect(statSync(exported.file).mode & 0o777).toBe(0o600);
  const names = run('tar', ['-tf', exported.file]).split('\n');
  expect(names.filter((name) => name.startsWith('ac/')).sort()).toEqual(
    usedBy(a)
      .map((key) => `ac/${key}`)
      .sort(),
  );
  expect(await exportEntries(usedBy(a), folder, options(a))).toMatchObject({ kept: true, size });
  // A folder that is not there is made, where the name says that it is one.
  const made = await exportEntries(usedBy(a), join(folder, 'new/folder/'), options(a));
  expect(made).toMatchObject({ kept: false, size });

  const imported = await importEntries(exported.file, options(b));
  expect(imported).toMatchObject({ entries: 7, known: 0, refused: 0, warnings: [] });
  const built = await b.build();
  expect(built.ranStages).toEqual(['image']);
  expect(b.outputs()).toEqual(a.outputs());
  expect((await verify(options(b).cache, new Pace())).bad).toEqual([]);
  expect(await importEntries(exported.file, options(b))).toMatchObject({ entries: 0, known: 7 });
  expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
});

test('what is not signed, damaged or cut off is not taken', async () => {
  const folder = temporaryFolder();
  const a = new Machine(join(folder, 'a'), 'x');
  await a.build();
  const { file } = await exportEntries(usedBy(a), join(folder, 'all.tar'), options(a));
  const strict = new Machine(join(folder, 'strict'), 'x');
  const refused = await importEntries(file, options(strict, 'a secret of the tests'));
  expect(refused).toMatchObject({ entries: 0, refused: 7 });
  expect([...options(strict).cache.records()]).toEqual([]);

  const bytes = readFileSync(file);
  const damaged = Buffer.from(bytes);
  for (let at = 100_000; at < bytes.length - 20_000; at += 200_000) damaged[at] = (damaged[at] ?? 0) ^ 1;
  writeFileSync(join(folder, 'damaged.tar'), damaged);
  const b = new Machine(join(folder, 'b'), 'x');
  await importEntries(join(folder, 'damaged.tar'), options(b)).catch(() => {});
  expect((await verify(options(b).cache, new Pace())).bad).toEqual([]);
  await b.build();
  expect(b.outputs()).toEqual(a.outputs());

  writeFileSync(join(folder, 'cut.tar'), bytes.subarray(0, bytes.length / 2));
  await expect(importEntries(join(folder, 'cut.tar'), options(b))).rejects.toThrow('ends before its end');
  writeFileSync(join(folder, 'other.tar'), Buffer.alloc(4096, 7));
  await expect(importEntries(join(folder, 'other.tar'), options(b))).rejects.toThrow('no header of a tar');
});

test('what is pinned stays when all else goes', async () => {
  const folder = temporaryFolder();
  const a = new Machine(join(folder, 'a'), 'x');
  await a.build();
  const { cache } = options(a);
  const key = recordsIn(a.folder).get('base')?.key ?? '';
  setPinned(cache, key, true);
  const now = Date.now();
  const wish = { maxBytes: -1, dryRun: true, now };
  expect(prune(cache, wish).entries).toHaveLength(6);
  expect([...cache.records()]).toHaveLength(7);
  prune(cache, { ...wish, dryRun: false });
  expect([...cache.records()].map(({ record }) => record.stage)).toEqual(['base']);
  const built = await a.build();
  expect(built.ranStages).not.toContain('base');
  setPinned(cache, key, false);
  prune(cache, { ...wish, dryRun: false });
  expect([...cache.records()]).toEqual([]);
});
