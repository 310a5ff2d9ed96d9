import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Scratch } from '../../../pipelines/cache/scratch.js';
import { temporaryFolder } from '../../support/temporary.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('while work is at hand it shows to other containers that it is', () => {
  const folder = temporaryFolder();
  const scratch = new Scratch(folder);
  const work = scratch.makeFolder('work');
  const file = scratch.path('file');
  writeFileSync(file, '');
  for (let minute = 0; minute < 3; minute++) {
    for (const path of [work, file]) utimesSync(path, 1, 1);
    vi.advanceTimersByTime(60_000);
    for (const path of [work, file]) expect(statSync(path).mtimeMs).toBeGreaterThan(1_000_000);
  }
});

test('and no longer than that, also when its folder is taken away', () => {
  const folder = join(temporaryFolder(), 'tmp');
  mkdirSync(folder);
  const scratch = new Scratch(folder);
  rmSync(scratch.makeFolder('work'), { recursive: true });
  vi.advanceTimersByTime(60_000);
  expect(vi.getTimerCount()).toBe(0);
  scratch.makeFolder('work');
  rmSync(folder, { recursive: true });
  vi.advanceTimersByTime(60_000);
  expect(vi.getTimerCount()).toBe(0);
});
