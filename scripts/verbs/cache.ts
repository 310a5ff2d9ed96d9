import { usageError } from '../../images/diagnostic.js';
import { cacheEntries, cacheUsage, prune, verify } from '../../pipelines/cache/maintenance.js';
import { commandPace, formatBytes, formatFacts, LineWriter, writeOut } from '../command-line/output.js';
import { byteProgress } from '../command-line/progress.js';
import { ExitCode } from '../command-line/run.js';
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
    const { key, stage, recipe, used, allocated } = entry;
    const name = `${recipe}/${stage}`.padEnd(width);
    await out.line(
      `${key.slice(0, 12)}  ${name}  ${formatBytes(allocated).padStart(10)}  used ${new Date(used).toISOString().slice(0, 16).replace('T', ' ')}`,
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
  if (options.json === true) {
    await writeOut(
      `${JSON.stringify({ folder: cache.folder, ...usage, stages: Object.fromEntries(byStage) })}\n`,
    );
    return ExitCode.done;
  }
  await writeOut(
    formatFacts([
      ['folder', cache.folder],
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
