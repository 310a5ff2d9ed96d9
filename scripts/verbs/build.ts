import { usageError } from '../../images/diagnostic.js';
import { type BuildResult, build as buildPipeline } from '../../pipelines/build.js';
import { Cache } from '../../pipelines/cache/cache.js';
import { removeAll } from '../../pipelines/cache/scratch.js';
import { placeFindings } from '../../pipelines/doctor/space.js';
import { stageFindings, throwMissing } from '../../pipelines/doctor/stage-findings.js';
import { howtoSteps } from '../../pipelines/host/howto-steps.js';
import { shellScript } from '../../pipelines/host/shell-script.js';
import type { Pipeline } from '../../pipelines/pipeline.js';
import { commandPace, writeOut } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';
import { generatorName } from '../command-line/version.js';
import { BuildReport } from '../progress/build-report.js';
import { defaultStyle, startPresenter } from '../progress/presenter.js';
import { buildSummary } from '../progress/summary.js';
import {
  hostOptionsOf,
  jobsOf,
  openCache,
  outputFolder,
  pipelineOf,
  placesOf,
  type RecipeOptions,
  type RemoteOptions,
  recipeOf,
  remoteOf,
} from './build-options.js';
import { checkReproducible } from './build-twice.js';

export interface BuildVerbOptions extends RecipeOptions, RemoteOptions {
  readonly until?: string;
  readonly only?: string;
  readonly rerun: readonly string[];
  readonly check?: boolean;
  readonly jobs?: string;
  /** Commander's form of --no-cache. */
  readonly cache: boolean;
  readonly keepWork?: boolean;
  /** A file to which a table in Markdown is appended. */
  readonly summary?: string;
  readonly junit?: string;
  readonly json?: boolean;
  /** Only print the commands of a host build. */
  readonly dryRun?: boolean;
}

/** `ssi-image build`: runs a recipe's stages and puts the outputs into the output folder, all at once. */
export async function build(recipe: string, options: BuildVerbOptions): Promise<number> {
  if (options.until !== undefined && options.only !== undefined)
    throw usageError('--until and --only exclude each other');
  if (options.dryRun === true) return dryRun(recipe, options);
  if (options.check === true && options.backend === 'host')
    throw usageError('--check is for the native backend: what the host writes differs each time');
  const pipeline = pipelineOf(recipe, options);
  if (options.check === true) {
    const places = placesOf(pipeline, options);
    throwMissing(placeFindings(places));
    throwMissing(await stageFindings(pipeline.stages, places));
    return checkReproducible(recipe, pipeline, options);
  }
  const result = await buildPlanned(pipeline, options);
  if (options.json === true) await writeOut(`${JSON.stringify(result)}\n`);
  else await writeOut(buildSummary(pipeline.recipe, result));
  return ExitCode.done;
}

/** Builds for another verb, which has something to say of its own. */
export async function buildOutputs(recipe: string, options: BuildVerbOptions): Promise<BuildResult> {
  const pipeline = pipelineOf(recipe, options);
  return buildPlanned(pipeline, options);
}

async function buildPlanned(pipeline: Pipeline, options: BuildVerbOptions): Promise<BuildResult> {
  throwMissing(placeFindings(placesOf(pipeline, options)));
  const { cache, remove } = cacheFor(options);
  try {
    return await runBuild(pipeline, cache, options);
  } finally {
    remove();
  }
}

/** `--dry-run`: the shell script that a host build runs. */
async function dryRun(recipe: string, options: BuildVerbOptions): Promise<number> {
  const host = hostOptionsOf(recipe, { ...options, backend: options.backend ?? 'host' });
  if (host === undefined)
    throw usageError(
      '--dry-run prints the commands of the backend host',
      'For the native one see "ssi-image plan".',
    );
  const loaded = recipeOf(recipe, options);
  await writeOut(shellScript(loaded, howtoSteps(loaded, host)));
  return ExitCode.done;
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
  const remote = options.cache ? remoteOf(options, options.offline === true) : undefined;
  const presenter = await startPresenter(options.json === true ? 'json' : defaultStyle());
  const report = new BuildReport();
  try {
    return await buildPipeline(pipeline, {
      cache,
      ...(remote === undefined ? {} : { remote }),
      out: outputFolder(pipeline, options),
      jobs: jobsOf(options.jobs),
      pace: commandPace(),
      signal: interruptionSignal,
      listener: (event) => {
        presenter.listen(event);
        report.listen(event);
      },
      generator: generatorName(),
      rerun: options.rerun,
      keepWork: options.keepWork ?? false,
      ...(options.until === undefined ? {} : { until: options.until }),
      ...(options.only === undefined ? {} : { only: options.only }),
    });
  } finally {
    await presenter.end();
    if (options.summary !== undefined) report.appendSummary(options.summary);
    if (options.junit !== undefined) report.writeJunit(options.junit);
  }
}
