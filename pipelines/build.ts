import { join } from 'node:path';
import { isFullDisk } from '../images/bytes/host-error.js';
import type { Pace } from '../images/bytes/pace.js';
import { DiagnosticError, usageError } from '../images/diagnostic.js';
import { nearestWord } from '../images/suggestion.js';
import type { Cache } from './cache/cache.js';
import type { Artifact } from './cache/record.js';
import { RemoteCache, type RemoteSettings } from './cache/remote/remote-cache.js';
import { stageFindings, throwMissing } from './doctor/stage-findings.js';
import { Engine, type Known } from './engine/engine.js';
import type { BuildEvent, EventListener } from './engine/events.js';
import { stagesToRun } from './engine/plan.js';
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
  /** A cache on another machine, for what this one lacks. */
  readonly remote?: RemoteSettings;
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
  /** What the last stage made, for builds that end before the outputs, and where its bytes lie. */
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
  const known = cache.quarantined.length;
  const warn = (): void => {
    for (const { path, reason } of cache.quarantined.slice(known))
      listener({ type: 'warning', message: `${path}: ${reason}; it was put aside` });
    for (const note of folder.notes) listener({ type: 'warning', message: note });
  };
  try {
    const target = partOf(pipeline, options);
    if (target !== undefined) folder.partPath(target.name);
    listener({
      type: 'build-start',
      recipe: pipeline.recipe,
      stages: pipeline.stages.map(({ name, title }) => ({ name, title })),
    });
    const remote = openRemote(options);
    const engine = new Engine({
      cache,
      ...(remote === undefined ? {} : { remote }),
      recipe: pipeline.recipe,
      jobs: options.jobs,
      pace: options.pace,
      signal,
      listener: counter.listen,
      rerun: asked,
      ...(options.only === undefined ? {} : { mayRun: (stage: Stage) => stage.name === options.only }),
      beforeFirstRun: () => checkThisHost(work, asked),
      staging: folder.staging,
      locate: ({ sha256, size }) => folder.locate(sha256, size),
      keepWork: options.keepWork,
    });
    const work: Work = { pipeline, engine, folder, options };
    const made = await withRemote(remote, work, () =>
      finished(engine, () =>
        engine.settle(() => (target === undefined ? everything(work) : part(work, target))),
      ),
    );
    warn();
    const milliseconds = Math.round(performance.now() - start);
    const { ran, cached } = counter;
    const unchanged = made.unchanged && ran === 0;
    listener({ type: 'build-done', folder: folder.path, milliseconds, ran, cached, unchanged });
    return { ...made, folder: folder.path, ran, cached, unchanged, milliseconds };
  } catch (error) {
    warn();
    throw error;
  } finally {
    folder.release();
  }
}

/** Before minute one: throws a DiagnosticError with all that this host lacks for the stages that are to run. */
async function checkThisHost(work: Work, asked: ReadonlySet<string>): Promise<void> {
  const { engine, folder, options } = work;
  const { cache, pace, remote } = options;
  const target = partOf(work.pipeline, options);
  const stages = target === undefined ? wantedStages(work.pipeline) : stagesFor(target, work);
  const running = await stagesToRun(
    { stages, outputs: work.pipeline.outputs },
    {
      cache,
      pace,
      hostInputs: engine.hostInputs,
      lookUp: async (stage, key) => (await engine.records.find(stage, key))?.record,
      rerun: [...asked],
      locate: ({ sha256, size }) => folder.locate(sha256, size),
      elsewhere: remote !== undefined,
    },
  );
  throwMissing(await stageFindings(running, { cache: cache.folder, outputs: folder.path }));
}

function openRemote(options: BuildOptions): RemoteCache | undefined {
  const { remote, cache, pace, signal, listener } = options;
  if (remote === undefined) return undefined;
  const onTrouble = (message: string): void => listener({ type: 'warning', message });
  return new RemoteCache({ ...remote, cache, pace, signal, onTrouble });
}

/** Also when the work fails, what was done by then goes to the remote cache. */
async function withRemote<T>(
  remote: RemoteCache | undefined,
  { engine, options }: Work,
  work: () => Promise<T>,
): Promise<T> {
  if (remote === undefined) return work();
  try {
    const [worked] = await Promise.allSettled([work()]);
    if (!options.signal.aborted) await remote.push(engine.used);
    throwWorst([worked]);
    return (worked as PromiseFulfilledResult<T>).value;
  } finally {
    await remote.close();
    options.listener({ type: 'remote-done', ...remote.report() });
  }
}

