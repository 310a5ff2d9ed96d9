import { printPoolConfig } from '../../images/pool/config.js';
import { isOpenGfsRecipe, type Recipe } from '../recipe/recipe.js';
import { LOCK_TABLE_NAME, lockTableOf, poolConfigOf, poolFileName } from '../stages/pools.js';
import type { HowtoSteps } from './howto-steps.js';
import { SHELL_FUNCTIONS, word } from './step.js';

/** The titles of the HOWTO's sections. */
const SECTIONS: Readonly<Record<string, string>> = {
  '4.8': 'Building a Ramdisk Image',
  '5.1': 'Base Root Image',
  '5.2': 'GFS Root Image',
  '5.3': 'Getting Cluster Tools Source',
  '5.4': 'Building and Installing Cluster Tools',
  '5.5': 'Installing Kernel Modules',
  '5.6': 'Configuring the Root',
  '5.7': 'Unmounting the Root Image',
};

/** The texts that the HOWTO has the reader enter into files. */
function configurationFiles(recipe: Recipe): { name: string; text: string }[] {
  if (!isOpenGfsRecipe(recipe)) return [];
  return [
    ...recipe.pools.map((pool) => ({ name: poolFileName(pool), text: printPoolConfig(poolConfigOf(pool)) })),
    { name: LOCK_TABLE_NAME, text: lockTableOf(recipe) },
  ];
}

/** The script that a host build runs, to be read beside the HOWTO or run by hand as root in an empty folder. */
export function shellScript(recipe: Recipe, { steps, images, ramdisk }: HowtoSteps): string {
  const lines = [
    '#!/bin/sh',
    `# The recipe ${recipe.name} as section 5 of the HOWTO builds it. Run it as root, in an empty folder; it leaves`,
    `# ${[...images, ...(ramdisk === undefined ? [] : [ramdisk])].join(', ')} there. If it fails, what it has mounted and attached stays: a build undoes that by itself.`,
    ...SHELL_FUNCTIONS.trimEnd().split('\n'),
  ];
  if (steps.some(({ by }) => by === 'edit'))
    lines.push(
      '# Before anything is made: this has to be found.',
      'if ! command -v ssi-image >/dev/null; then',
      '  echo "ssi-image is not on the PATH: add node_modules/.bin of its checkout" >&2; exit 1',
      'fi',
    );
  let section = '';
  let isConfigured = false;
  for (const step of steps) {
    if (step.section !== section) {
      section = step.section;
      lines.push('', `# ${section}. ${SECTIONS[section] ?? ''}`);
    }
    if (!isConfigured && step.section === '5.2') {
      isConfigured = true;
      for (const { name, text } of configurationFiles(recipe))
        lines.push(`cat >${word(name)} <<'END'`, ...text.trimEnd().split('\n'), 'END');
    }
    lines.push(`# ${step.title}`, ...step.text.split('\n'));
  }
  return `${lines.join('\n')}\n`;
}
