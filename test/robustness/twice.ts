import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildEnd } from './build-process.js';
import { faultOfOutputs } from './outputs.js';
import { COUSIN, SMALL, SMALL_CHANGED, type Variant } from './recipes.js';
import { Counts, expectThat, type Scenario } from './scenario.js';
import { expectInterruption } from './signal.js';
import type { StartingState } from './workshop.js';

/** One of several builds at once. */
interface Contender {
  readonly variant: Variant;
  readonly out: string;
}

/** What several builds at once may be. */
const CONTESTS: Readonly<Record<string, (count: number) => Contender[]>> = {
  'one recipe, one folder': (count) => several(count, () => ({ variant: SMALL, out: 'result' })),
  'one recipe, a folder each': (count) =>
    several(count, (index) => ({ variant: SMALL, out: `result-${index}` })),
  'two recipes with the same stages': (count) =>
    several(count, (index) => ({ variant: index % 2 === 0 ? SMALL : COUSIN, out: `result-${index}` })),
  'a recipe and the same changed, a folder each': (count) =>
    several(count, (index) => ({ variant: index % 2 === 0 ? SMALL : SMALL_CHANGED, out: `result-${index}` })),
};

/** Builds begin within so many milliseconds. */
const SPREAD_MILLISECONDS = 500;

/** Several builds at once: all are right, and what they share is done once. One of them may be killed. */
export const twiceScenario: Scenario = {
  name: 'twice',
  unit: 'builds at once',
  count: 120,
  few: 6,
  async trial(number, random, workshop) {
    const state = random.pick<StartingState>(['empty', 'empty', 'cached']);
    const trial = await workshop.trial(`twice-${number}`, state, SMALL);
    const before = new Set(trial.records());
    const contest = random.pick(Object.keys(CONTESTS));
    const contenders = CONTESTS[contest]?.(2 + random.below(3)) ?? [];
    const counts = new Counts();
    counts.add(contest);
    const victim = random.below(3) === 0 ? random.below(contenders.length) : undefined;
    const signal = random.pick(['SIGKILL', 'SIGINT'] as const);
    if (victim !== undefined) counts.add(`${signal} to one of them`);
    const ends = await Promise.all(
      contenders.map(async ({ variant, out }, index) => {
        await sleep(random.below(SPREAD_MILLISECONDS));
        const build = trial.start(variant, { out });
        if (index === victim) await build.killAfter(random.below(2000), signal);
        return build.ended;
      }),
    );
    for (const [index, end] of ends.entries()) {
      const { variant, out } = contenders[index] as Contender;
      if (index === victim && end.code !== 0) {
        // Also while it waits for another.
        if (signal === 'SIGINT' && end.events.length > 0) expectInterruption(end);
        continue;
      }
      expectThat(end.code === 0, `a build ends with ${end.code ?? end.signal}: ${end.messages.join(' / ')}`);
      const fault = faultOfOutputs(trial.out(out), await workshop.outputsOf(variant));
      expectThat(fault === undefined, `${out}: ${fault}`);
    }
    // What the dead one left, the next one clears up.
    if (victim === undefined || signal === 'SIGINT') await trial.expectNothingLeft();
    if (victim === undefined) expectEachOnce(ends, before);
    const last = contenders[victim ?? 0] as Contender;
    await trial.complete(last.variant, { out: last.out });
    trial.remove();
    return { harm: contenders.length, kinds: counts.all };
  },
};

function several(count: number, each: (index: number) => Contender): Contender[] {
  return Array.from({ length: count }, (_, index) => each(index));
}

/** No stage whose result the cache keeps runs twice, and none that was done before. */
function expectEachOnce(ends: readonly BuildEnd[], before: ReadonlySet<string>): void {
  const runs = new Map<string, number>();
  for (const { events } of ends) {
    for (const event of events) {
      // Other reasons are for files that the cache does not keep: each folder has its own.
      if (event.type === 'stage-start' && event.reason === 'new')
        runs.set(`${event.stage} ${event.key}`, (runs.get(`${event.stage} ${event.key}`) ?? 0) + 1);
    }
  }
  for (const [stage, count] of runs) {
    expectThat(count === 1, `${stage} runs ${count} times`);
    expectThat(!before.has(stage.split(' ')[1] ?? ''), `${stage} runs again`);
  }
}
