import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../images/bytes/pace.js';
import { build } from '../../pipelines/build.js';
import { Cache } from '../../pipelines/cache/cache.js';
import { loadRecipe } from '../../pipelines/recipe/load-recipe.js';
import { recipePipeline } from '../../pipelines/recipe-pipeline.js';
import { installedTools } from '../../scripts/samples/installed-tools.js';
import { temporaryFolder } from '../support/temporary.js';
import { testWith } from '../support/tools.js';

const folder = temporaryFolder();
const sample = join(import.meta.dirname, '../../recipes/sample');

testWith(['make', 'fakeroot'], 'the archive of the installed tools is what the rule installs', async () => {
  expect(await installedTools(sample, folder)).toEqual(
    readFileSync(join(sample, 'cluster-tools.redhat.cpio')),
  );
});

async function buildSample(
  name: string,
  lacks: readonly string[],
): Promise<{ sums: string; said: string[] }> {
  const said: string[] = [];
  const { signal } = new AbortController();
  await build(
    recipePipeline(loadRecipe('sample'), {
      offline: true,
      hasProgram: (program) => !lacks.includes(program),
    }),
    {
      cache: Cache.open(join(folder, `${name}-cache`)),
      out: join(folder, name),
      jobs: 2,
      pace: new Pace(signal),
      signal,
      listener: (event) => {
        if (event.type === 'warning') said.push(event.message);
      },
      generator: 'test',
      rerun: [],
      keepWork: false,
    },
  );
  return { sums: readFileSync(join(folder, name, 'SHA256SUMS'), 'utf8'), said };
}

test('a host without make takes what another one installed, and says so', async () => {
  const { said } = await buildSample('without', ['make']);
  expect(said.join('\n')).toContain('make or fakeroot is missing');
});

testWith(['make', 'fakeroot'], 'with and without make the images are the same', async () => {
  const [withMake, without] = [await buildSample('a', []), await buildSample('b', ['make'])];
  expect(withMake.sums).toBe(without.sums);
});
