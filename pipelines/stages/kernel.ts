import { byteStringFromText } from '../../images/bytes/byte-string.js';
import { copySparse } from '../../images/bytes/sparse-copy.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { piecesOf } from '../../images/tree/content.js';
import type { FileNode } from '../../images/tree/node.js';
import type { Tree } from '../../images/tree/tree.js';
import { findPlace, reasonOf } from '../configure/place.js';
import { nameOf } from '../configure/small-file.js';
import type { Stage, StageInput } from '../engine/stage.js';
import type { KernelSettings, Recipe } from '../recipe/recipe.js';
import { atRecipe } from './at-recipe.js';
import { checkPinned } from './pinned.js';

/** Name of the output. */
export const KERNEL_NAME = 'linux';

/** The kernel of the nodes: `input` is the root's tree, or the user's file. */
export function kernelStage(recipe: Recipe, settings: KernelSettings, input: StageInput): Stage {
  return {
    name: 'kernel',
    title: `Copy the kernel to ${KERNEL_NAME}`,
    module: import.meta.url,
    parameters:
      settings.kind === 'base' ? { path: settings.path } : { sha256: settings.source.sha256 ?? null },
    inputs: { from: input },
    tools: [],
    artifacts: [KERNEL_NAME],
    keeping: 'stored',
    run: async (context) => {
      const path = context.outputPath(KERNEL_NAME);
      if (settings.kind === 'file') {
        await checkPinned(context, 'from', settings.source, recipe);
        const sha256 = await copySparse(await context.inputPath('from'), path, context.pace);
        return { artifacts: { [KERNEL_NAME]: { kind: 'file', path, sha256 } } };
      }
      const node = fileAt(await context.inputTree('from'), settings.path, recipe);
      const file = SparseFile.create(path, node.size, { name: KERNEL_NAME });
      try {
        for (const piece of piecesOf(node.content, node.size)) {
          file.write(piece.bytes, piece.offset);
          if (context.pace.due()) await context.pace.breathe();
        }
        file.close();
      } catch (error) {
        throw atRecipe(error, recipe, ['kernel', 'path']);
      } finally {
        file.abandon();
      }
      return { artifacts: { [KERNEL_NAME]: { kind: 'file', path } }, facts: { bytes: node.size } };
    },
  };
}

/** The file that a path of the root leads to. */
function fileAt(root: Tree, path: string, recipe: Recipe): FileNode {
  const place = findPlace(root.root, byteStringFromText(path), true);
  if (place.kind === 'found' && place.node.type === 'file' && place.node.size > 0) return place.node;
  const hint = /\/linux\.uml$/.test(path)
    ? 'Add the Debian package user-mode-linux to the base.'
    : 'Look into the base with "ssi-image ls", and correct the path.';
  const reason =
    place.kind !== 'found'
      ? place.kind === 'absent'
        ? 'it is not there'
        : reasonOf(place)
      : place.node.type === 'file'
        ? 'it is empty'
        : `it is a ${nameOf(place.node)}`;
  throw recipe.faultAt(['kernel', 'path'], `the root has no kernel ${path}: ${reason}`, hint);
}
