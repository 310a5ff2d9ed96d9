import { join } from 'node:path';
import type { Random } from '../fuzz/random.js';
import { type Beginning, expectOldOrNew, hasOutputs, pickBeginning } from './beginning.js';
import type { BuildEnd } from './build-process.js';
import { Counts, expectThat, type Outcome, type Scenario } from './scenario.js';
import { missingForDisk, SmallDisk } from './small-disk.js';
import type { Trial } from './trial.js';
import type { Workshop } from './workshop.js';

/** What lies on the small disk; the rest has room. */
const PLACES = ['the cache', 'the outputs', 'both'] as const;
type Place = (typeof PLACES)[number];

/** A disk that is full, of bytes or of files, at any moment of a build. */
export const fullDiskScenario: Scenario = {
  name: 'disk',
  unit: 'full disks',
  count: 80,
  few: 4,
  missing: missingForDisk,
  async trial(number, random, workshop) {
    const beginning = pickBeginning(random, workshop);
    const place = random.pick(PLACES);
    const what = random.below(4) === 0 ? 'files' : 'bytes';
    const need = await needOf(beginning, place, workshop);
    let disk: SmallDisk | undefined;
    const placeOn = (trial: Trial): void => {
      disk = putOn(trial, place);
    };
    const trial = await workshop.trial(`disk-${number}`, beginning.state, beginning.before, placeOn);
    let outcome: Outcome;
    try {
      disk?.leave(what, pickRoom(need[what], random));
      outcome = await fullDiskTrial(trial, beginning, `${place}, out of ${what}`, disk, random);
    } finally {
      disk?.remove();
    }
    trial.remove();
    return outcome;
  },
};

/** Any part of what is needed; as often next to nothing, so that small stages meet it too. */
function pickRoom(need: number, random: Random): number {
  const room = random.below(need);
  return random.below(2) === 0 ? room : Math.floor(room / 2 ** random.below(12));
}

function putOn(trial: Trial, place: Place): SmallDisk {
  if (place === 'the cache') return new SmallDisk(trial.cache);
  if (place === 'the outputs') return new SmallDisk(trial.outputs);
  const disk = new SmallDisk(join(trial.folder, 'disk'));
  trial.cache = join(disk.folder, 'cache');
  trial.outputs = join(disk.folder, 'outputs');
  return disk;
}

async function fullDiskTrial(
  trial: Trial,
  beginning: Beginning,
  kind: string,
  disk: SmallDisk | undefined,
  random: Random,
): Promise<Outcome> {
  const { target } = beginning;
  const counts = new Counts();
  const end = await trial.start(target).ended;
  const outputs = await expectOldOrNew(trial, beginning);
  if (end.code === 0) {
    counts.add('had room enough');
    expectThat(outputs === 'new', `it ends with 0, and the outputs are ${outputs}`);
  } else {
    counts.add(`${kind}, in ${stageOf(end)}`);
    expectNoSpaceMessage(end, trial.folder);
    const expected = hasOutputs(beginning) ? 'old' : 'none';
    expectThat(outputs === expected, `it ends with ${end.code}, and the outputs are ${outputs}`);
  }
  await trial.expectNothingLeft();
  // Another build changes nothing as long as there is no room.
  if (end.code !== 0 && random.below(2) === 0) {
    const again = await trial.start(target).ended;
    expectNoSpaceMessage(again, trial.folder);
    await trial.expectNothingLeft();
  }
  disk?.makeRoomy();
  await trial.complete(target);
  return { harm: end.code === 0 ? 0 : 1, kinds: counts.all };
}

/** The stage that failed, or what else was done. */
function stageOf({ events }: BuildEnd): string {
  const failed = events.find((event) => event.type === 'stage-failed');
  if (failed !== undefined) return failed.stage;
  const last = events.findLast((event) => event.type !== 'warning');
  return last === undefined ? 'the beginning' : `the time after ${last.type}`;
}

/** One message that names a path and says what to do. */
export function expectNoSpaceMessage({ code, signal, messages }: BuildEnd, folder: string): void {
  const text = messages.join(' / ');
  expectThat(code === 1, `it ends with ${code ?? signal}: ${text}`);
  const errors = messages.filter((line) => line.includes('error:'));
  expectThat(errors.length === 1, `it has ${errors.length} messages: ${text}`);
  const [error = ''] = errors;
  expectThat(error.includes('no space left on the device'), `it says: ${text}`);
  expectThat(error.startsWith(`${folder}/`), `it names no path: ${text}`);
  expectThat(text.includes('Free some space'), `it does not say what to do: ${text}`);
}

/** What a build from nothing takes of a disk in the end: what others take at most is not far from that. */
async function needOf(
  { state, before, target }: Beginning,
  place: Place,
  workshop: Workshop,
): Promise<{ bytes: number; files: number }> {
  const measure = (what: 'bytes' | 'files'): Promise<number> =>
    workshop.measured(`${what} of ${place}`, state, before, async (trial) => {
      const disk = putOn(trial, place);
      try {
        await trial.complete(target);
        return disk.used[what];
      } finally {
        disk.remove();
      }
    });
  return { bytes: await measure('bytes'), files: await measure('files') };
}
