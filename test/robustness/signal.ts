import { setTimeout as sleep } from 'node:timers/promises';
import {
  expectOldOrNew,
  hasOutputs,
  noteLength,
  pickBeginning,
  pickMoment,
  pickOptions,
} from './beginning.js';
import type { BuildEnd } from './build-process.js';
import { Counts, expectThat, type Scenario } from './scenario.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A build that is asked to stop does so at once, as people see it; in milliseconds. */
const PROMPT_MILLISECONDS = 5000;

/** How long after the first signal the second one comes, at most, in milliseconds. */
const IMPATIENCE_MILLISECONDS = 300;

/** Ctrl-C, SIGTERM and SIGHUP at any moment: it ends soon, says so, and nothing is left, without another run. */
export const signalScenario: Scenario = {
  name: 'signal',
  unit: 'signals',
  count: 100,
  few: 8,
  async trial(number, random, workshop) {
    const beginning = pickBeginning(random, workshop);
    const { state, before, target } = beginning;
    const trial = await workshop.trial(`signal-${number}`, state, before);
    const counts = new Counts();
    const signal = random.pick(SIGNALS);
    // A terminal sends it to all processes of the command.
    const whom = random.pick(['process', 'group'] as const);
    const isImpatient = random.below(6) === 0;
    const options = pickOptions(random);
    const build = trial.start(target, { options });
    await build.killAfter(await pickMoment(beginning, random, workshop), signal, whom);
    const sent = performance.now();
    if (isImpatient) {
      await Promise.race([sleep(random.below(IMPATIENCE_MILLISECONDS)), build.ended]);
      build.kill(signal, whom);
    }
    const end = await build.ended;
    const took = performance.now() - sent;
    const outputs = await expectOldOrNew(trial, beginning);
    let harm = 0;
    // Node gives the signals up when everything is done, just before the process ends.
    const isTooLate = end.signal === signal && end.events.at(-1)?.type === 'build-done';
    if (end.code === 0 || isTooLate) {
      counts.add('had ended before');
      if (options.length === 0) await noteLength(beginning, end.milliseconds, workshop);
      expectThat(
        outputs === 'new' || options.length > 0,
        `it ends with ${end.code ?? end.signal}, and the outputs are ${outputs}`,
      );
    } else {
      harm = 1;
      expectThat(took < PROMPT_MILLISECONDS, `it goes on for ${took.toFixed(0)} ms after ${signal}`);
      expectThat(
        outputs === (hasOutputs(beginning) ? 'old' : 'none'),
        `it ends with ${end.code}, and the outputs are ${outputs}`,
      );
      if (end.signal === signal && end.events.length === 0) counts.add(`${signal} before it began`);
      else {
        expectInterruption(end, isImpatient);
        counts.add([signal, 'to the', whom, ...(isImpatient ? ['twice'] : []), ...options].join(' '));
      }
    }
    // The second signal ends it at once, whatever it has begun to clear up.
    if (!isImpatient) await trial.expectNothingLeft();
    await trial.complete(target);
    trial.remove();
    return { harm, kinds: counts.all };
  },
};

/** Throws a TrialFault unless a build says that it was interrupted; a second signal may come before or after it does. */
export function expectInterruption({ code, signal, messages }: BuildEnd, isTwice = false): void {
  // Others are what `--check` says as it goes.
  const text = messages.filter((line) => line.includes('error')).join(' / ');
  expectThat(code === 130 || (isTwice && signal !== null), `it ends with ${code ?? signal}: ${text}`);
  expectThat(text === 'error: interrupted' || (isTwice && text === ''), `it says: ${text}`);
}
