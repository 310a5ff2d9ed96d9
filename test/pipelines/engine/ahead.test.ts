import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hostError } from '../../../images/diagnostic.js';
import type { BuildOptions } from '../../../pipelines/build.js';
import type { Stage, StageContext, StageInput } from '../../../pipelines/engine/stage.js';
import { temporaryFolder } from '../../support/temporary.js';
import {
  buildIn,
  fileStage,
  leftovers,
  made,
  output,
  outputsIn,
  pipelineOf,
  recordsIn,
  stage,
  textOf,
  textStage,
} from './build-rig.js';

interface Looked {
  runs: number;
  /** Whether the image's stage had been done when the look began. */
  readonly wasDone: boolean[];
}

/** A file that the cache does not keep, and a stage that looks at it, and at a text, without waiting for its digest. */
function pipeline(
  look: (context: StageContext) => void | Promise<void> = () => {},
  image: () => string = () => 'image',
  jobs = 2,
  more: Record<string, StageInput> = {},
) {
  const events: string[] = [];
  const looked: Looked = { runs: 0, wasDone: [] };
  const other = textStage('other', () => 'text');
  const root = fileStage('root', image, { inputs: more });
  const check: Stage = stage({
    name: 'check',
    inputs: { root: made(root), other: made(other) },
    artifacts: [],
    ahead: 'root',
    run: async (context: StageContext) => {
      looked.runs++;
      looked.wasDone.push(events.includes('stage-done root'));
      const source = await context.inputSource('root');
      const bytes = Buffer.alloc(source.size);
      source.readInto(bytes, 0);
      expect(await textOf(context, 'other')).toBe('text');
      await look(context);
      return { artifacts: {}, facts: { looked: bytes.toString() } };
    },
  });
  const whole = { ...pipelineOf([other, root, check], [output(root)]), checks: [check] };
  const folder = temporaryFolder();
  const run = (options: Partial<BuildOptions> = {}) =>
    buildIn(folder, whole, {
      jobs,
      ...options,
      listener: (event) => void events.push('stage' in event ? `${event.type} ${event.stage}` : event.type),
    });
  return { folder, run, looked, events };
}

test('it begins before the digest is known, runs once, and counts as any other', async () => {
  const { folder, run, looked, events } = pipeline();
  await run();
  expect(looked).toEqual({ runs: 1, wasDone: [false] });
  const ofCheck = events.filter((event) => / check$/.test(event));
  expect(ofCheck).toEqual(['stage-start check', 'stage-done check']);
  expect(events.indexOf('stage-start check')).toBeGreaterThan(events.indexOf('stage-done root'));
  expect(recordsIn(folder).get('check')?.record.facts).toEqual({ looked: 'image' });
  await run();
  expect(looked.runs).toBe(1);
  expect(leftovers(folder)).toEqual([]);
});

test('where the result turns out to be known, what it found is of no matter', async () => {
  const { folder, run, looked, events } = pipeline();
  await run();
  events.length = 0;
  await run({ rerun: ['root'] });
  expect(looked.runs).toBe(2);
  expect(events).toContain('stage-done root');
  expect(events).toContain('stage-hit check');
  expect(events).not.toContain('stage-start check');
  expect(leftovers(folder)).toEqual([]);
});

test('where the image is not to be had in the end, nobody waits for what it finds', async () => {
  const host = join(temporaryFolder(), 'host');
  writeFileSync(host, 'before');
  const image = (): string => {
    writeFileSync(host, 'meanwhile');
    return 'image';
  };
  let end: unknown;
  const look = async ({ signal }: StageContext): Promise<void> => {
    if (!signal.aborted) await once(signal, 'abort');
    end = signal.reason;
    throw new Error('aborted');
  };
  const { folder, run, events } = pipeline(look, image, 2, { host: { kind: 'file', path: host } });
  await expect(run()).rejects.toThrow('it changed while the build read it');
  expect(end).toBeDefined();
  expect(events).not.toContain('stage-start check');
  expect(leftovers(folder)).toEqual([]);
});

test('an abort ends it', async () => {
  const controller = new AbortController();
  const look = async ({ pace }: StageContext): Promise<void> => {
    controller.abort();
    await pace.breathe();
  };
  const { folder, run } = pipeline(look);
  await expect(run({ signal: controller.signal })).rejects.toThrow('interrupted');
  expect(leftovers(folder)).toEqual([]);
});

test('its fault is its own, and nothing is handed over', async () => {
  const { folder, run, events } = pipeline(() => {
    throw hostError('the image is wrong');
  });
  await expect(run()).rejects.toThrow('the image is wrong');
  expect(events).toContain('stage-done root');
  expect(events).toContain('stage-failed check');
  expect(recordsIn(folder).has('check')).toBe(false);
  expect(() => outputsIn(folder)).toThrow('ENOENT');
  expect(leftovers(folder)).toEqual([]);
});

test('the fault of what it waits for is told once', async () => {
  const fail = (): string => {
    throw hostError('no image today');
  };
  const { run, looked, events } = pipeline(() => {}, fail);
  await expect(run()).rejects.toThrow(/^error: no image today$/);
  expect(looked.runs).toBe(0);
  expect(events.filter((event) => event.startsWith('stage-failed'))).toEqual(['stage-failed root']);
});

test('one after the other with one job', async () => {
  const { run, looked } = pipeline(
    () => {},
    () => 'image',
    1,
  );
  await run();
  expect(looked).toEqual({ runs: 1, wasDone: [true] });
});
