import { posix } from 'node:path';
import type { ConfigureSettings, Recipe, UbdSettings } from '../recipe/recipe.js';
import { type Step, word } from './step.js';

const step = { section: '5.6', stage: 'configure' } as const;

/** 5.6 and 5.8, in the order of the native build: what goes, the ubd devices, and what the HOWTO leaves to an editor. */
export function rootSteps(recipe: Recipe, root: string, recipeArguments: readonly string[]): Step[] {
  const { configure } = recipe;
  return [
    ...removals(configure, root),
    ...(configure.ubd === undefined ? [] : [remakeUbd(configure.ubd, root)]),
    ...(isEdited(recipe) ? [edit(recipe, root, recipeArguments)] : []),
  ];
}

function removals({ rcDirectory, removeServices, remove }: ConfigureSettings, root: string): Step[] {
  const services = removeServices.map((link) => posix.join('/', rcDirectory, link));
  const steps: Step[] = [];
  if (services.length > 0) {
    const text = [...folders(services, root), ...services.map((path) => `rm -f ${word(root + path)}`)].join(
      '\n',
    );
    steps.push({ ...step, title: 'Services that are not needed', text });
  }
  if (remove.length > 0) {
    const paths = remove.map((path) => posix.join('/', path));
    const text = [...folders(paths, root), ...paths.map((path) => `rm -rf ${word(root + path)}`)].join('\n');
    steps.push({ ...step, title: 'Paths that are not needed', text });
  }
  return steps;
}

/** Each folder must lie in the root before anything in it is touched. */
function folders(paths: readonly string[], root: string): string[] {
  const unique = new Set(paths.map((path) => posix.dirname(path)));
  return [...unique].map((folder) => `inside ${word(root)} ${word(root + (folder === '/' ? '' : folder))}`);
}

function remakeUbd({ devices, minorStep }: UbdSettings, root: string): Step {
  const dev = `${root}/dev`;
  const numbers = Array.from({ length: devices }, (_, number) => number);
  const text = [
    `inside ${word(root)} ${word(`${root}/etc/group`)}`,
    `inside ${word(root)} ${word(`${dev}/ubd`)}`,
    `disk=$(sed -n 's/^disk:[^:]*:\\([0-9]*\\):.*/\\1/p' ${word(`${root}/etc/group`)} 2>/dev/null | head -n 1)`,
    `mkdir -p ${word(`${dev}/ubd`)}`,
    ...numbers.map((number) => `remake ${word(`${dev}/ubd/${number}`)} ${number * minorStep} "\${disk:-0}"`),
    `for each in ${word(dev)}/ubd/* ${word(dev)}/ubd?*; do`,
    `  name=\${each##*/}`,
    `  renumber "$each" ${minorStep} "\${name#ubd}"`,
    'done',
  ].join('\n');
  return { ...step, title: 'Remake the ubd devices', text };
}

/** Whether anything is to be done that takes more than a command. */
export function isEdited({ configure, ssh }: Recipe): boolean {
  const { inittab, files, network } = configure;
  return inittab !== undefined || files.length > 0 || network.patch || network.hosts || ssh !== undefined;
}

/** What `ssi-image edit-root` does, named for the reader. */
function edit(recipe: Recipe, root: string, recipeArguments: readonly string[]): Step {
  const { inittab, files, network } = recipe.configure;
  const what = [
    ...(recipe.ssh === undefined ? [] : ['the keys of the nodes']),
    ...files.map(({ to }) => to),
    ...(inittab === undefined
      ? []
      : [`${inittab.source} (DHCP daemon ${inittab.dhcpd ? 'on' : 'off'}, getty on ${inittab.getty})`]),
    ...(network.patch ? ['ifcfg-eth0 and network-functions (5.8)'] : []),
    ...(network.hosts ? ['/etc/hosts'] : []),
  ];
  return {
    ...step,
    title: `With an editor: ${what.join(', ').replace(/[^\x20-\x7e]/g, '?')}`,
    text: `ssi-image edit-root ${recipeArguments.map(word).join(' ')} ${word(root)}`,
    by: 'edit',
  };
}
