import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../fuzz/random.js';
import { expectNoProcesses } from './aftermath.js';
import {
  type Beginning,
  expectOldOrNew,
  hasOutputs,
  noteLength,
  pickBeginning,
  pickMoment,
  pickOptions,
  pickSmallBeginning,
} from './beginning.js';
import type { BuildEnd } from './build-process.js';
import { Counts, expectThat, type Outcome, type Scenario } from './scenario.js';
import type { Trial, TrialBuildOptions } from './trial.js';
import type { Workshop } from './workshop.js';

/** SIGKILL at any moment, to the command alone: whatever it started has to notice by itself. */
export const killScenario: Scenario = {
  name: 'kill',
  unit: 'kills',
  count: 200,
  few: 14,
  trial: (number, random, workshop) => {
    const picked = pickBeginning(random, workshop);
    return killedTrial(`kill-${number}`, picked, random, workshop, async (trial, beginning, options) => {
      const build = trial.start(beginning.target, { options });
      await build.killAfter(await pickMoment(beginning, random, workshop), 'SIGKILL');
      return build.ended;
    });
  },
};

/** So many calls at the start and at the end of a build are of more interest than the others. */
const EDGE_CALLS = 40;

/**
 * The same at a place instead of a moment: before, in the middle of or after one of the calls with which the build
 * changes files. Moments hit what takes long; this hits what is short, such as the change of the output folder.
 */
export const crashScenario: Scenario = {
  name: 'crash',
  unit: 'crashes',
  count: 200,
  few: 8,
  trial: (number, random, workshop) => {
    const picked = pickSmallBeginning(random, workshop);
    return killedTrial(`crash-${number}`, picked, random, workshop, async (trial, beginning, options) => {
      // Names change rarely, contents thousands of times.
      const calls = random.below(4) > 0 || workshop.few ? 'naming' : 'all';
      const count = await callsOf(beginning, calls, workshop);
      const crash = {
        SSI_CRASH_AT: `${pickCall(count, random)}`,
        SSI_CRASH_HOW: random.pick(['before', 'after', 'half']),
        SSI_CRASH_CALLS: calls,
      };
      return trial.start(beginning.target, { ...hooked(crash), options }).ended;
    });
  },
};

function pickCall(count: number, random: Random): number {
  const edge = Math.min(EDGE_CALLS, count);
  const places = [1 + random.below(edge), count - random.below(edge), 1 + random.below(count)];
  return random.pick(places);
}

const hook = new URL('./crash-hook.js', import.meta.url).href;

function hooked(environment: Readonly<Record<string, string>>): TrialBuildOptions {
  return { node: ['--import', hook], environment };
}

/** How many calls an undisturbed build makes. */
function callsOf({ state, before, target }: Beginning, calls: string, workshop: Workshop): Promise<number> {
  return workshop.measured(`calls ${calls}`, state, before, async (trial) => {
    const report = join(trial.folder, 'calls');
    await trial.complete(target, hooked({ SSI_CRASH_REPORT: report, SSI_CRASH_CALLS: calls }));
    return Number(readFileSync(report, 'utf8'));
  });
}

/** Kills builds from one beginning, one to three times, and then lets one end. */
async function killedTrial(
  name: string,
  beginning: Beginning,
  random: Random,
  workshop: Workshop,
  kill: (trial: Trial, beginning: Beginning, options: readonly string[]) => Promise<BuildEnd>,
): Promise<Outcome> {
  const { state, before, target } = beginning;
  const trial = await workshop.trial(name, state, before);
  const counts = new Counts();
  const kills = random.below(3) === 0 ? 2 + random.below(2) : 1;
  let harm = 0;
  for (let round = 0; round < kills; round++) {
    const options = pickOptions(random);
    const end = await kill(trial, beginning, options);
    await expectNoProcesses(trial.folder);
    const outputs = await expectOldOrNew(trial, beginning);
    if (end.signal === 'SIGKILL') {
      harm += 1;
      counts.add([target.name, 'from', state, ...options].join(' '));
      if (hasOutputs(beginning))
        counts.add(
          `then the outputs were ${outputs === 'none' ? 'between old and new' : `the ${outputs} ones`}`,
        );
      continue;
    }
    expectThat(end.code === 0, `it ends with ${end.code ?? end.signal}: ${end.messages.join(' / ')}`);
    counts.add('had ended before');
    if (round === 0 && options.length === 0) await noteLength(beginning, end.milliseconds, workshop);
  }
  // Also when the user thinks better of it.
  const next = hasOutputs(beginning) && random.below(4) === 0 ? before : target;
  const isUncached = random.below(10) === 0;
  await trial.complete(next, isUncached ? { options: ['--no-cache'], mayRepeat: true } : {});
  trial.remove();
  return { harm, kinds: counts.all };
}
