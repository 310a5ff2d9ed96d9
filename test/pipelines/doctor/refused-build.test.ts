import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { type BuildResult, build } from '../../../pipelines/build.js';
import { Cache } from '../../../pipelines/cache/cache.js';
import { spaceFindings } from '../../../pipelines/doctor/space.js';
import { stageFindings } from '../../../pipelines/doctor/stage-findings.js';
import type { Stage, StageNeed } from '../../../pipelines/engine/stage.js';
import type { Pipeline } from '../../../pipelines/pipeline.js';
import { temporaryFolder } from '../../support/temporary.js';

/** Two stages, the second of which needs something; `first` is what the first one makes. */
function pipelineOf(needs: readonly StageNeed[], ran: string[], first = 'a'): Pipeline {
  const stage = (name: string, more: Partial<Stage>): Stage => ({
    name,
    title: name,
    module: import.meta.url,
    parameters: {},
    inputs: {},
    tools: [],
    artifacts: ['file'],
    keeping: 'stored',
    run: () => {
      ran.push(name);
      return Promise.resolve({ artifacts: { file: { kind: 'bytes', bytes: Buffer.from(first) } } });
    },
    ...more,
  });
  const one = stage('one', { parameters: { first } });
  const two = stage('two', { needs, inputs: { one: { kind: 'artifact', stage: one, artifact: 'file' } } });
  const outputs = [{ name: 'result', stage: two, artifact: 'file' }];
  return { recipe: 'r', summary: '', epoch: 0, stages: [one, two], outputs, checks: [], notes: [] };
}

function run(folder: string, pipeline: Pipeline, rerun: readonly string[] = []): Promise<BuildResult> {
  const { signal } = new AbortController();
  return build(pipeline, {
    cache: Cache.open(join(folder, 'cache')),
    out: join(folder, 'out'),
    jobs: 2,
    pace: new Pace(signal),
    signal,
    listener: () => {},
    generator: 'test',
    rerun,
    keepWork: false,
  });
}

const missing: StageNeed = { kind: 'program', program: 'no-such-program', package: 'nothing' };

describe('a build on a host that lacks what a later stage needs', () => {
  test('refuses before the first stage runs, with all that is missing', async () => {
    const ran: string[] = [];
    const other: StageNeed = {
      kind: 'other',
      look: () =>
        Promise.resolve([{ topic: 'x', state: 'missing', message: 'there is no x', hint: 'Get one.' }]),
    };
    const refused = run(temporaryFolder(), pipelineOf([missing, other], ran));
    await expect(refused).rejects.toThrow(
      'error: the program no-such-program is missing\n  Install it (Debian package nothing).\nerror: there is no x\n  Get one.',
    );
    expect(ran).toEqual([]);
  });

  test('does not ask when that stage is known, and asks again when it has to run', async () => {
    const folder = temporaryFolder();
    const ran: string[] = [];
    await run(folder, pipelineOf([], ran));
    expect(ran).toEqual(['one', 'two']);
    expect((await run(folder, pipelineOf([missing], ran))).unchanged).toBe(true);
    // The stage that runs needs nothing, and what it makes is what it made.
    await run(folder, pipelineOf([missing], ran), ['one']);
    expect(ran).toEqual(['one', 'two', 'one']);
    await expect(run(folder, pipelineOf([missing], ran, 'b'))).rejects.toThrow('no-such-program is missing');
    await expect(run(folder, pipelineOf([missing], ran), ['two'])).rejects.toThrow('no-such-program');
    expect(ran).toEqual(['one', 'two', 'one']);
  });

  test('goes on with a warning where a stage can do without', async () => {
    const ran: string[] = [];
    const warning = { topic: 'x', state: 'warning', message: 'slow' } as const;
    await run(
      temporaryFolder(),
      pipelineOf([{ kind: 'other', look: () => Promise.resolve([warning]) }], ran),
    );
    expect(ran).toEqual(['one', 'two']);
  });
});

describe('room', () => {
  const folder = temporaryFolder();

  test('is added up for each disk', () => {
    const huge = 2 ** 60;
    const wanted = (bytes: number) => [
      { what: 'cache' as const, folder: join(folder, 'not/there/yet'), bytes: 0 },
      { what: 'outputs' as const, folder, bytes },
    ];
    expect(spaceFindings(wanted(1024)).map(({ state }) => state)).toEqual(['ok']);
    expect(spaceFindings(wanted(huge))).toEqual([
      {
        topic: 'disk',
        state: 'missing',
        file: join(folder, 'not/there/yet'),
        message: expect.stringMatching(
          /^no space left on the device: at least 1099511627776 MiB are needed for the cache and the outputs, \d+ MiB are free$/,
        ),
        hint: 'Free some space there, or choose another folder with --cache-dir or --out.',
      },
    ]);
  });

  test('of an input that is a file is at least its length', async () => {
    const needs: StageNeed[] = [{ kind: 'space', where: 'cache', bytes: { input: 'compressed' } }];
    const [, two] = pipelineOf(needs, []).stages;
    if (two === undefined) throw new Error('no stage');
    const inputs = { compressed: { kind: 'file', path: process.execPath } } as const;
    const findings = await stageFindings([{ ...two, inputs }], { cache: folder, outputs: folder });
    expect(findings[0]?.message).toMatch(/^at least \d\d+ MiB are needed/);
  });
});
