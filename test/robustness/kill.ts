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
  pickPrograms,
  SMALL_BEGINNINGS,
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
  few: 25,
  trial: (number, random, workshop) =>
    killedTrial(
      `kill-${number}`,
      pickBeginning(random, workshop),
      random,
      workshop,
      async (trial, beginning) => {
        const build = trial.start(beginning.target, pickPrograms(beginning, random, workshop));
        await build.killAfter(await pickMoment(beginning, random, workshop), 'SIGKILL');
        return build.ended;
      },
    ),
};

/**
 * The same at a place instead of a moment: before, in the middle of or after one of the calls with which the build
 * changes files. Moments hit what takes long; this hits what is short, such as the change of the output folder.
 */
export const crashScenario: Scenario = {
  name: 'crash',
  unit: 'crashes',
  count: 200,
  few: 12,
  trial: (number, random, workshop) => {
    const picked = random.pick(SMALL_BEGINNINGS);
    return killedTrial(`crash-${number}`, picked, random, workshop, async (trial, beginning) => {
      // Names change rarely, contents thousands of times.
      const calls = random.below(3) > 0 ? 'naming' : 'all';
      const count = await callsOf(beginning, calls, workshop);
      const how = random.pick(['before', 'after', 'half']);
      const crash = {
        SSI_CRASH_AT: `${1 + random.below(count)}`,
        SSI_CRASH_HOW: how,
        SSI_CRASH_CALLS: calls,
      };
      return trial.start(beginning.target, hooked(crash)).ended;
    });
  },
};

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
  kill: (trial: Trial, beginning: Beginning) => Promise<BuildEnd>,
): Promise<Outcome> {
  const { state, before, target } = beginning;
  const trial = await workshop.trial(name, state, before);
  const counts = new Counts();
  const kills = random.below(3) === 0 ? 2 + random.below(2) : 1;
  let harm = 0;
  for (let round = 0; round < kills; round++) {
    const end = await kill(trial, beginning);
    await expectNoProcesses(trial.folder);
    const outputs = await expectOldOrNew(trial, beginning);
    if (end.signal === 'SIGKILL') {
      harm += 1;
      counts.add(`${target.name} from ${state}`);
      if (hasOutputs(beginning))
        counts.add(
          `then the outputs were ${outputs === 'none' ? 'between old and new' : `the ${outputs} ones`}`,
        );
      continue;
    }
    expectThat(end.code === 0, `it ends with ${end.code ?? end.signal}: ${end.messages.join(' / ')}`);
    counts.add('had ended before');
    if (round === 0) await noteLength(beginning, end.milliseconds, workshop);
  }
  // Also when the user thinks better of it.
  await trial.complete(hasOutputs(beginning) && random.below(4) === 0 ? before : target);
  trial.remove();
  return { harm, kinds: counts.all };
}
