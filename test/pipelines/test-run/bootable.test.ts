import { expect, test } from 'vitest';
import { DiagnosticError } from '../../../images/diagnostic.js';
import type { Recipe } from '../../../pipelines/recipe/recipe.js';
import { checkBootable } from '../../../pipelines/test-run/bootable.js';
import { recipeRig, simple } from '../recipe/rig.js';

const { load, write } = recipeRig();
const gfs2 = `recipe: 1
name: gfs2
distribution: debian
base: {tar: http://example.org/root.tar}
cluster: {nodes: 3, network: 192.168.50.0/24}
filesystem: {type: gfs2, size: 1GiB, lockTable: "ssi:root"}
ramdisk: {}
kernel: {path: /usr/bin/linux.uml}
`;
const ext2 = gfs2
  .replace(/filesystem: .*/, 'filesystem: {type: ext2, size: 64MiB}')
  .replace(/ramdisk: .*\n/, '');

function faultOf(text: string): string {
  write({ 'recipe.yaml': text });
  const recipe: Recipe = load('./recipe.yaml');
  try {
    checkBootable(recipe, 1, 64);
  } catch (error) {
    if (error instanceof DiagnosticError && error.diagnostics[0]?.kind === 'recipe') return error.message;
    throw error;
  }
  throw new Error('it can be booted');
}

test.each([
  [
    'an OpenGFS root',
    simple,
    'recipe.yaml:9:20: error: an OpenGFS root boots with an SSI kernel of Linux 2.4 only, and this recipe names none\n',
  ],
  [
    'an OpenGFS root with a kernel',
    `${simple}kernel: {image: http://example.org/linux}\n`,
    'recipe.yaml:9:20: error: the nodes of an OpenGFS root take no commands from the host, so nothing can be tested in them\n',
  ],
  [
    'a root for one node',
    ext2,
    'recipe.yaml:6:20: error: a root on ext2 is for one node alone: there is no cluster to test\n',
  ],
  [
    'no locks',
    gfs2.replace('ssi:root"', 'ssi:root", lockProtocol: lock_nolock'),
    'error: two nodes with lock_nolock would destroy the root\n',
  ],
  ['no ramdisk', gfs2.replace('ramdisk: {}\n', ''), 'error: there is no ramdisk, which nodes start from\n'],
])('%s can not be tested, and the recipe is pointed at', (_name, text, expected) => {
  expect(faultOf(text)).toContain(expected);
});
