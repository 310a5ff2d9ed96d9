import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { Cache } from '../../../pipelines/cache/cache.js';
import { verify } from '../../../pipelines/cache/maintenance.js';
import { temporaryFolder } from '../../support/temporary.js';
import { buildIn, leftovers, outputsIn, pipelineOf, stage } from './build-rig.js';
import { samplePipeline, writeSampleInputs } from './sample-pipeline.js';

const damages: readonly [string, (path: string) => void][] = [
  [
    'a flipped bit',
    (path) => {
      const bytes = readFileSync(path);
      const middle = Math.floor(bytes.length / 3);
      bytes[middle] = (bytes[middle] ?? 0) ^ 0x10;
      writeFileSync(path, bytes);
    },
  ],
  ['cut short', (path) => truncateSync(path, Math.floor(statSync(path).size / 2))],
  ['removed', (path) => rmSync(path)],
  [
    'a folder',
    (path) => {
      rmSync(path);
      mkdirSync(join(path, 'folder'), { recursive: true });
    },
  ],
];

test.each(damages)(
  'whatever one entry of the cache holds, outputs are right and the entry is healed: %s',
  async (_name, damage) => {
    const folder = temporaryFolder();
    writeSampleInputs(folder);
    await buildIn(folder, samplePipeline(folder));
    const outputs = outputsIn(folder);
    cpSync(join(folder, 'cache'), join(folder, 'good'), { recursive: true });
    for (const kind of ['ac', 'cas']) {
      for (const name of readdirSync(join(folder, 'good', kind))) {
        rmSync(join(folder, 'cache'), { recursive: true });
        cpSync(join(folder, 'good'), join(folder, 'cache'), { recursive: true });
        rmSync(join(folder, 'out'), { recursive: true });
        damage(join(folder, 'cache', kind, name));
        await buildIn(folder, samplePipeline(folder));
        expect(outputsIn(folder)).toEqual(outputs);
        expect(leftovers(folder)).toEqual([]);
        // What was not needed may still be bad: it is found when it is.
        rmSync(join(folder, 'out'), { recursive: true });
        const { warnings } = await buildIn(folder, samplePipeline(folder));
        expect(warnings).toEqual([]);
        expect(outputsIn(folder)).toEqual(outputs);
      }
    }
  },
);

test('all entries damaged at once', async () => {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  await buildIn(folder, samplePipeline(folder));
  const outputs = outputsIn(folder);
  rmSync(join(folder, 'out'), { recursive: true });
  for (const name of readdirSync(join(folder, 'cache/cas')))
    writeFileSync(join(folder, 'cache/cas', name), 'x');
  const { warnings } = await buildIn(folder, samplePipeline(folder));
  expect(warnings.filter((message) => message.endsWith('it was put aside')).length).toBeGreaterThan(3);
  expect(outputsIn(folder)).toEqual(outputs);
  const verified = await verify(Cache.open(join(folder, 'cache')), new Pace());
  expect(verified.bad).toEqual([]);
});

test('an empty cache, and none', async () => {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  await buildIn(folder, samplePipeline(folder));
  const outputs = outputsIn(folder);
  rmSync(join(folder, 'cache'), { recursive: true });
  const again = await buildIn(folder, samplePipeline(folder));
  expect(again.ranStages.length).toBe(7);
  expect(outputsIn(folder)).toEqual(outputs);
  rmSync(join(folder, 'cache/ac'), { recursive: true });
  rmSync(join(folder, 'out'), { recursive: true });
  await buildIn(folder, samplePipeline(folder));
  expect(outputsIn(folder)).toEqual(outputs);
  expect(existsSync(join(folder, 'cache/ac'))).toBe(true);
});

test('a record that is not about all that the stage makes now is no hit', async () => {
  const folder = temporaryFolder();
  const text = (names: readonly string[], keeping: 'stored' | 'digest') =>
    stage({
      name: 'stage',
      artifacts: names,
      keeping,
      run: async (context) => {
        for (const name of names) writeFileSync(context.outputPath(name), name);
        const made = names.map((name) => [name, { kind: 'file', path: context.outputPath(name) }] as const);
        return { artifacts: Object.fromEntries(made) };
      },
    });
  const build = (names: readonly string[], keeping: 'stored' | 'digest') => {
    const each = text(names, keeping);
    return buildIn(
      folder,
      pipelineOf(
        [each],
        names.map((artifact) => ({ name: artifact, stage: each, artifact })),
      ),
    );
  };
  expect((await build(['a'], 'stored')).ranStages).toEqual(['stage']);
  expect((await build(['a', 'b'], 'stored')).ranStages).toEqual(['stage']);
  expect((await build(['a'], 'digest')).ranStages).toEqual(['stage']);
  expect(outputsIn(folder)).toMatchObject({ a: 'a' });
});

test('nothing is read from the cache that is not needed', async () => {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  await buildIn(folder, samplePipeline(folder));
  for (const name of readdirSync(join(folder, 'cache/cas')))
    writeFileSync(join(folder, 'cache/cas', name), 'x');
  const again = await buildIn(folder, samplePipeline(folder));
  expect(again.unchanged).toBe(true);
  expect(again.warnings).toEqual([]);
});
