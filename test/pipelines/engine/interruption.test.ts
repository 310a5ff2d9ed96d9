import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { hostError } from '../../../images/diagnostic.js';
import type { BuildEvent } from '../../../pipelines/engine/events.js';
import { temporaryFolder } from '../../support/temporary.js';
import { run, testWith } from '../../support/tools.js';
import {
  buildIn,
  fileStage,
  leftovers,
  made,
  output,
  outputsIn,
  pipelineOf,
  recordsIn,
  textOf,
  textStage,
} from './build-rig.js';
import { samplePipeline, writeSampleInputs } from './sample-pipeline.js';

/** Names, sizes, inodes and times of the outputs: nothing of them was touched where these are the same. */
function stateOf(folder: string): unknown {
  return readdirSync(join(folder, 'out')).map((name) => {
    const { ino, size, mtimeMs, ctimeMs } = statSync(join(folder, 'out', name));
    return [name, ino, size, mtimeMs, ctimeMs];
  });
}

/** first → second → third; each fails when its name is in `failing`. */
function chain(failing: Set<string>, version = 1) {
  const check = (name: string): void => {
    if (failing.has(name)) throw hostError(`${name} failed`);
  };
  const first = textStage(
    'first',
    () => {
      check('first');
      return `first ${version}`;
    },
    { parameters: version },
  );
  const second = fileStage(
    'second',
    async (context) => {
      writeFileSync(join(context.work, 'half'), 'half');
      const text = `${await textOf(context, 'from')} second`;
      writeFileSync(context.outputPath('result'), text);
      check('second');
      return text;
    },
    { inputs: { from: made(first) } },
  );
  const third = textStage(
    'third',
    async (context) => {
      const text = await textOf(context, 'from');
      check('third');
      return `${text} third`;
    },
    { inputs: { from: made(second) } },
  );
  return pipelineOf([first, second, third], [output(second), output(third)]);
}

test('a stage that fails: the outputs stay as they were, the next build goes on from there', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, chain(new Set()));
  const before = stateOf(folder);
  const events: BuildEvent[] = [];
  const listener = (event: BuildEvent) => events.push(event);
  await expect(buildIn(folder, chain(new Set(['third']), 2), { listener })).rejects.toThrow('third failed');
  expect(stateOf(folder)).toEqual(before);
  expect(leftovers(folder)).toEqual([]);
  expect(events.filter(({ type }) => type === 'stage-failed')).toMatchObject([{ stage: 'third' }]);
  // The second is not kept by the cache, and its file is gone with the build that failed.
  expect((await buildIn(folder, chain(new Set(), 2))).ranStages).toEqual(['second', 'third']);
  expect(outputsIn(folder)).toMatchObject({ third: 'first 2 second third' });
});

test('all that fails is told, each once; what does not depend on it goes on', async () => {
  const folder = temporaryFolder();
  const bad = [1, 2].map((number) =>
    textStage(`bad-${number}`, () => {
      throw hostError(`fault ${number}`);
    }),
  );
  const good = textStage('good', async () => {
    await sleep(100);
    return 'good';
  });
  const after = bad.map((stage, index) =>
    textStage(`after-${index}`, (context) => textOf(context, 'from'), { inputs: { from: made(stage) } }),
  );
  const all = [...bad, good, ...after];
  const error = await buildIn(folder, pipelineOf(all, all.map(output)), { jobs: 3 }).catch(String);
  expect(error).toBe('DiagnosticError: error: fault 1\nerror: fault 2');
  expect([...recordsIn(folder).keys()]).toEqual(['good']);
  expect(leftovers(folder)).toEqual([]);
});

test('a bug in a stage ends the build as what it is', async () => {
  const folder = temporaryFolder();
  const stages = [
    textStage('fails', () => {
      throw hostError('a fault');
    }),
    textStage('bug', () => {
      throw new TypeError('a bug');
    }),
  ];
  await expect(buildIn(folder, pipelineOf(stages, stages.map(output)))).rejects.toThrow(TypeError);
  expect(leftovers(folder)).toEqual([]);
});

test('a stage can not hand over what it did not make', async () => {
  const folder = temporaryFolder();
  const input = join(folder, 'input');
  writeFileSync(input, 'mine');
  const handing = (path: string, keeping: 'stored' | 'digest') => {
    const stage = textStage('stage', () => '', {
      keeping,
      inputs: { input: { kind: 'file', path: input } },
      run: async ({ work }) => {
        symlinkSync(input, join(work, 'link'));
        return { artifacts: { result: { kind: 'file', path: path.replace('WORK', work) } } };
      },
    });
    return buildIn(folder, pipelineOf([stage], [output(stage)]));
  };
  for (const keeping of ['stored', 'digest'] as const) {
    await expect(handing(input, keeping)).rejects.toThrow('which it did not make');
    await expect(handing('WORK/../../../input', keeping)).rejects.toThrow('which it did not make');
    await expect(handing('WORK/link', keeping)).rejects.toThrow('which is no file');
  }
  expect(readFileSync(input, 'utf8')).toBe('mine');
  expect(leftovers(folder)).toEqual([]);
});

