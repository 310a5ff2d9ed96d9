import { basename, dirname } from 'node:path';
import { usageError } from '../../images/diagnostic.js';
import { type ArchiveOptions, exportEntries, importEntries } from '../../pipelines/cache/archive.js';
import type { Cache } from '../../pipelines/cache/cache.js';
import {
  bytesByRecipe,
  type CacheEntry,
  cacheEntries,
  cacheUsage,
  prune,
  verify,
} from '../../pipelines/cache/maintenance.js';
import { setPinned } from '../../pipelines/cache/pins.js';
import { trustIn } from '../../pipelines/cache/remote/signing.js';
import { MANIFEST_NAME, readManifest } from '../../pipelines/output/manifest.js';
import { commandPace, formatBytes, formatFacts, LineWriter, writeOut } from '../command-line/output.js';
import { byteProgress } from '../command-line/progress.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';
import { parseAge, parseSize } from '../command-line/values.js';
import { lookAtCache, openCache } from './build-options.js';

interface CacheOptions {
  readonly cacheDir?: string;
  readonly json?: boolean;
}

/** `ssi-image cache ls` */
export async function cacheLs(options: CacheOptions): Promise<number> {
  const out = new LineWriter();
  const entries = cacheEntries(lookAtCache(options));
  const width = Math.max(0, ...entries.map(({ recipe, stage }) => recipe.length + stage.length + 1));
  for (const entry of entries) {
    if (options.json === true) {
      await out.line(JSON.stringify(entry));
      continue;
    }
    const { key, stage, recipe, used, allocated, pinned } = entry;
    const name = `${recipe}/${stage}`.padEnd(width);
    await out.line(
      `${key.slice(0, 12)}  ${name}  ${formatBytes(allocated).padStart(10)}  used ${new Date(used).toISOString().slice(0, 16).replace('T', ' ')}${pinned ? '  pinned' : ''}`,
    );
  }
  await out.flush();
  return ExitCode.done;
}

/** `ssi-image cache du` */
export async function cacheDu(options: CacheOptions): Promise<number> {
  const cache = lookAtCache(options);
  const usage = cacheUsage(cache);
  const stages = new Map<string, number>();
  for (const { recipe, stage, allocated } of cacheEntries(cache))
    stages.set(`${recipe}/${stage}`, (stages.get(`${recipe}/${stage}`) ?? 0) + allocated);
  const byStage = [...stages].sort(([, a], [, b]) => b - a);
  const byRecipe = bytesByRecipe(cache);
  if (options.json === true) {
    await writeOut(
      `${JSON.stringify({ folder: cache.folder, ...usage, recipes: Object.fromEntries(byRecipe), stages: Object.fromEntries(byStage) })}\n`,
    );
    return ExitCode.done;
  }
  await writeOut(
    formatFacts([
      ['folder', cache.folder],
      ...byRecipe.map(([name, bytes]) => [`recipe ${name}`, formatBytes(bytes)] as const),
      ...byStage.map(([name, bytes]) => [name, formatBytes(bytes)] as const),
      ['referred to by nothing', formatBytes(usage.orphans)],
      ['damaged, put aside', formatBytes(usage.bad)],
      ['unfinished downloads', formatBytes(usage.downloads)],
      ['in all', `${formatBytes(usage.total)} (what stages share counts once)`],
    ]),
  );
  return ExitCode.done;
}

/** `ssi-image cache prune` */
export async function cachePrune(
  options: CacheOptions & { maxSize?: string; maxAge?: string; all?: boolean; dryRun?: boolean },
): Promise<number> {
  if (options.all === true && (options.maxSize ?? options.maxAge) !== undefined)
    throw usageError('--all excludes --max-size and --max-age');
  const cache = openCache(options);
  cache.sweep();
  const { entries, freed } = prune(cache, {
    ...(options.maxSize === undefined ? {} : { maxBytes: parseSize(options.maxSize, '--max-size') }),
    ...(options.maxAge === undefined ? {} : { maxAge: parseAge(options.maxAge, '--max-age') }),
    ...(options.all === true ? { maxBytes: -1 } : {}),
    dryRun: options.dryRun ?? false,
    now: Date.now(),
  });
  const out = new LineWriter();
  for (const { key, recipe, stage } of entries) await out.line(`${key.slice(0, 12)}  ${recipe}/${stage}`);
  const verb = options.dryRun === true ? 'would go' : 'removed';
  await out.line(
    `${entries.length} ${entries.length === 1 ? 'entry' : 'entries'} ${verb}, ${formatBytes(freed)} ${options.dryRun === true ? 'would be ' : ''}freed`,
  );
  await out.flush();
  return ExitCode.done;
}

