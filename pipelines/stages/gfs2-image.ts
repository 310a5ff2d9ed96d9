import { DiagnosticError } from '../../images/diagnostic.js';
import { populate } from '../../images/gfs/writer.js';
import type { Stage, StageInput } from '../engine/stage.js';
import { MKFS_GFS2, makeGfs2 } from '../make-gfs2.js';
import type { Gfs2Recipe } from '../recipe/recipe.js';
import { openWritable } from '../writable-image.js';
import { atRecipe } from './at-recipe.js';
import { warnOfLosses } from './losses.js';

const MIB = 1024 * 1024;

/**
 * Makes a GFS2 filesystem on a bare image and copies the root in: mkfs.gfs2 makes it empty, what fills it is ours. Only
 * the digest is kept, as of any root image.
 */
export function gfs2ImageStage(recipe: Gfs2Recipe, tree: StageInput): Stage {
  const { image, size, lockProtocol, lockTable, journals, journalSize, blockSize } = recipe.filesystem;
  return {
    name: 'root-image',
    title: `Make ${image} and fill it`,
    module: import.meta.url,
    parameters: {
      epoch: recipe.epoch,
      filesystem: { size, lockProtocol, lockTable, journals, journalSize, blockSize },
    },
    inputs: { tree },
    tools: [{ ...MKFS_GFS2, package: 'gfs2-utils' }],
    needs: [
      { kind: 'program', program: 'bash', package: 'bash' },
      // mkfs.gfs2 writes every block of every journal.
      { kind: 'space', where: 'outputs', bytes: journals * journalSize },
    ],
    artifacts: [image],
    keeping: 'digest',
    run: async (context) => {
      const root = await context.inputTree('tree');
      const path = context.outputPath(image);
      const { pace, signal } = context;
      try {
        const options = { size, lockProtocol, lockTable, journals, blockSize, time: recipe.epoch };
        await makeGfs2(path, { ...options, journalMiB: journalSize / MIB }, { pace, signal, name: image });
      } catch (error) {
        throw atRecipe(withoutFile(error), recipe, ['filesystem', 'size']);
      }
      const opened = openWritable(path, [], image);
      try {
        const filled = await populate(opened, root, {
          pace,
          onProgress: (bytes) => context.progress(bytes),
        });
        opened.close();
        warnOfLosses(filled.notKept, 'for which GFS2 has no place', context);
        const { inodes, dataBytes, blocks, notKept } = filled;
        return {
          artifacts: { [image]: { kind: 'file', path } },
          facts: { inodes, dataBytes, blocks, notKept: notKept.length },
        };
      } catch (error) {
        throw doesNotFit(error) ? atRecipe(withoutFile(error), recipe, ['filesystem', 'size']) : error;
      } finally {
        opened.abandon();
      }
    },
  };
}

/** Checks that the file could be made at all: the image's own limits are the host's to say. */
function doesNotFit(error: unknown): boolean {
  return (
    error instanceof DiagnosticError && error.diagnostics[0]?.message.startsWith('the content needs') === true
  );
}

/** The image is what the recipe asked for: the place to change something is the recipe. */
function withoutFile(error: unknown): unknown {
  if (!(error instanceof DiagnosticError)) return error;
  return new DiagnosticError(error.diagnostics.map(({ location: _location, ...rest }) => rest));
}
