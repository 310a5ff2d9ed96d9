import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { usageError } from '../../images/diagnostic.js';
import { Cache, defaultCacheFolder } from '../../pipelines/cache/cache.js';
import { HttpStore } from '../../pipelines/cache/remote/http-store.js';
import { remoteSettings } from '../../pipelines/cache/remote/open-remote.js';
import type { RemoteSettings } from '../../pipelines/cache/remote/remote-cache.js';
import type { DebianPackage } from '../../pipelines/debian-packages.js';
import type { Places } from '../../pipelines/doctor/space.js';
import { hostPipeline } from '../../pipelines/host/host-pipeline.js';
import type { HostRootOptions } from '../../pipelines/host/host-root-stage.js';
import { MANIFEST_NAME, readManifest } from '../../pipelines/output/manifest.js';
import { ownSeed, ownSeedPath, readSeed } from '../../pipelines/own-seed.js';
import type { Pipeline } from '../../pipelines/pipeline.js';
import { loadRecipe } from '../../pipelines/recipe/load-recipe.js';
import type { Recipe } from '../../pipelines/recipe/recipe.js';
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
  /** `native` (the default) or `host`. */
  readonly backend?: string;
  /** With the backend host: where the root is mounted while it is made. */
  readonly mountPoint?: string;
  /** With the backend host: a folder of programs that goes before the usual ones. */
  readonly hostTools?: string;
  /** Nothing is to be made, not even the user's secret. */
  readonly looksOnly?: boolean;
}

/** Where no secret was made yet, no stage has run with it: any other value says so. */
function seedToLookAt(): string {
  return readSeed(ownSeedPath()) ?? randomBytes(32).toString('hex');
}

/** Loads a recipe. Throws a DiagnosticError with all that is wrong with it. */
export function recipeOf(recipe: string, { set }: Pick<RecipeOptions, 'set'>): Recipe {
  const epoch = sourceDateEpochIfSet();
  return loadRecipe(recipe, { set, ...(epoch === undefined ? {} : { epoch }) });
}

/** Loads a recipe and plans its stages. Throws a DiagnosticError with all that is wrong with it. */
export function pipelineOf(recipe: string, options: RecipeOptions): Pipeline {
  const loaded = recipeOf(recipe, options);
  const folder = options.out ?? join('out', loaded.name);
  const locked = options.locked === true ? lockedPackages(folder) : undefined;
  const how = {
    offline: options.offline ?? false,
    ownSeed: options.looksOnly === true ? seedToLookAt : ownSeed,
    ...(locked === undefined ? {} : { locked }),
  };
  const host = hostOptionsOf(recipe, options);
  return host === undefined ? recipePipeline(loaded, how) : hostPipeline(loaded, how, host);
}

/** What a build with the tools of this host needs to know; undefined for the native backend. */
export function hostOptionsOf(recipe: string, options: RecipeOptions): HostRootOptions | undefined {
  const { backend = 'native', mountPoint = '/mnt', hostTools, set } = options;
  if (backend === 'native') return undefined;
  if (backend !== 'host') throw usageError(`--backend ${backend}: native or host belongs here`);
  return {
    mountPoint: resolve(mountPoint),
    recipeArguments: [recipe, ...set.flatMap((assignment) => ['--set', assignment])],
    ...(hostTools === undefined ? {} : { tools: resolve(hostTools) }),
  };
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

/** The folders that a build writes to. */
export function placesOf(pipeline: Pipeline, options: RecipeOptions): Places {
  return {
    cache: resolve(options.cacheDir ?? defaultCacheFolder()),
    outputs: resolve(outputFolder(pipeline, options)),
  };
}

/** What a verb takes that uses a remote cache. */
export interface RemoteOptions {
  readonly remoteCache?: string;
  readonly remoteMode?: string;
  readonly remotePatience?: string;
}

/** The remote cache that the user wants, if any: without the network a folder can be one. Throws a DiagnosticError. */
export function remoteOf(options: RemoteOptions, isOffline: boolean): RemoteSettings | undefined {
  const { remoteCache: place, remoteMode: mode, remotePatience: patience } = options;
  const settings = remoteSettings({
    ...(place === undefined ? {} : { place }),
    ...(mode === undefined ? {} : { mode }),
    ...(patience === undefined ? {} : { patience: parseInteger(patience, '--remote-patience') }),
  });
  return isOffline && settings?.store instanceof HttpStore ? undefined : settings;
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
