import { usageError } from '../../images/diagnostic.js';
import { type BuildResult, build as buildPipeline } from '../../pipelines/build.js';
import { Cache } from '../../pipelines/cache/cache.js';
import { removeAll } from '../../pipelines/cache/scratch.js';
import type { Pipeline } from '../../pipelines/pipeline.js';
import { commandPace, writeOut } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';
import { generatorName } from '../command-line/version.js';
import { defaultStyle, startPresenter } from '../progress/presenter.js';
import { buildSummary } from '../progress/summary.js';
import { jobsOf, openCache, outputFolder, pipelineOf, type RecipeOptions } from './build-options.js';
import { checkReproducible } from './build-twice.js';

export interface BuildVerbOptions extends RecipeOptions {
  readonly until?: string;
  readonly only?: string;
  readonly rerun: readonly string[];
  readonly check?: boolean;
  readonly jobs?: string;
  /** Commander's form of --no-cache. */
  readonly cache: boolean;
  readonly keepWork?: boolean;
  readonly json?: boolean;
}

/** `ssi-image build`: runs a recipe's stages and puts the outputs into the output folder, all at once. */
export async function build(recipe: string, options: BuildVerbOptions): Promise<number> {
  if (options.until !== undefined && options.only !== undefined)
    throw usageError('--until and --only exclude each other');
  const pipeline = pipelineOf(recipe, options);
  if (options.check === true) return checkReproducible(recipe, pipeline, options);
  const { cache, remove } = cacheFor(options);
  try {
    const result = await runBuild(pipeline, cache, options);
    if (options.json === true) await writeOut(`${JSON.stringify(result)}\n`);
    else await writeOut(buildSummary(pipeline.recipe, result));
    return ExitCode.done;
  } finally {
    remove();
  }
}

/** The user's cache; with --no-cache one of its own, which goes when the build ends. */
function cacheFor(options: BuildVerbOptions): { cache: Cache; remove: () => void } {
  if (options.cache) return { cache: openCache(options), remove: () => {} };
  const shared = openCache(options);
  // Builds without a cache that died leave theirs here.
  shared.sweep();
  const folder = shared.scratch.makeFolder('no-cache');
  return { cache: Cache.open(folder), remove: () => removeAll(folder) };
}

async function runBuild(pipeline: Pipeline, cache: Cache, options: BuildVerbOptions): Promise<BuildResult> {
  const presenter = await startPresenter(options.json === true ? 'json' : defaultStyle());
  try {
    return await buildPipeline(pipeline, {
      cache,
      out: outputFolder(pipeline, options),
      jobs: jobsOf(options.jobs),
      pace: commandPace(),
      signal: interruptionSignal,
      listener: (event) => presenter.listen(event),
      generator: generatorName(),
      rerun: options.rerun,
      keepWork: options.keepWork ?? false,
      ...(options.until === undefined ? {} : { until: options.until }),
      ...(options.only === undefined ? {} : { only: options.only }),
    });
  } finally {
    await presenter.end();
  }
}
