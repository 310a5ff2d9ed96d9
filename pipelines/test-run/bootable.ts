import { hostError, usageError } from '../../images/diagnostic.js';
import { gatherFaults } from '../gather-faults.js';
import { checkTracing } from '../nodes/cluster-settings.js';
import { findMemoryFolder } from '../nodes/memory-folder.js';
import { findProgram, requireProgram } from '../program-folders.js';
import type { Recipe } from '../recipe/recipe.js';

/** Programs of the host without which no cluster starts, with their Debian packages. */
const PROGRAMS = [
  ['uml_switch', 'uml-utilities'],
  ['bash', 'bash'],
  ['flock', 'util-linux'],
] as const;

/**
 * Throws a DiagnosticError when what a recipe builds can't be booted and asked here, as far as that is known before it is
 * built: by the recipe itself, or by what the host lacks for so many nodes.
 */
export function checkBootable(recipe: Recipe, nodes: number, memoryMiB: number): void {
  checkRecipe(recipe);
  const { nodes: most } = recipe.cluster;
  if (nodes < 1 || nodes > most)
    throw usageError(
      `--nodes ${nodes}: the recipe ${recipe.name} has ${most} ${most === 1 ? 'node' : 'nodes'}`,
      nodes < 1
        ? 'At least one has to start.'
        : `Give it more: --set cluster.nodes=${nodes}, or the variable for that.`,
    );
  checkHost(recipe, nodes, memoryMiB);
}

function checkRecipe(recipe: Recipe): void {
  const { filesystem, ramdisk, kernel } = recipe;
  if (filesystem.type === 'ext2')
    throw recipe.faultAt(
      ['filesystem', 'type'],
      'a root on ext2 is for one node alone: there is no cluster to test',
      'Nodes share a root with gfs2.',
    );
  if (filesystem.type === 'opengfs')
    throw recipe.faultAt(
      ['filesystem', 'type'],
      kernel === undefined
        ? 'an OpenGFS root boots with an SSI kernel of Linux 2.4 only, and this recipe names none'
        : 'the nodes of an OpenGFS root take no commands from the host, so nothing can be tested in them',
      'Look into the images with "ssi-image fsck" and "ssi-image diff"; with a kernel of 2002 start them with ssi-start.',
    );
  if (filesystem.lockProtocol !== 'lock_dlm')
    throw recipe.faultAt(
      ['filesystem', 'lockProtocol'],
      `two nodes with ${filesystem.lockProtocol} would destroy the root`,
      'Nodes share it with lock_dlm.',
    );
  if (ramdisk === undefined)
    throw recipe.faultAt(['ramdisk'], 'there is no ramdisk, which nodes start from', 'Add it: ramdisk: {}');
}

function checkHost({ kernel }: Recipe, nodes: number, memoryMiB: number): void {
  gatherFaults([
    () => {
      if (kernel !== undefined || findProgram('linux.uml') !== undefined) return;
      throw hostError(
        'there is no kernel: the recipe names none, and this host has no linux.uml',
        'Install the Debian package user-mode-linux, or name one in the recipe: kernel.',
      );
    },
    ...PROGRAMS.map(
      ([program, name]) =>
        () =>
          requireProgram(program, name),
    ),
    checkTracing,
    () => findMemoryFolder(nodes, memoryMiB),
  ]);
}
