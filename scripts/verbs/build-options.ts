import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { usageError } from '../../images/diagnostic.js';
import { Cache, defaultCacheFolder } from '../../pipelines/cache/cache.js';
import type { DebianPackage } from '../../pipelines/debian-packages.js';
import { MANIFEST_NAME, readManifest } from '../../pipelines/output/manifest.js';
import { ownSeed, ownSeedPath, readSeed } from '../../pipelines/own-seed.js';
import type { Pipeline } from '../../pipelines/pipeline.js';
import { loadRecipe } from '../../pipelines/recipe/load-recipe.js';
import { recipePipeline } from '../../pipelines/recipe-pipeline.js';
import { parseInteger, sourceDateEpochIfSet } from '../command-line/values.js';

/** What every verb takes that works on a recipe's stages. */
export interface RecipeOptions {
  readonly set: readonly string[];
  readonly out?: string;
  readonly cacheDir?: string;
  readonly offline?: boolean;
  /** Whether a Debian base has to come out with the packages of the build before. */
  readonly locked?: boolean;
  /** Nothing is to be made, not even the user's secret. */
  readonly looksOnly?: boolean;
}

/** Where no secret was made yet, no stage has run with it: any other value says so. */
function seedToLookAt(): string {
  return readSeed(ownSeedPath()) ?? randomBytes(32).toString('hex');
}

/** Loads a recipe and plans its stages. Throws a DiagnosticError with all that is wrong with it. */
export function pipelineOf(recipe: string, options: RecipeOptions): Pipeline {
  const epoch = sourceDateEpochIfSet();
  const loaded = loadRecipe(recipe, { set: options.set, ...(epoch === undefined ? {} : { epoch }) });
  const folder = options.out ?? join('out', loaded.name);
  const locked = options.locked === true ? lockedPackages(folder) : undefined;
  return recipePipeline(loaded, {
    offline: options.offline ?? false,
    ownSeed: options.looksOnly === true ? seedToLookAt : ownSeed,
    ...(locked === undefined ? {} : { locked }),
  });
}

/** The packages that the build before recorded in its manifest. */
function lockedPackages(folder: string): DebianPackage[] {
  for (const { facts } of readManifest(folder)?.stages ?? []) {
    const packages =
      facts !== null && typeof facts === 'object' && 'packages' in facts ? facts.packages : undefined;
    if (Array.isArray(packages)) return packages as unknown as DebianPackage[];
  }
  throw usageError(
    `--locked: ${join(folder, MANIFEST_NAME)} records no Debian packages`,
    'Build without --locked first: a base made by mmdebstrap is recorded there.',
  );
}

/** The folder that a build's outputs appear in. */
export function outputFolder(pipeline: Pipeline, options: RecipeOptions): string {
  return options.out ?? join('out', pipeline.recipe);
}

export function openCache(options: Pick<RecipeOptions, 'cacheDir'>): Cache {
  return Cache.open(options.cacheDir ?? defaultCacheFolder());
}

/** The cache for verbs that only look: none is made. */
export function lookAtCache(options: Pick<RecipeOptions, 'cacheDir'>): Cache {
  return Cache.look(options.cacheDir ?? defaultCacheFolder());
}

/** How many stages run at once: as many as there are processors, unless told. */
export function jobsOf(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const jobs = parseInteger(text, '--jobs');
  if (jobs < 1) throw usageError('--jobs: at least 1 belongs here');
  return jobs;
}