/** Also when the work fails, what was done by then goes into the cache; a cache that can't take it is likely why. */
async function finished<T>(engine: Engine, work: () => Promise<T>): Promise<T> {
  const [worked] = await Promise.allSettled([work()]);
  const [closed] = await Promise.allSettled([engine.close()]);
  throwWorst([closed, worked]);
  return (worked as PromiseFulfilledResult<T>).value;
}

/** A build at work. */
interface Work {
  readonly pipeline: Pipeline;
  readonly engine: Engine;
  readonly folder: OutputFolder;
  readonly options: BuildOptions;
}

type Made = Pick<BuildResult, 'outputs' | 'unchanged' | 'artifacts'>;

async function everything(work: Work): Promise<Made> {
  const { pipeline, engine, folder, options } = work;
  throwWorst(await Promise.allSettled(wantedStages(pipeline).map((stage) => engine.result(stage))));
  const kept = new Map<string, OutputFile>();
  for (const output of pipeline.outputs) {
    const file = await keptFile(output, work);
    if (file !== undefined) kept.set(output.name, file);
  }
  if (pipeline.outputs.every(({ name }) => kept.has(name)) && (await isUpToDate([...kept.values()], work))) {
    for (const file of kept.values()) announce(file, true, work);
    return { outputs: [...kept.values()], unchanged: true, artifacts: [] };
  }
  folder.begin();
  const outputs: OutputFile[] = [];
  for (const output of pipeline.outputs) {
    const before = kept.get(output.name);
    if (before !== undefined) await folder.keep(output.name);
    const file = before ?? (await newFile(output, work));
    outputs.push(file);
    announce(file, before !== undefined, work);
  }
  folder.write(MANIFEST_NAME, printManifest(await manifestOf(pipeline.stages, outputs, work)));
  folder.write(SUMS_NAME, printSums(outputs));
  // The folder does not change for a build that fails.
  await engine.committed();
  await folder.publish();
  for (const { name, sha256 } of outputs)
    await options.cache.statCache.remember(join(folder.path, name), sha256);
  return { outputs, unchanged: false, artifacts: [] };
}

function wantedStages(pipeline: Pipeline): Stage[] {
  return [
    ...new Set([...pipeline.stages, ...pipeline.outputs.map(({ stage }) => stage), ...pipeline.checks]),
  ];
}

/** Whether the last build left just these files, and says so. */
async function isUpToDate(outputs: readonly OutputFile[], work: Work): Promise<boolean> {
  const manifest = printManifest(await manifestOf(work.pipeline.stages, outputs, work));
  return work.folder.holds(MANIFEST_NAME, manifest) && work.folder.holds(SUMS_NAME, printSums(outputs));
}

function announce({ name, size, sha256 }: OutputFile, kept: boolean, { options }: Work): void {
  options.listener({ type: 'output', name, size, sha256, kept });
}

async function wantedOf({ stage, artifact }: PipelineOutput, { engine }: Work): Promise<Artifact> {
  const wanted = (await engine.result(stage)).record.artifacts[artifact];
  if (wanted === undefined) throw new RangeError(`${stage.name} makes no ${artifact}`);
  return wanted;
}

/** An output that is as the build before left it; undefined when it is not. */
async function keptFile(output: PipelineOutput, work: Work): Promise<OutputFile | undefined> {
  const { name } = output;
  const { sha256, size } = await wantedOf(output, work);
  const before = work.folder.previous()?.outputs.find((file) => file.name === name);
  const path = before === undefined ? undefined : await work.folder.locate(sha256, size, name);
  // It keeps its entry: what a file takes on the disk settles only after a while.
  return path === join(work.folder.path, name) ? before : undefined;
}

/** Puts an output into the new set, from wherever its bytes are. */
async function newFile(output: PipelineOutput, work: Work): Promise<OutputFile> {
  const { name, stage, artifact } = output;
  const { sha256, size } = await wantedOf(output, work);
  const path = await work.engine.bytes(stage, artifact);
  const allocated = await work.folder.add(path, name, sha256, (done) =>
    work.options.listener({ type: 'stage-progress', stage: stage.name, done, total: size, note: 'copying' }),
  );
  if (output.executable === true) work.folder.makeExecutable(name);
  return { name, size, sha256, allocated };
}

async function manifestOf(
  of: readonly Stage[],
  outputs: readonly OutputFile[],
  { pipeline, engine, options }: Work,
): Promise<Manifest> {
  const stages = [];
  for (const stage of of) {
    const { key, record }: Known = await engine.result(stage);
    const artifacts = Object.fromEntries(
      Object.entries(record.artifacts).map(([name, { sha256, size }]) => [name, { sha256, size }]),
    );
    stages.push({ name: stage.name, key, artifacts, facts: record.facts });
  }
  const { recipe: name, summary, epoch, notes } = pipeline;
  return {
    format: 1,
    generator: options.generator,
    recipe: { name, summary, epoch },
    stages,
    outputs,
    notes,
  };
}

