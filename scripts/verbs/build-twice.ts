import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DiagnosticError, hostError, printable } from '../../images/diagnostic.js';
import { diffTrees } from '../../images/tree/diff.js';
import { build as buildPipeline } from '../../pipelines/build.js';
import { Cache } from '../../pipelines/cache/cache.js';
import { copyEntries } from '../../pipelines/cache/copy-entries.js';
import { removeAll } from '../../pipelines/cache/scratch.js';
import { deathGuard } from '../../pipelines/death-guard.js';
import { openTree } from '../../pipelines/open-image.js';
import { type Manifest, readManifest } from '../../pipelines/output/manifest.js';
import type { Pipeline } from '../../pipelines/pipeline.js';
import { requireProgram } from '../../pipelines/program-folders.js';
import { commandPace, writeOut } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';
import { generatorName } from '../command-line/version.js';
import type { BuildVerbOptions } from './build.js';
import { openCache } from './build-options.js';

/** Surroundings that must not matter. */
const surroundings = [
  { folder: 'a', umask: 0o022, jobs: '1', env: { TZ: 'UTC', LC_ALL: 'C', LANG: 'C', HOME: '/' } },
  {
    folder: 'another folder, deeper/b',
    umask: 0o077,
    jobs: '4',
    env: { TZ: 'Pacific/Kiritimati', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8', HOME: '/nonexistent' },
  },
] as const;

/** Names of stages that get something from elsewhere: that is not what is compared. */
const FETCHES = /-(fetch|checkout)$/;
const DIFFERENCES_SHOWN = 10;

/**
 * `ssi-image build --check`: builds a recipe twice from nothing, in different folders, umask, time zone, locale and
 * number of jobs, and compares the outputs. What was fetched is fetched once. The output folder stays as it is.
 */
export async function checkReproducible(
  recipe: string,
  pipeline: Pipeline,
  options: BuildVerbOptions,
): Promise<number> {
  const shared = openCache(options);
  shared.sweep();
  const work = shared.scratch.makeFolder('check');
  let isKept = false;
  try {
    const fetched = await fetchOnce(pipeline, shared, join(work, 'fetched'));
    const manifests: Manifest[] = [];
    const folders: string[] = [];
    for (const [index, where] of surroundings.entries()) {
      const folder = join(work, where.folder);
      mkdirSync(folder, { recursive: true });
      const cacheDir = join(folder, 'cache');
      await copyEntries(shared, Cache.open(cacheDir), fetched, commandPace());
      const out = join(folder, 'out');
      process.stderr.write(
        `build ${index + 1} of 2: umask ${where.umask.toString(8).padStart(3, '0')}, TZ ${where.env.TZ}, locale ${where.env.LC_ALL}, ${where.jobs} at once\n`,
      );
      await runBuild(
        [recipe, '--out', out, '--cache-dir', cacheDir, '--offline', '--jobs', where.jobs],
        options.set,
        where,
      );
      const manifest = readManifest(out);
      if (manifest === undefined) throw hostError('the build left no manifest', undefined, { file: out });
      manifests.push(manifest);
      folders.push(out);
    }
    const [a, b] = manifests as [Manifest, Manifest];
    const differing = a.outputs.filter(
      ({ name, sha256 }) => b.outputs.find((output) => output.name === name)?.sha256 !== sha256,
    );
    if (differing.length === 0) {
      await writeOut(`${pipeline.recipe}: both builds gave the same bytes\n`);
      for (const { name, sha256 } of a.outputs) await writeOut(`  ${sha256}  ${name}\n`);
      return ExitCode.done;
    }
    isKept = true;
    await reportDifferences(
      pipeline.recipe,
      [a, b],
      differing.map(({ name }) => name),
      folders as [string, string],
    );
    return ExitCode.failed;
  } finally {
    if (!isKept) removeAll(work);
  }
}

/** Runs what gets something from elsewhere. Returns the keys. */
async function fetchOnce(pipeline: Pipeline, cache: Cache, out: string): Promise<string[]> {
  const keys: string[] = [];
  for (const { name } of pipeline.stages.filter((stage) => FETCHES.test(stage.name))) {
    await buildPipeline(pipeline, {
      cache,
      out,
      jobs: 1,
      pace: commandPace(),
      signal: interruptionSignal,
      generator: generatorName(),
      rerun: [],
      keepWork: false,
      until: name,
      listener: (event) => {
        if ((event.type === 'stage-hit' || event.type === 'stage-done') && event.stage === name)
          keys.push(event.key);
      },
    });
  }
  return keys;
}

async function runBuild(
  parameters: readonly string[],
  set: readonly string[],
  { umask, env }: (typeof surroundings)[number],
): Promise<void> {
  const bash = requireProgram('bash');
  const script = fileURLToPath(new URL('../ssi-image.js', import.meta.url));
  const sets = set.flatMap((assignment) => ['--set', assignment]);
  // A child has the umask that its parent has at that moment.
  const own = process.umask(umask);
  const surroundings = Object.entries({ ...env, CI: '1' }).map(([name, value]) => `${name}=${value}`);
  const command = ['env', ...surroundings, process.execPath, script, 'build', ...parameters, ...sets];
  // When this process is killed, the build that it waits for ends too.
  const child = spawn(bash, ['-c', `${deathGuard('TERM')}exec "$@"`, 'bash', ...command], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    // The shell complains of locales that this host lacks.
    env: { ...process.env, LC_ALL: 'C' },
    detached: true,
  });
  process.umask(own);
  const show = (data: Buffer): void => void process.stderr.write(data);
  child.stderr?.on('data', show);
  const stop = (): void => {
    // That it was interrupted is said here.
    child.stderr?.off('data', show).resume();
    child.kill('SIGTERM');
  };
  interruptionSignal.addEventListener('abort', stop);
  try {
    child.once('exit', () => child.stdio[3]?.destroy());
    const [code] = (await once(child, 'close')) as [number | null];
    if (interruptionSignal.aborted)
      throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
    if (code !== 0) throw hostError('one of the two builds failed: see above');
  } finally {
    interruptionSignal.removeEventListener('abort', stop);
  }
}

