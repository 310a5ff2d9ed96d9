import type { Random } from '../fuzz/random.js';
import { LARGE, LARGE_CHANGED, SMALL, SMALL_CHANGED, type Variant } from './recipes.js';
import type { Trial } from './trial.js';
import type { StartingState, Workshop } from './workshop.js';

/** A build that is to be disturbed. */
export interface Beginning {
  readonly state: StartingState;
  /** What was built before. */
  readonly before: Variant;
  readonly target: Variant;
}

const SMALL_BEGINNINGS: readonly Beginning[] = [
  { state: 'empty', before: SMALL, target: SMALL },
  { state: 'cached', before: SMALL, target: SMALL_CHANGED },
  { state: 'built', before: SMALL, target: SMALL_CHANGED },
  { state: 'outputs', before: SMALL, target: SMALL_CHANGED },
];
const LARGE_BEGINNINGS: readonly Beginning[] = [
  { state: 'empty', before: LARGE, target: LARGE },
  { state: 'outputs', before: LARGE, target: LARGE_CHANGED },
];

/** A build of the large base is rarer: it takes longer. */
export function pickBeginning(random: Random, workshop: Workshop): Beginning {
  const isLarge = random.below(4) === 0 && workshop.hasLarge;
  return isLarge ? random.pick(LARGE_BEGINNINGS) : pickSmallBeginning(random, workshop);
}

export function pickSmallBeginning(random: Random, workshop: Workshop): Beginning {
  return random.pick(
    SMALL_BEGINNINGS.filter(({ state }) => !workshop.few || state === 'empty' || state === 'built'),
  );
}

/** Whether outputs were there before. */
export function hasOutputs({ state }: Beginning): boolean {
  return state === 'built' || state === 'outputs';
}

/** How long a build takes that is not disturbed, in milliseconds. */
export async function lengthOf(beginning: Beginning, workshop: Workshop): Promise<number> {
  const { state, before, target } = beginning;
  const measured = await workshop.measured('length', state, before, async (trial) => {
    return (await trial.complete(target)).milliseconds;
  });
  return workshop.lengths.get(beginning) ?? measured;
}

/** Notes how long it took this time: other programs come and go on this host. */
export async function noteLength(
  beginning: Beginning,
  milliseconds: number,
  workshop: Workshop,
): Promise<void> {
  workshop.lengths.set(beginning, ((await lengthOf(beginning, workshop)) + milliseconds) / 2);
}

/** A moment of a build, in milliseconds after its start. */
export async function pickMoment(beginning: Beginning, random: Random, workshop: Workshop): Promise<number> {
  return (await lengthOf(beginning, workshop)) * (random.below(10_000) / 10_000);
}

/** Some are builds of another kind, which leave the outputs as they are or don't use the cache. */
export function pickOptions(random: Random): readonly string[] {
  const others = [['--no-cache'], ['--until', 'root-image'], ['--check']];
  return random.below(4) === 0 ? random.pick(others) : [];
}

/** Throws a TrialFault unless the outputs are the complete set of before or the complete new one. */
export async function expectOldOrNew(trial: Trial, beginning: Beginning): Promise<'old' | 'new' | 'none'> {
  const { before, target } = beginning;
  const found = await trial.expectWhole(hasOutputs(beginning) ? [before, target] : [target]);
  return found === undefined ? 'none' : found === target ? 'new' : 'old';
}
