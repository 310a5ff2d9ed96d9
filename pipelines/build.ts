import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Pace } from '../images/bytes/pace.js';
import { copySparse } from '../images/bytes/sparse-copy.js';
import { DiagnosticError, hostError, usageError } from '../images/diagnostic.js';
import { nearestWord } from '../images/suggestion.js';
import type { Cache } from './cache/cache.js';
import { Engine, type Known } from './engine/engine.js';
import type { BuildEvent, EventListener } from './engine/events.js';
import type { Stage } from './engine/stage.js';
import {
  MANIFEST_NAME,
  type Manifest,
  type OutputFile,
  printManifest,
  printSums,
  SUMS_NAME,
} from './output/manifest.js';
import { OutputFolder } from './output/output-folder.js';
import type { Pipeline, PipelineOutput } from './pipeline.js';

export interface BuildOptions {
  readonly cache: Cache;
  /** Output folder. */
  readonly out: string;
  readonly jobs: number;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly listener: EventListener;
  /** Name and version of this program, for the manifest. */
  readonly generator: string;
  /** Stages to run even though their results are known. */
  readonly rerun: readonly string[];
  /** Stop after this stage; no outputs appear. */
  readonly until?: string;
  /** Run this stage alone, on results that the cache has. */
  readonly only?: string;
  readonly keepWork: boolean;
}

export interface BuildResult {
  readonly folder: string;
  readonly outputs: readonly OutputFile[];
  readonly ran: number;
  readonly cached: number;
  /** Nothing had to be done: the folder is as the build before left it. */
  readonly unchanged: boolean;
  readonly milliseconds: number;
  /** What the stages made, for builds that end before the outputs: stage, artifact and where its bytes lie. */
  readonly artifacts: readonly { readonly stage: string; readonly artifact: string; readonly path: string }[];
}

/**
 * Runs a pipeline and puts its outputs into the output folder, all at once. Throws a DiagnosticError when a stage
 * fails; the folder is as it was then, and the next build goes on from what was done.
 */
export async function build(pipeline: Pipeline, options: BuildOptions): Promise<BuildResult> {
  const start = performance.now();
  const asked = new Set([...options.rerun, ...(options.only === undefined ? [] : [options.only])]);
  for (const name of [...asked, ...(options.until === undefined ? [] : [options.until])])
    stageNamed(pipeline, name);
  const { cache, signal, listener } = options;
  cache.sweep();
  const onWait = ({ pid }: { pid: number }): void =>
    listener({ type: 'warning', message: `waiting for process ${pid}, which builds into ${options.out}` });
  const folder = await OutputFolder.open(options.out, cache.statCache, options.pace, { signal, onWait });
  const counter = new Counter(listener);
  try {
    listener({
      type: 'build-start',
      recipe: pipeline.recipe,
      stages: pipeline.stages.map(({ name, title }) => ({ name, title })),
    });
    const engine = new Engine({
      cache,
      recipe: pipeline.recipe,
      jobs: options.jobs,
      pace: options.pace,
      signal,
      listener: counter.listen,
      rerun: asked,
      ...(options.only === undefined ? {} : { mayRun: (stage: Stage) => stage.name === options.only }),
      staging: folder.staging,
      locate: ({ sha256, size }) => folder.locate(sha256, size),
      keepWork: options.keepWork,
    });
    const made = await finished(engine, () =>
      options.until === undefined && options.only === undefined
        ? engine.settle(() => everything(pipeline, engine, folder, options))
        : engine.settle(() => part(pipeline, engine, folder, options)),
    );
    const milliseconds = Math.round(performance.now() - start);
    for (const { path, reason } of cache.quarantined)
      listener({ type: 'warning', message: `${path}: ${reason}; it was put aside and made again` });
    for (const note of folder.notes) listener({ type: 'warning', message: note });
    const { ran, cached } = counter;
    const unchanged = made.unchanged && ran === 0;
    listener({ type: 'build-done', folder: folder.path, milliseconds, ran, cached, unchanged });
    return { ...made, folder: folder.path, ran, cached, unchanged, milliseconds };
  } finally {
    folder.release();
  }
}

/** Also when the work fails, what was done by then goes into the cache. */
async function finished<T>(engine: Engine, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await engine.close().catch(() => {});
    throw error;
  }
  await engine.close();
  return result;
}

type Made = Pick<BuildResult, 'outputs' | 'unchanged' | 'artifacts'>;

async function everything(
  pipeline: Pipeline,
  engine: Engine,
  folder: OutputFolder,
  options: BuildOptions,
): Promise<Made> {
  const all = await Promise.allSettled(
    [...pipeline.outputs.map(({ stage }) => stage), ...pipeline.checks].map((stage) => engine.result(stage)),
  );
  throwWorst(all);
  const outputs: OutputFile[] = [];
  const previous = folder.previous();
  let unchanged = true;
  for (const output of pipeline.outputs) {
    const { file, kept } = await materialise(output, engine, folder, options);
    outputs.push(file);
    unchanged &&= kept;
    const { name, size, sha256 } = file;
    options.listener({ type: 'output', name, size, sha256, kept });
  }
  const manifest = printManifest(await manifestOf(pipeline, engine, outputs, options.generator));
  unchanged &&= previous !== undefined && printManifest(previous) === manifest;
  if (unchanged) return { outputs, unchanged, artifacts: [] };
  folder.write(MANIFEST_NAME, manifest);
  folder.write(SUMS_NAME, printSums(outputs));
  options.pace.check();
  await folder.publish();
  for (const { name, sha256 } of outputs) options.cache.statCache.remember(join(folder.path, name), sha256);
  return { outputs, unchanged, artifacts: [] };
}

