import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';
import { buildIn, textStage, fileStage, made, output, pipelineOf, textOf } from './build-rig.js';
import { samplePipeline, writeSampleInputs } from './sample-pipeline.js';

test('measure', async () => {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  const time = async (name: string, work: () => Promise<unknown>) => {
    const start = performance.now();
    await work();
    console.log(name, (performance.now() - start).toFixed(1));
  };
  await time('first', () => buildIn(folder, samplePipeline(folder)));
  for (let i = 0; i < 4; i++) await time('no-op', () => buildIn(folder, samplePipeline(folder)));
  rmSync(join(folder, 'out'), { recursive: true });
  await time('out gone', () => buildIn(folder, samplePipeline(folder)));
  await time('parameter', () => buildIn(folder, samplePipeline(folder, 0, 'x')));
  const other = temporaryFolder();
  const stages = [textStage('s0', () => 'x')];
  for (let i = 1; i < 10; i++) {
    const before = stages.at(-1)!;
    stages.push(textStage(`s${i}`, (c) => textOf(c, 'from'), { inputs: { from: made(before) } }));
  }
  const p = pipelineOf(stages, stages.map(output));
  await time('10 first', () => buildIn(other, p));
  for (let i = 0; i < 6; i++) await time('10 no-op', () => buildIn(other, p));
});
