import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { compiled } from '../../support/compiled.js';
import { temporaryFolder } from '../../support/temporary.js';
import { buildIn, leftovers, output, outputsIn, pipelineOf, textStage } from './build-rig.js';
import { samplePipeline, writeSampleInputs } from './sample-pipeline.js';

interface ChildResult {
  readonly ranStages?: readonly string[];
  readonly unchanged?: boolean;
  readonly error?: string;
}

const program = compiled('test/pipelines/engine/build-child.ts');

function child(
  folder: string,
  ...parameters: string[]
): { process: ChildProcess; result: Promise<ChildResult> } {
  const process_ = spawn(process.execPath, [program, folder, ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  process_.stdout?.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  const result = once(process_, 'close').then(() => JSON.parse(text.split('\n')[1] || '{}') as ChildResult);
  return { process: process_, result };
}

/** A stage that writes down that it ran. */
function counted(folder: string, name: string, recipe = 'one') {
  const slow = textStage(name, async () => {
    appendFileSync(join(folder, 'ran'), `${name}\n`);
    await sleep(150);
    return name;
  });
  return { ...pipelineOf([slow], [output(slow)]), recipe };
}

function ranIn(folder: string): string[] {
  return readFileSync(join(folder, 'ran'), 'utf8').trim().split('\n');
}

test('two builds of one recipe at once in one process: one waits for the folder and finds all done', async () => {
  const folder = temporaryFolder();
  const [one, other] = await Promise.all([
    buildIn(folder, counted(folder, 'stage')),
    buildIn(folder, counted(folder, 'stage')),
  ]);
  expect(ranIn(folder)).toEqual(['stage']);
  expect([one.unchanged, other.unchanged].sort()).toEqual([false, true]);
  expect([...one.warnings, ...other.warnings].join()).toContain('waiting for process');
  expect(leftovers(folder)).toEqual([]);
});

test('two builds into different folders, of two recipes that share a stage: it runs once', async () => {
  const folder = temporaryFolder();
  const builds = await Promise.all([
    buildIn(folder, counted(folder, 'stage', 'one'), { out: join(folder, 'one') }),
    buildIn(folder, counted(folder, 'stage', 'two'), { out: join(folder, 'two') }),
  ]);
  expect(ranIn(folder)).toEqual(['stage']);
  expect(builds.flatMap(({ ranStages }) => ranStages)).toEqual(['stage']);
  expect(builds.flatMap(({ events }) => events.filter(({ type }) => type === 'stage-wait')).length).toBe(1);
  for (const name of ['one', 'two']) expect(readFileSync(join(folder, name, 'stage'), 'utf8')).toBe('stage');
  expect(leftovers(folder)).toEqual([]);
});

test('a stage that fails for one build is tried by the other that waited for it', async () => {
  const folder = temporaryFolder();
  let attempts = 0;
  const pipeline = () => {
    const flaky = textStage('flaky', async () => {
      attempts += 1;
      await sleep(100);
      if (attempts === 1) throw new RangeError('the first one fails');
      return 'done';
    });
    return pipelineOf([flaky], [output(flaky)]);
  };
  const results = await Promise.allSettled(
    ['one', 'two'].map((name) => buildIn(folder, pipeline(), { out: join(folder, name) })),
  );
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(attempts).toBe(2);
  expect(leftovers(folder)).toEqual([]);
});

test('two processes into two folders run what the cache keeps once', async () => {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  const [one, other] = [child(folder, '20', 'one'), child(folder, '20', 'two')];
  const ran = (await Promise.all([one.result, other.result])).flatMap(({ ranStages }) => ranStages ?? []);
  expect(ran.filter((stage) => stage !== 'image').sort()).toEqual([
    'added',
    'base',
    'base-tree',
    'check',
    'config',
    'merged',
  ]);
  for (const name of readdirSync(join(folder, 'one')))
    expect(
      readFileSync(join(folder, 'one', name)).equals(readFileSync(join(folder, 'two', name))),
      name,
    ).toBe(true);
  expect(leftovers(folder)).toEqual([]);
});

test('two processes into one folder: the second has nothing to do', async () => {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  const results = await Promise.all([child(folder, '10').result, child(folder, '10').result]);
  expect(results.map(({ unchanged }) => unchanged).sort()).toEqual([false, true]);
  expect(leftovers(folder)).toEqual([]);
});

test.each(['out', 'two'])('a build goes on when the one it waits for is killed (into %s)', async (out) => {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  const first = child(folder, '300');
  await vi.waitFor(() => expect(readdirSync(join(folder, 'cache/locks')).length).toBeGreaterThan(0), {
    timeout: 20_000,
    interval: 5,
  });
  const second = child(folder, '0', out);
  await sleep(400);
  first.process.kill('SIGKILL');
  await first.result;
  const { ranStages, error } = await second.result;
  expect(error).toBeUndefined();
  expect(ranStages).toContain('image');
  const clean = temporaryFolder();
  writeSampleInputs(clean);
  await buildIn(clean, samplePipeline(clean));
  // What the dead one left is swept by the next build.
  await buildIn(folder, samplePipeline(folder));
  expect(outputsIn(folder)).toEqual(outputsIn(clean));
  expect(leftovers(folder)).toEqual([]);
});

test('locks of dead processes in the cache are gone after the next build', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, counted(folder, 'stage'));
  writeFileSync(join(folder, 'cache/locks', 'f'.repeat(64)), '999999999_1_boot_1');
  writeFileSync(join(folder, 'cache/locks', `${'f'.repeat(64)}.break`), '');
  await buildIn(folder, counted(folder, 'stage'));
  expect(leftovers(folder)).toEqual([]);
});
