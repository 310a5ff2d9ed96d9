import type { RamdiskSettings } from '../recipe/recipe.js';
import { type Check, numbersTo } from './check.js';

/** How long each of the steps may take, in milliseconds: after a crash locks are free again by then. */
const STEP_MILLISECONDS = 30_000;
/** The home folder of root, and of who runs commands in a node. */
const HOME = '/root';

/**
 * HOWTO 3.2, as far as it is about the single root: a file that one node makes is on all others, one of them changes it,
 * all see that, and when it is removed it is gone everywhere. (`vi` is left to people; which process is where takes an SSI
 * kernel.) A node alone does it for itself. `name` is the file's.
 */
export function singleRootChecks(
  nodes: number,
  name: string,
  ramdisk: RamdiskSettings | undefined,
): readonly Check[] {
  const file = `${sharedFolder(ramdisk)}/${name}`;
  const numbers = numbersTo(nodes);
  const others = numbers.slice(1);
  const step = (what: string, node: number, run: string, output?: string): Check => ({
    name: `single root: ${what}`,
    node,
    run,
    milliseconds: STEP_MILLISECONDS,
    expect: { code: 0, ...(output === undefined ? {} : { output }) },
  });
  const [made, changed] = ['some text', 'some text\nmore text'];
  const make = step('a node makes a file', 1, `test ! -e ${file} && echo some text > ${file}`);
  const remove = step('it is removed where it was made', 1, `rm ${file}`);
  if (others.length === 0) {
    return [
      make,
      step('it changes it', 1, `echo more text >> ${file}`),
      step('the change is there', 1, `cat ${file}`, changed),
      remove,
      step('it is gone', 1, `test ! -e ${file}`),
    ];
  }
  return [
    make,
    ...others.map((node) => step('it is on every other', node, `cat ${file}`, made)),
    step('one of them changes it', nodes, `echo more text >> ${file}`),
    ...numbers.map((node) => step('all see the change', node, `cat ${file}`, changed)),
    remove,
    ...others.map((node) => step('it is gone everywhere', node, `test ! -e ${file}`)),
  ];
}

/** The home folder, unless each node has one for itself. */
function sharedFolder(ramdisk: RamdiskSettings | undefined): string {
  const own = ramdisk?.format === 'cpio' ? ramdisk.ownPaths : [];
  return own.some((path) => path === HOME || HOME.startsWith(`${path}/`)) ? '' : '~';
}
