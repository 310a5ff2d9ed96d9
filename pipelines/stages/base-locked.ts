import { hostError } from '../../images/diagnostic.js';
import { treeOfTar } from '../../images/tar/reader.js';
import { type DebianPackage, differenceOfPackages, packagesOf } from '../debian-packages.js';
import type { Stage, StageInput } from '../engine/stage.js';

/** Differences that a message names. */
const SHOWN = 5;

/** Compares the packages of a Debian root with those of an earlier build, which it has to have again. */
export function baseLockedStage(base: StageInput, locked: readonly DebianPackage[]): Stage {
  return {
    name: 'base-locked',
    title: 'Compare the packages with the locked ones',
    module: import.meta.url,
    parameters: { packages: locked.map(({ name, version }) => `${name}=${version}`) },
    inputs: { base },
    tools: [],
    artifacts: [],
    keeping: 'stored',
    run: async (context) => {
      const found = packagesOf(await treeOfTar(await context.inputSource('base'), context.pace));
      const differences = differenceOfPackages(locked, found);
      if (differences.length === 0) return { artifacts: {}, facts: { packages: found.length } };
      const more = differences.length > SHOWN ? `; and ${differences.length - SHOWN} more` : '';
      throw hostError(
        `the archive gives other packages than the locked ones: ${differences.slice(0, SHOWN).join('; ')}${more}`,
        'Build without --locked to take the new ones, or name a mirror that keeps old versions (snapshot.debian.org).',
      );
    },
  };
}
