import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Limiter } from '../../../pipelines/engine/limiter.js';
import { Random } from '../../fuzz/random.js';

test.each([1, 2, 5])(
  'never more than %i at once, and all get their turn, also after failures',
  async (limit) => {
    const limiter = new Limiter(limit);
    const random = new Random(limit);
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await sleep(random.below(3));
      running -= 1;
      if (random.below(4) === 0) throw new RangeError('it failed');
    };
    let failed = 0;
    const all: Promise<void>[] = [];
    for (let index = 0; index < 200; index++) {
      const run = limiter.run(work).catch(() => {
        failed += 1;
      });
      all.push(run);
      // Some come just when another ends.
      if (index > 20 && random.below(3) === 0) await sleep(0);
    }
    await Promise.all(all);
    expect(failed).toBeGreaterThan(0);
    expect(most).toBe(limit);
    expect(running).toBe(0);
  },
);

test('whoever comes just when a place gets free does not take it from who waits', async () => {
  for (let delay = 0; delay < 12; delay++) {
    const limiter = new Limiter(1);
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await sleep(1);
      running -= 1;
    };
    const first = limiter.run(async () => {
      await work();
      // From here on it is a matter of a few turns of the microtask queue.
      late = (async () => {
        for (let turn = 0; turn < delay; turn++) await undefined;
        await limiter.run(work);
      })();
    });
    let late: Promise<void> | undefined;
    await Promise.all([first, limiter.run(work)]);
    await late;
    expect(most, `after ${delay} turns`).toBe(1);
  }
});

test('a limit of nothing would never end', () => {
  for (const limit of [0, -1, Number.NaN]) expect(() => new Limiter(limit)).toThrow(RangeError);
});