async function reportDifferences(
  recipe: string,
  [a, b]: readonly [Manifest, Manifest],
  names: readonly string[],
  [first, second]: readonly [string, string],
): Promise<void> {
  await writeOut(`${recipe}: the two builds differ\n`);
  const stage = a.stages.find((each) => {
    const other = b.stages.find(({ name }) => name === each.name);
    return JSON.stringify(each.artifacts) !== JSON.stringify(other?.artifacts);
  });
  if (stage !== undefined) await writeOut(`  the first stage that made something else is ${stage.name}\n`);
  for (const name of names) {
    await writeOut(
      `  ${name} differs. Until the next build you can compare\n    '${join(first, name)}'\n    '${join(second, name)}'\n`,
    );
    await reportTreeDifferences(join(first, name), join(second, name));
  }
}

/** The names that differ in two images, where they are images. */
async function reportTreeDifferences(a: string, b: string): Promise<void> {
  const opened: { close(): void }[] = [];
  try {
    const pace = commandPace();
    const one = await openTree(resolve(a), { pace });
    opened.push(one);
    const other = await openTree(resolve(b), { pace });
    opened.push(other);
    let shown = 0;
    for await (const difference of diffTrees(one.tree, other.tree, pace)) {
      if (++shown > DIFFERENCES_SHOWN) break;
      await writeOut(`    ${printable(JSON.stringify(difference))}\n`);
    }
  } catch (error) {
    // Not every output is an image.
    if (!(error instanceof DiagnosticError)) throw error;
  } finally {
    for (const each of opened) each.close();
  }
}