test.each([0, 10, 40, 90, 200])(
  'an interruption after %i ms: the outputs stay, nothing is left behind',
  async (delay) => {
    const folder = temporaryFolder();
    writeSampleInputs(folder);
    await buildIn(folder, samplePipeline(folder));
    const before = stateOf(folder);
    writeFileSync(join(folder, 'base'), 'another '.repeat(20_000));
    const controller = new AbortController();
    setTimeout(() => controller.abort(), delay);
    const error = await buildIn(folder, samplePipeline(folder, 20, 'bye'), {
      signal: controller.signal,
    }).catch(String);
    expect(error).toContain('interrupted');
    expect(stateOf(folder)).toEqual(before);
    expect(leftovers(folder)).toEqual([]);
    await buildIn(folder, samplePipeline(folder, 0, 'bye'));
    const clean = temporaryFolder();
    writeFileSync(join(clean, 'x'), '');
    writeSampleInputs(clean);
    writeFileSync(join(clean, 'base'), 'another '.repeat(20_000));
    await buildIn(clean, samplePipeline(clean, 0, 'bye'));
    expect(outputsIn(folder)).toEqual(outputsIn(clean));
  },
);

test('an interrupted build begins no further stage', async () => {
  const folder = temporaryFolder();
  const controller = new AbortController();
  const stages = Array.from({ length: 6 }, (_, index) =>
    textStage(`stage-${index}`, async () => {
      controller.abort();
      await sleep(10);
      return 'x';
    }),
  );
  const events: BuildEvent[] = [];
  const options = { jobs: 2, signal: controller.signal, listener: (event: BuildEvent) => events.push(event) };
  await expect(buildIn(folder, pipelineOf(stages, stages.map(output)), options)).rejects.toThrow(
    'interrupted',
  );
  expect(events.filter(({ type }) => type === 'stage-start').length).toBeLessThanOrEqual(2);
  expect(leftovers(folder)).toEqual([]);
});

test('with --keep-work the folders of stages stay and are named', async () => {
  const folder = temporaryFolder();
  const { warnings } = await buildIn(folder, chain(new Set()), { keepWork: true });
  const kept = warnings.map((message) => message.replace('its work folder is kept: ', ''));
  expect(kept.length).toBe(3);
  expect(readFileSync(join(kept[1] ?? '', 'half'), 'utf8')).toBe('half');
});

test('a work folder that a stage locked up is removed all the same', async () => {
  const folder = temporaryFolder();
  const locking = textStage('locking', ({ work }) => {
    mkdirSync(join(work, 'a/b'), { recursive: true });
    writeFileSync(join(work, 'a/b/file'), 'x');
    run('chmod', ['-R', 'a-rwx', join(work, 'a')]);
    return 'x';
  });
  await buildIn(folder, pipelineOf([locking], [output(locking)]));
  expect(leftovers(folder)).toEqual([]);
});

const canMount =
  process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true'], { stdio: 'ignore' }).status === 0;

/** A filesystem of so many KiB while `work` runs. */
async function withSmallDisk(kibibytes: number, work: (folder: string) => Promise<void>): Promise<void> {
  const path = join(temporaryFolder(), 'disk');
  mkdirSync(path);
  run('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'none', path]);
  try {
    await work(path);
  } finally {
    run('umount', [path]);
  }
}

if (canMount) {
  testWith(
    ['mount'],
    'a disk that is full, at whatever moment: a clear error, the outputs stay, and with space it goes on',
    async () => {
      const reference = temporaryFolder();
      writeSampleInputs(reference);
      await buildIn(reference, samplePipeline(reference));
      const expected = outputsIn(reference);
      let failures = 0;
      for (let size = 40; size < 1400; size += 90) {
        await withSmallDisk(size, async (folder) => {
          writeFileSync(join(folder, 'keep'), 'x');
          const pipeline = () => samplePipeline(reference);
          const error = await buildIn(folder, pipeline()).catch((cause: unknown) => cause as Error);
          if (error instanceof Error) {
            failures += 1;
            expect(error.message).toContain('no space left on the device');
            expect(error.name).toBe('DiagnosticError');
            expect(leftovers(folder)).toEqual([]);
            expect(readdirSync(folder).filter((name) => name !== 'cache')).toEqual(['keep']);
            run('mount', ['-o', 'remount,size=20m', folder]);
            await buildIn(folder, pipeline());
          }
          expect(outputsIn(folder)).toEqual(expected);
          expect(leftovers(folder)).toEqual([]);
        });
      }
      expect(failures).toBeGreaterThan(3);
    },
  );

  testWith(['mount'], 'a disk that fills up leaves the old outputs alone', async () => {
    const inputs = temporaryFolder();
    writeSampleInputs(inputs);
    await withSmallDisk(4096, async (folder) => {
      await buildIn(folder, samplePipeline(inputs));
      const before = stateOf(folder);
      const ballast = join(folder, 'ballast');
      let failures = 0;
      for (let free = 4; ; free += 24) {
        rmSync(ballast, { force: true });
        const available = Number(run('df', ['--output=avail', '-k', folder]).split('\n')[1]);
        writeFileSync(ballast, Buffer.alloc(Math.max(0, available - free) * 1024, 'x'));
        const error = await buildIn(folder, samplePipeline(inputs, 0, 'bye')).catch(String);
        if (typeof error !== 'string') break;
        failures += 1;
        expect(error).toContain('no space left on the device');
        expect(stateOf(folder)).toEqual(before);
        expect(leftovers(folder)).toEqual([]);
      }
      expect(failures).toBeGreaterThan(3);
      expect(outputsIn(folder).config).toBe('greeting bye\n');
    });
  });
} else {
  test.skip('a full disk [skipped: needs root for a mount]', () => {});
}
