import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';
import { buildIn, pipelineOf, stage, textStage } from './build-rig.js';

function chain(folder: string, greeting = 'hello') {
  const first = textStage('first', () => readFileSync(join(folder, 'input'), 'utf8'), {
    inputs: { input: { kind: 'file', path: join(folder, 'input') } },
  });
  const second = stage({
    name: 'second',
    parameters: { greeting },
    inputs: { from: { kind: 'artifact', stage: first, artifact: 'result' } },
    keeping: 'digest',
    run: async (context) => {
      const path = context.outputPath('result');
      writeFileSync(path, `${greeting} ${readFileSync(await context.inputPath('from'), 'utf8')}`);
      return { artifacts: { result: { kind: 'file', path } } };
    },
  });
  return pipelineOf([first, second], [{ name: 'result', stage: second, artifact: 'result' }]);
}

test('a build, the same again, a changed parameter, a changed input', async () => {
  const folder = temporaryFolder();
  const result = () => readFileSync(join(folder, 'out/result'), 'utf8');
  writeFileSync(join(folder, 'input'), 'world');
  expect((await buildIn(folder, chain(folder))).ranStages).toEqual(['first', 'second']);
  expect(result()).toBe('hello world');
  const again = await buildIn(folder, chain(folder));
  expect(again.ranStages).toEqual([]);
  expect(again.unchanged).toBe(true);
  expect((await buildIn(folder, chain(folder, 'bye'))).ranStages).toEqual(['second']);
  expect(result()).toBe('bye world');
  writeFileSync(join(folder, 'input'), 'moon');
  expect((await buildIn(folder, chain(folder, 'bye'))).ranStages).toEqual(['first', 'second']);
  expect(result()).toBe('bye moon');
  expect(readdirSync(folder).sort()).toEqual(['cache', 'input', 'out']);
  expect(readdirSync(join(folder, 'cache/tmp'))).toEqual([]);
  expect(readdirSync(join(folder, 'cache/locks'))).toEqual([]);
});