/** The stage with which a build ends before its outputs, if it does. */
function partOf(pipeline: Pipeline, { until, only }: BuildOptions): Stage | undefined {
  const name = until ?? only;
  return name === undefined ? undefined : stageNamed(pipeline, name);
}

function stagesFor(target: Stage, { pipeline, options }: Work): readonly Stage[] {
  return options.only === undefined
    ? pipeline.stages.slice(0, pipeline.stages.indexOf(target) + 1)
    : [target];
}

/** Runs one stage, or all up to one. Outputs that are made by then go to a folder of their own. */
async function part(work: Work, target: Stage): Promise<Made> {
  const { pipeline, engine, folder, options } = work;
  const stages = stagesFor(target, work);
  throwWorst(await Promise.allSettled(stages.map((stage) => engine.result(stage))));
  folder.begin();
  const outputs: OutputFile[] = [];
  const wanted = pipeline.outputs.filter(({ stage }) => stages.includes(stage));
  const named = [...wanted, ...unnamedFiles(target, wanted)];
  for (const output of named) outputs.push(await newFile(output, work));
  const stored = target.keeping === 'stored' ? target.artifacts : [];
  for (const artifact of stored) await engine.bytes(target, artifact);
  await engine.committed();
  let partial: string | undefined;
  if (outputs.length > 0) {
    folder.write(MANIFEST_NAME, printManifest(await manifestOf(stages, outputs, work)));
    folder.write(SUMS_NAME, printSums(outputs));
    partial = await folder.publishPart(target.name);
  }
  const { record } = await engine.result(target);
  const artifacts = target.artifacts.map((artifact) => {
    const name = named.find((output) => output.stage === target && output.artifact === artifact)?.name;
    const inCache = options.cache.blobPath(record.artifacts[artifact]?.sha256 ?? '');
    const path = partial === undefined || name === undefined ? inCache : join(partial, name);
    return { stage: target.name, artifact, path };
  });
  return { outputs, unchanged: false, artifacts };
}

/** What a stage makes that neither the cache keeps nor is an output: here it becomes one. */
function unnamedFiles(stage: Stage, outputs: readonly PipelineOutput[]): PipelineOutput[] {
  if (stage.keeping === 'stored') return [];
  return stage.artifacts
    .filter((artifact) => !outputs.some((output) => output.stage === stage && output.artifact === artifact))
    .map((artifact) => ({ name: artifact, stage, artifact }));
}

function throwWorst(results: readonly PromiseSettledResult<unknown>[]): void {
  const reasons = results
    .filter((result) => result.status === 'rejected')
    .map(({ reason }) => reason as unknown);
  if (reasons.length === 0) return;
  const isInterruption = (error: unknown): boolean =>
    error instanceof DiagnosticError && error.diagnostics.some(({ kind }) => kind === 'interrupted');
  const real = reasons.filter((reason) => !isInterruption(reason));
  const bug = real.find((reason) => !(reason instanceof DiagnosticError));
  if (bug !== undefined) throw bug;
  const faults = new Set((real as DiagnosticError[]).flatMap(({ diagnostics }) => diagnostics));
  if (faults.size === 0) throw reasons[0];
  // A full disk hits whatever writes at that time: it is said once.
  const full = [...faults].find(isFullDisk);
  throw new DiagnosticError([...faults].filter((fault) => fault === full || !isFullDisk(fault)));
}

/** The stage that a user named. */
export function stageNamed(pipeline: Pipeline, name: string): Stage {
  const stage = pipeline.stages.find((each) => each.name === name);
  if (stage !== undefined) return stage;
  const names = pipeline.stages.map((each) => each.name);
  const nearest = nearestWord(name, names);
  throw usageError(
    `the recipe ${pipeline.recipe} has no stage "${name}"`,
    nearest === undefined
      ? `It has: ${names.join(', ')}.`
      : `Did you mean "${nearest}"? It has: ${names.join(', ')}.`,
  );
}

/** Counts what ran on the way to the user's listener. */
class Counter {
  private readonly runs = new Set<string>();
  private readonly hits = new Set<string>();

  constructor(private readonly listener: EventListener) {}

  get ran(): number {
    return this.runs.size;
  }

  /** Stages that did not have to run at all. */
  get cached(): number {
    return [...this.hits].filter((stage) => !this.runs.has(stage)).length;
  }

  readonly listen = (event: BuildEvent): void => {
    if (event.type === 'stage-done') this.runs.add(event.stage);
    if (event.type === 'stage-hit') this.hits.add(event.stage);
    this.listener(event);
  };
}
