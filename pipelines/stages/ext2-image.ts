import { SparseFile } from '../../images/bytes/sparse-file.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import { writeExt2 } from '../../images/ext2/writer.js';
import type { Stage, StageInput } from '../engine/stage.js';
import type { Ext2Recipe } from '../recipe/recipe.js';
import { atRecipe } from './at-recipe.js';
import { warnOfNotKept } from './losses.js';

/**
 * Makes an ext2 filesystem on a bare image and copies the root in: for a node that has its root for itself, and the
 * plain case that any host can mount. Only the digest is kept, as of any root image.
 */
export function ext2ImageStage(recipe: Ext2Recipe, tree: StageInput): Stage {
  const { image, size, blockSize } = recipe.filesystem;
  return {
    name: 'root-image',
    title: `Make ${image} and fill it`,
    module: import.meta.url,
    parameters: { epoch: recipe.epoch, filesystem: { type: 'ext2', size, blockSize } },
    inputs: { tree },
    tools: [],
    artifacts: [image],
    keeping: 'digest',
    run: async (context) => {
      const root = await context.inputTree('tree');
      const path = context.outputPath(image);
      const { pace } = context;
      const file = SparseFile.create(path, size, { name: image });
      try {
        const { notKept, inodeCount, freeInodes, dataBytes, uuid } = await writeExt2(file, root, {
          blockSize,
          epoch: recipe.epoch,
          pace,
        });
        file.close();
        warnOfNotKept(notKept, context);
        const facts = { inodes: inodeCount - freeInodes, dataBytes, uuid, notKept: notKept.length };
        return { artifacts: { [image]: { kind: 'file', path } }, facts };
      } catch (error) {
        throw doesNotFit(error) ? atRecipe(withoutFile(error), recipe, ['filesystem', 'size']) : error;
      } finally {
        file.abandon();
      }
    },
  };
}

function doesNotFit(error: unknown): error is DiagnosticError {
  if (!(error instanceof DiagnosticError)) return false;
  const [{ message } = { message: '' }] = error.diagnostics;
  return /^(the content needs|no ext2 with|an ext2 of)/.test(message);
}

/** The image is what the recipe asked for: the place to change something is the recipe. */
function withoutFile(error: DiagnosticError): DiagnosticError {
  return new DiagnosticError(error.diagnostics.map(({ location: _location, ...rest }) => rest));
}
