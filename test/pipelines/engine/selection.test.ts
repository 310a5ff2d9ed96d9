import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';
import {
  blobOf,
  buildIn,
  fileStage,
  leftovers,
  made,
  output,
  outputsIn,
  outputText,
  pipelineOf,
  textOf,
  textStage,
} from './build-rig.js';

/** first → second → third, where the cache does not keep the second; and one that depends on nothing. */
function chain(second = 'b') {
  const stages = {
    first: textStage('first', () => 'a'),
    second: fileStage('second', async (context) => `${await textOf(context, 'from')}${second}`),
    third: textStage('third', async (context) => `${await textOf(context, 'from')}c`),
    alone: textStage('alone', () => 'alone'),
  };
  const two = { ...stages.second, parameters: second, inputs: { from: made(stages.first) } };
  const three = { ...stages.third, inputs: { from: made(two) } };
  return pipelineOf(
    [stages.first, two, three, stages.alone],
    [output(two), output(three), output(stages.alone)],
  );
}

test('a change runs what depends on it, and leaves other outputs as they are', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, chain());
  const alone = statSync(join(folder, 'out/alone')).ino;
  const { ranStages } = await buildIn(folder, chain('B'));
  expect(ranStages).toEqual(['second', 'third']);
  expect(outputsIn(folder)).toMatchObject({ second: 'aB', third: 'aBc', alone: 'alone' });
  expect(statSync(join(folder, 'out/alone')).ino).toBe(alone);
});

test('of an output that was removed only its stage runs', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, chain());
  const before = outputsIn(folder);
  rmSync(join(folder, 'out/second'));
  expect((await buildIn(folder, chain())).ranStages).toEqual(['second']);
  expect(outputsIn(folder)).toEqual(before);
  rmSync(join(folder, 'out/third'));
  expect((await buildIn(folder, chain())).ranStages).toEqual([]);
  expect(outputsIn(folder)).toEqual(before);
  expect((await buildIn(folder, chain())).unchanged).toBe(true);
});

test('--rerun runs a stage though its result is known, and nothing else when that is the same', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, chain());
  const before = outputsIn(folder);
  expect((await buildIn(folder, chain(), { rerun: ['first'] })).ranStages).toEqual(['first']);
  expect((await buildIn(folder, chain(), { rerun: ['second'] })).ranStages).toEqual(['second']);
  expect(outputsIn(folder)).toEqual(before);
  await expect(buildIn(folder, chain(), { rerun: ['thirds'] })).rejects.toThrow('Did you mean "third"?');
  expect(leftovers(folder)).toEqual([]);
});

test('--rerun needs the bytes of the inputs, which may have to be made again', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, chain());
  rmSync(join(folder, 'out'), { recursive: true });
  const { ranStages } = await buildIn(folder, chain(), { rerun: ['third'] });
  expect(ranStages).toEqual(['second', 'third']);
});

test('--until stops there: outputs that are made by then appear beside the real ones', async () => {
  const folder = temporaryFolder();
  const { ranStages, artifacts, outputs } = await buildIn(folder, chain(), { until: 'second' });
  expect(ranStages).toEqual(['first', 'second']);
  expect(existsSync(join(folder, 'out'))).toBe(false);
  const part = join(folder, 'out.until-second');
  expect(artifacts).toEqual([{ stage: 'second', artifact: 'result', path: join(part, 'second') }]);
  expect(outputs.map(({ name }) => name)).toEqual(['second']);
  expect(readdirSync(part).sort()).toEqual(['SHA256SUMS', 'manifest.json', 'second']);
  expect(readFileSync(join(part, 'second'), 'utf8')).toBe('ab');
  expect(leftovers(folder)).toEqual([]);
  // The real build then has nothing to do but the file that the cache does not keep, and the rest.
  expect([...(await buildIn(folder, chain())).ranStages].sort()).toEqual(['alone', 'second', 'third']);
});

test('--until with a stage that the cache keeps says where in the cache its bytes lie', async () => {
  const folder = temporaryFolder();
  const { artifacts } = await buildIn(folder, chain(), { until: 'first' });
  expect(artifacts).toEqual([{ stage: 'first', artifact: 'result', path: blobOf(folder, 'first') }]);
  expect(readFileSync(artifacts[0]?.path ?? '', 'utf8')).toBe('a');
  expect(existsSync(join(folder, 'out.until-first'))).toBe(false);
});

test('--until leaves the outputs alone, shares no file with them, and again replaces only its own', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, chain());
  const before = outputsIn(folder);
  await buildIn(folder, chain(), { until: 'second' });
  expect(outputsIn(folder)).toEqual(before);
  const part = join(folder, 'out.until-second');
  expect(statSync(join(part, 'second')).ino).not.toBe(statSync(join(folder, 'out/second')).ino);
  writeFileSync(join(part, 'notes'), 'mine');
  writeFileSync(join(part, 'second'), 'mine too');
  const { warnings } = await buildIn(folder, chain('B'), { until: 'second' });
  expect(readFileSync(join(part, 'second'), 'utf8')).toBe('aB');
  expect(readFileSync(join(part, 'notes'), 'utf8')).toBe('mine');
  expect(readFileSync(join(part, 'second.kept-1'), 'utf8')).toBe('mine too');
  expect(warnings.join()).toContain('second.kept-1');
  expect(leftovers(folder)).toEqual([]);
});

test("--until does not touch a folder of the user's, and says so before anything runs", async () => {
  const folder = temporaryFolder();
  await buildIn(folder, chain());
  writeFileSync(join(folder, 'out.until-second'), 'mine');
  await expect(buildIn(folder, chain('B'), { until: 'second' })).rejects.toThrow('no build made');
  expect(readFileSync(join(folder, 'out.until-second'), 'utf8')).toBe('mine');
  expect((await buildIn(folder, chain('B'))).ranStages).toEqual(['second', 'third']);
});

test('--only runs one stage, also when it is known, on what is there', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, chain());
  expect((await buildIn(folder, chain(), { only: 'third' })).ranStages).toEqual(['third']);
  expect((await buildIn(folder, chain('B'), { only: 'second' })).ranStages).toEqual(['second']);
  expect(outputText(folder, 'second')).toBe('ab');
  expect(readFileSync(join(folder, 'out.until-second/second'), 'utf8')).toBe('aB');
});

test('--only refuses when what it reads is missing, and names what has to run first', async () => {
  const folder = temporaryFolder();
  await expect(buildIn(folder, chain(), { only: 'third' })).rejects.toThrow(
    'the stage first has to run first, its result is not in the cache',
  );
  await buildIn(folder, chain());
  rmSync(join(folder, 'out'), { recursive: true });
  await expect(buildIn(folder, chain(), { only: 'third' })).rejects.toThrow(
    'the stage second has to run first',
  );
  expect(leftovers(folder)).toEqual([]);
});