/** Puts one output into the new set, from wherever its bytes are. */
async function materialise(
  { name, stage, artifact }: PipelineOutput,
  engine: Engine,
  folder: OutputFolder,
  { pace, listener }: BuildOptions,
): Promise<{ file: OutputFile; kept: boolean }> {
  const target = join(folder.staging, name);
  const known = await engine.result(stage);
  const wanted = known.record.artifacts[artifact];
  if (wanted === undefined) throw new RangeError(`${stage.name} makes no ${artifact}`);
  const { sha256, size } = wanted;
  const there = statSync(target, { throwIfNoEntry: false }) === undefined;
  const previous = there ? await folder.locate(sha256, size) : undefined;
  const kept = previous === join(folder.path, name);
  if (previous !== undefined) {
    await folder.reuse(previous, name, sha256);
  } else if (there) {
    const path = await engine.bytes(stage, artifact);
    if (path !== target) {
      const copied = await copySparse(path, target, pace, (done) =>
        listener({ type: 'stage-progress', stage: stage.name, done, total: size, note: 'copying' }),
      );
      if (copied !== sha256)
        throw hostError('it changed while it was copied', 'Run it again.', { file: path });
    }
  }
  // A file that stays keeps its entry: what it takes on the disk settles only after a while.
  const before = kept ? folder.previous()?.outputs.find((output) => output.name === name) : undefined;
  const allocated = before?.allocated ?? statSync(target).blocks * 512;
  return { file: { name, size, sha256, allocated }, kept };
}

async function manifestOf(
  pipeline: Pipeline,
  engine: Engine,
  outputs: readonly OutputFile[],
  generator: string,
): Promise<Manifest> {
  const stages = [];
  for (const stage of pipeline.stages) {
    const { key, record }: Known = await engine.result(stage);
    const artifacts = Object.fromEntries(
      Object.entries(record.artifacts).map(([name, { sha256, size }]) => [name, { sha256, size }]),
    );
    stages.push({ name: stage.name, key, artifacts, facts: record.facts });
  }
  const { recipe: name, summary, epoch, notes } = pipeline;
  return { format: 1, generator, recipe: { name, summary, epoch }, stages, outputs, notes };
}

/** Runs one stage, or all up to one. Outputs that are made by then go to a folder of their own. */
async function part(
  pipeline: Pipeline,
  engine: Engine,
  folder: OutputFolder,
  options: BuildOptions,
): Promise<Made> {
  const { until, only } = options;
  const target = stageNamed(pipeline, until ?? only ?? '');
  const last = pipeline.stages.indexOf(target);
  const stages = only === undefined ? pipeline.stages.slice(0, last + 1) : [target];
  throwWorst(await Promise.allSettled(stages.map((stage) => engine.result(stage))));
  const outputs: OutputFile[] = [];
  for (const output of pipeline.outputs.filter(({ stage }) => stages.includes(stage)))
    outputs.push((await materialise(output, engine, folder, options)).file);
  const partial = outputs.length === 0 ? undefined : folder.publishPart(target.name);
  const artifacts = [];
  for (const artifact of target.artifacts) {
    const output = pipeline.outputs.find((each) => each.stage === target && each.artifact === artifact);
    const path =
      output === undefined || partial === undefined
        ? await engine.bytes(target, artifact)
        : join(partial, output.name);
    artifacts.push({ stage: target.name, artifact, path });
  }
  return { outputs, unchanged: false, artifacts };
}

function throwWorst(results: readonly PromiseSettledResult<unknown>[]): void {
  const reasons = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason as unknown);
  if (reasons.length === 0) return;
  const isInterruption = (error: unknown): boolean =>
    error instanceof DiagnosticError && error.diagnostics.some(({ kind }) => kind === 'interrupted');
  const real = reasons.filter((reason) => !isInterruption(reason));
  const bug = real.find((reason) => !(reason instanceof DiagnosticError));
  if (bug !== undefined) throw bug;
  const faults = new Set((real as DiagnosticError[]).flatMap(({ diagnostics }) => diagnostics));
  if (faults.size === 0) throw reasons[0];
  throw new DiagnosticError([...faults]);
}

/** The stage that a user named. */
export function stageNamed(pipeline: Pipeline, name: string): Stage {
  const stage = pipeline.stages.find((each) => each.name === name);
  if (stage !== undefined) return stage;
  const names = pipeline.stages.map((each) => each.name);
  const nearest = nearestWord(name, names);
  throw usageError(
    `the recipe ${pipeline.recipe} has no stage "${name}"`,
    nearest === undefined ? `It has: ${names.join(', ')}.` : `Did you mean "${nearest}"? It has: ${names.join(', ')}.`,
  );
}

/** Counts what ran on the way to the user's listener. */
class Counter {
  ran = 0;
  cached = 0;

  constructor(private readonly listener: EventListener) {}

  readonly listen = (event: BuildEvent): void => {
    if (event.type === 'stage-done') this.ran += 1;
    if (event.type === 'stage-hit') this.cached += 1;
    this.listener(event);
  };
}
