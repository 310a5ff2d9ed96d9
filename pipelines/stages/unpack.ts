import type { Stage, StageInput } from '../engine/stage.js';
import type { Recipe, Source } from '../recipe/recipe.js';
import { unpack } from '../unpack.js';
import { checkPinned } from './pinned.js';

/**
 * HOWTO 5.1, `bunzip2 -c root_fs.bz2 >root_fs.ext2`: decodes a compressed base into a file with holes. The result
 * depends on the bytes alone, whichever program decodes them: so no tool is a part of the key.
 */
export function unpackStage(
  name: string,
  title: string,
  input: StageInput,
  source: Source,
  recipe: Recipe,
): Stage {
  return {
    name,
    title,
    module: import.meta.url,
    parameters: { sha256: source.sha256 },
    inputs: { compressed: input },
    tools: [],
    artifacts: ['file'],
    keeping: 'stored',
    run: async (context) => {
      await checkPinned(context, 'compressed', source, recipe);
      const destination = context.outputPath('file');
      const unpacked = await unpack(await context.inputPath('compressed'), destination, {
        jobs: context.jobs,
        signal: context.signal,
        onProgress: (done, total) => context.progress(done, total),
      });
      return {
        artifacts: { file: { kind: 'file', path: destination, sha256: unpacked.sha256 } },
        facts: { compression: unpacked.compression },
      };
    },
  };
}