/** `ssi-image cache verify`: exit 4 when something was damaged. */
export async function cacheVerify(options: CacheOptions): Promise<number> {
  const cache = openCache(options);
  const progress = byteProgress('verify');
  const result = await verify(cache, commandPace(), progress.update);
  progress.done();
  if (options.json === true) {
    await writeOut(`${JSON.stringify(result)}\n`);
  } else {
    for (const { path, reason } of result.bad) await writeOut(`${path}: ${reason}; put aside\n`);
    await writeOut(
      `${result.records} entries and ${result.blobs} blobs read: ${result.bad.length === 0 ? 'all good' : `${result.bad.length} damaged`}\n`,
    );
    if (result.incomplete > 0)
      await writeOut(`${result.incomplete} entries lack bytes: they run again when they are needed\n`);
  }
  return result.bad.length === 0 ? ExitCode.done : ExitCode.faultsFound;
}

interface ArchiveVerbOptions extends CacheOptions {
  readonly used: readonly string[];
}

/** `ssi-image cache export`: one archive with what builds used, or with everything. */
export async function cacheExport(destination: string, options: ArchiveVerbOptions): Promise<number> {
  const cache = openCache(options);
  const keys =
    options.used.length === 0 ? cacheEntries(cache).map(({ key }) => key) : options.used.flatMap(keysUsed);
  const exported = await exportEntries(keys, destination, archiveOptions(cache));
  if (options.json === true) {
    await writeOut(`${JSON.stringify(exported)}\n`);
    return ExitCode.done;
  }
  const { file, entries, blobs, size, kept, missing } = exported;
  await writeOut(
    `${file}\n${entries} entries, ${blobs} files, ${formatBytes(size)}${kept ? ', there already' : ''}\n`,
  );
  if (missing.length > 0)
    await writeOut(`${missing.length} entries are not in the cache any more: left out\n`);
  return ExitCode.done;
}

/** `ssi-image cache import` */
export async function cacheImport(files: readonly string[], options: CacheOptions): Promise<number> {
  const cache = openCache(options);
  for (const file of files) {
    const imported = await importEntries(file, archiveOptions(cache));
    if (options.json === true) {
      await writeOut(`${JSON.stringify({ file, ...imported })}\n`);
      continue;
    }
    const { entries, known, refused, blobs, warnings } = imported;
    for (const warning of warnings) await writeOut(`${warning}\n`);
    await writeOut(
      `${file}: ${entries} entries and ${blobs} files taken, ${known} known already, ${refused} refused\n`,
    );
  }
  return ExitCode.done;
}

function archiveOptions(cache: Cache): ArchiveOptions {
  return { cache, trust: trustIn(process.env), pace: commandPace(), signal: interruptionSignal };
}

/** The keys that a build's manifest names: it is that file, or its folder. */
function keysUsed(path: string): string[] {
  const folder = basename(path) === MANIFEST_NAME ? dirname(path) : path;
  const manifest = readManifest(folder);
  if (manifest === undefined)
    throw usageError(
      `--used: ${path} is no manifest of a build`,
      `Name a ${MANIFEST_NAME}, or the output folder that it lies in.`,
    );
  return manifest.stages.map(({ key }) => key);
}

/** `ssi-image cache pin`, `unpin`: entries that stay when the cache is pruned. Says which. */
export async function cachePin(
  wanted: readonly string[],
  options: CacheOptions,
  isPinned: boolean,
): Promise<number> {
  const cache = openCache(options);
  const entries = cacheEntries(cache);
  for (const word of wanted) {
    const chosen = entries.filter((entry) => isMeant(entry, word));
    if (chosen.length === 0)
      throw usageError(
        `the cache has no entry "${word}"`,
        'Name a key as "cache ls" shows it, RECIPE or RECIPE/STAGE.',
      );
    for (const { key, recipe, stage } of chosen) {
      setPinned(cache, key, isPinned);
      await writeOut(`${key.slice(0, 12)}  ${recipe}/${stage}  ${isPinned ? 'pinned' : 'not pinned'}\n`);
    }
  }
  return ExitCode.done;
}

function isMeant({ key, recipe, stage }: CacheEntry, word: string): boolean {
  return (
    word === recipe ||
    word === `${recipe}/${stage}` ||
    (/^[0-9a-f]{8,64}$/.test(word) && key.startsWith(word))
  );
}
