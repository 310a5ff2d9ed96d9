import type { Compression } from '../compression.js';
import type { Stage, StageInput, StageNeed } from '../engine/stage.js';
import type { Recipe, Source } from '../recipe/recipe.js';
import { unpack } from '../unpack.js';
import { checkPinned } from './pinned.js';

const decoder = { kind: 'program', versionArguments: ['--version'], userPath: true } as const;

/** The programs without which a file can't be decoded; bzip2 and gzip are decoded here. */
const DECODERS: Readonly<Record<Compression, readonly StageNeed[]>> = {
  bzip2: [],
  gzip: [],
  xz: [{ ...decoder, program: 'xz', package: 'xz-utils' }],
  zstd: [{ ...decoder, program: 'zstd', package: 'zstd' }],
};

/**
 * HOWTO 5.1, `bunzip2 -c root_fs.bz2 >root_fs.ext2`: decodes a compressed base into a file with holes. The result
 * depends on the bytes alone, whichever program decodes them: so no tool is a part of the key.
 */
export function unpackStage(
  name: string,
  title: string,
  input: StageInput,
  source: Source,
  compression: Compression,
  recipe: Recipe,
): Stage {
  return {
    name,
    title,
    module: import.meta.url,
    parameters: { sha256: source.sha256 },
    inputs: { compressed: input },
    tools: [],
    needs: [
      ...DECODERS[compression],
      // What is packed is no longer than what it was made of, holes left out.
      { kind: 'space', where: 'cache', bytes: { input: 'compressed' } },
    ],
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
