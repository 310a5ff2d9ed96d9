import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Cache } from '../../../pipelines/cache/cache.js';
import type { Stage } from '../../../pipelines/engine/stage.js';
import { temporaryFolder } from '../../support/temporary.js';
import {
  blobOf,
  buildIn,
  fileStage,
  leftovers,
  made,
  output,
  outputText,
  pipelineOf,
  textOf,
  textStage,
} from './build-rig.js';

const random = () => randomBytes(8).toString('hex');

/** What each stage gets from the one before, with its own name behind it: so the outputs tell whether they agree. */
function following(name: string, before: Stage, kind = textStage): Stage {
  return kind(name, async (context) => `${await textOf(context, 'from')} ${name}`, {
    inputs: { from: made(before) },
  });
}

const warning = 'it made other bytes than before from the same inputs: it is not reproducible';

test('a stage that makes other bytes when its file is made again: outputs agree, and it is said', async () => {
  const folder = temporaryFolder();
  const first = fileStage('first', random);
  const second = following('second', first);
  const third = following('third', second, fileStage);
  const all = [first, second, third];
  const pipeline = pipelineOf(all, all.map(output));
  await buildIn(folder, pipeline);
  rmSync(join(folder, 'out/first'));
  const { warnings, ranStages } = await buildIn(folder, pipeline);
  expect(warnings).toEqual([warning]);
  expect(ranStages).toEqual(['first', 'second', 'third']);
  const text = outputText(folder, 'first');
  expect(outputText(folder, 'second')).toBe(`${text} second`);
  expect(outputText(folder, 'third')).toBe(`${text} second third`);
  expect((await buildIn(folder, pipeline)).unchanged).toBe(true);
  expect(leftovers(folder)).toEqual([]);
});

test('the same for bytes that the cache lost', async () => {
  const folder = temporaryFolder();
  const first = textStage('first', random);
  const second = following('second', first, fileStage);
  const pipeline = pipelineOf([first, second], [output(first), output(second)]);
  await buildIn(folder, pipeline);
  rmSync(blobOf(folder, 'first'));
  rmSync(join(folder, 'out'), { recursive: true });
  const { warnings } = await buildIn(folder, pipeline);
  expect(warnings).toEqual([warning]);
  expect(outputText(folder, 'second')).toBe(`${outputText(folder, 'first')} second`);
});

test('many of them, in a row and side by side, with some outputs gone', async () => {
  const folder = temporaryFolder();
  const sources = Array.from({ length: 6 }, (_, index) => fileStage(`source-${index}`, random));
  const chained: Stage[] = [];
  for (let index = 0; index < 6; index++) {
    const before = chained.at(-1) ?? sources[0]!;
    chained.push(
      fileStage(`link-${index}`, async (context) => `${await textOf(context, 'from')} ${random()}`, {
        inputs: { from: made(before) },
      }),
    );
  }
  const all = [...sources, ...chained];
  const last = textStage(
    'last',
    async (context) => (await Promise.all(all.map(({ name }) => textOf(context, name)))).join('\n'),
    { inputs: Object.fromEntries(all.map((stage) => [stage.name, made(stage)])) },
  );
  const pipeline = pipelineOf([...all, last], [...all, last].map(output));
  await buildIn(folder, pipeline);
  const expectAgreement = (): void => {
    expect(outputText(folder, 'last')).toBe(all.map(({ name }) => outputText(folder, name)).join('\n'));
    for (let index = 1; index < 6; index++)
      expect(outputText(folder, `link-${index}`)).toContain(outputText(folder, `link-${index - 1}`));
  };
  expectAgreement();
  for (const gone of [['source-1'], ['link-4'], ['link-0', 'source-3'], all.map(({ name }) => name)]) {
    for (const name of gone) rmSync(join(folder, 'out', name));
    await buildIn(folder, pipeline);
    expectAgreement();
    expect((await buildIn(folder, pipeline)).unchanged).toBe(true);
  }
  rmSync(join(folder, 'out'), { recursive: true });
  for (const name of readdirSync(join(folder, 'cache/cas'))) rmSync(join(folder, 'cache/cas', name));
  await buildIn(folder, pipeline);
  expectAgreement();
  expect(leftovers(folder)).toEqual([]);
});

test('a stage that was asked for again and made other bytes: what depends on it follows', async () => {
  const folder = temporaryFolder();
  const first = textStage('first', random);
  const second = following('second', first, fileStage);
  const third = following('third', second);
  const pipeline = pipelineOf([first, second, third], [first, second, third].map(output));
  await buildIn(folder, pipeline);
  const before = outputText(folder, 'first');
  rmSync(join(folder, 'out/second'));
  const { ranStages } = await buildIn(folder, pipeline, { rerun: ['first'] });
  expect(ranStages).toEqual(['first', 'second', 'third']);
  const text = outputText(folder, 'first');
  expect(text).not.toBe(before);
  expect(outputText(folder, 'third')).toBe(`${text} second third`);
});

test('one that another output had copied by then is not left as it was', async () => {
  const folder = temporaryFolder();
  const source = fileStage('source', random);
  const early = following('early', source);
  const late = following('late', source, fileStage);
  // The outputs are put together in this order: the last one is what turns out to be gone.
  const pipeline = pipelineOf([source, early, late], [output(early), output(late), output(source)]);
  await buildIn(folder, pipeline);
  rmSync(join(folder, 'out/source'));
  rmSync(join(folder, 'out/early'));
  await buildIn(folder, pipeline);
  const text = outputText(folder, 'source');
  expect(outputText(folder, 'early')).toBe(`${text} early`);
  expect(outputText(folder, 'late')).toBe(`${text} late`);
});

test('who comes while it is found out does not store what was made of the other bytes', async () => {
  const folder = temporaryFolder();
  const source = fileStage('source', random);
  const slow = fileStage('slow', async () => {
    await sleep(150);
    return 'slow';
  });
  const pipeline = (version: number) => {
    const inputs = { slow: made(slow), source: made(source) };
    // The first finds out; the second gets to the source only when that has been made again.
    const first = textStage('first', (context) => textOf(context, 'source'), {
      inputs: { source: made(source) },
      parameters: version,
    });
    const second = textStage('second', (context) => textOf(context, 'source'), {
      inputs,
      parameters: version,
    });
    return pipelineOf([source, slow, first, second], [output(first), output(second), output(source)]);
  };
  await buildIn(folder, pipeline(1));
  rmSync(join(folder, 'out'), { recursive: true });
  await buildIn(folder, pipeline(2));
  expect(outputText(folder, 'second')).toBe(outputText(folder, 'source'));
  const cache = Cache.open(join(folder, 'cache'));
  const ofSecond = [...cache.records()].filter(({ record }) => record.stage === 'second');
  expect(ofSecond.length).toBeGreaterThan(1);
  for (const { record } of ofSecond)
    expect(record.artifacts.result?.sha256).toBe(record.fields['input source']);
});

test('one that never makes the same ends all the same', async () => {
  const folder = temporaryFolder();
  const first = fileStage('first', random);
  const pipeline = pipelineOf([first], []);
  await buildIn(folder, pipeline);
  const second = following('second', first);
  const { warnings } = await buildIn(folder, pipelineOf([first, second], [output(second)]));
  expect(warnings.filter((message) => message === warning).length).toBeLessThan(2);
});
