import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import type { Tree } from '../../images/tree/tree.js';
import { sha256 } from '../cache/canonical-json.js';
import type { KeyFields, StageRecord } from '../cache/record.js';
import { removeAll, removeAllAside } from '../cache/scratch.js';
import type { AheadResult } from './ahead.js';
import type { Contents } from './contents.js';
import type { EngineOptions } from './engine.js';
import type { RunReason } from './events.js';
import type { ResolvedInput } from './key.js';
import type { Stage, StageContext, StageInput, StageResult } from './stage.js';
import { type MadeFile, takeArtifacts } from './stage-artifacts.js';

/** One run of a stage, and what it needs of the engine. */
export interface StageRun {
  readonly stage: Stage;
  readonly key: string;
  readonly fields: KeyFields;
  readonly inputs: ReadonlyMap<string, ResolvedInput>;
  readonly reason: RunReason;
  readonly options: EngineOptions;
  readonly contents: Contents;
  /** Path of an artifact that is here. */
  bytes(stage: Stage, artifact: string): Promise<string>;
  loadTree(sha256: string, path: string, name: string): Tree;
  /** Whether a digest is that of a file of the user's. */
  isHostFile(sha256: string): boolean;
  /** Throws a DiagnosticError when something that the stage read is not what it was. */
  checkUnmoved(): Promise<void>;
  /** What the stage has found already, if it began before its key was known. */
  readonly ahead: Promise<AheadResult | undefined>;
  /** Called with what the stage made before its digests are known. */
  onWritten(result: StageResult): void;
}

export interface StageOutcome {
  readonly record: StageRecord;
  /** Settled once the cache has everything on disk. */
  readonly stored: Promise<unknown>;
  /** Artifacts that the cache does not keep. */
  readonly made: ReadonlyMap<string, MadeFile>;
  /** Resolved once the work folder is gone. */
  readonly left: Promise<void>;
}

/** The folders of one run. */
export interface StageFolders {
  /** For its own use, on the cache's filesystem. */
  readonly work: string;
  /** For the files of its artifacts. */
  readonly artifacts: string;
}

/** Runs a stage and hands what it made to the cache. Nothing of a run that fails stays, unless asked for. */
export async function runStage(run: StageRun): Promise<StageOutcome> {
  const { stage, key, reason, options } = run;
  const { listener, cache, staging, pace } = options;
  pace.check();
  listener({ type: 'stage-start', stage: stage.name, key, reason });
  const work = cache.scratch.makeFolder(stage.name);
  const folders = { work, artifacts: stage.keeping === 'digest' ? join(staging, stage.name) : work };
  try {
    const outcome = await runIn(run, folders);
    // The stages that wait for this one need not wait for that.
    return { ...outcome, left: leave(run, work) };
  } catch (cause) {
    const error = withReason(cause, stage);
    if (stage.keeping === 'digest') removeAll(folders.artifacts);
    const kept = options.keepWork ? error : withLogsKept(error, run, work);
    await leave(run, work);
    throw kept;
  }
}

async function runIn(run: StageRun, folders: StageFolders): Promise<Omit<StageOutcome, 'left'>> {
  const { stage, key, options } = run;
  const start = performance.now();
  if (stage.keeping === 'digest') makeEmpty(folders.artifacts);
  const ahead = await run.ahead;
  const result = ahead?.result ?? (await stage.run(contextOf(run, folders)));
  run.onWritten(result);
  const taken = await takeArtifacts(run, result, folders);
  try {
    // What the trees refer to was read only just now.
    await run.checkUnmoved();
  } catch (error) {
    await Promise.allSettled([taken.stored]);
    throw error;
  }
  const milliseconds = ahead?.milliseconds ?? Math.round(performance.now() - start);
  const record: StageRecord = {
    stage: stage.name,
    recipe: options.recipe,
    fields: run.fields,
    artifacts: taken.artifacts,
    facts: result.facts ?? null,
    references: taken.references,
    hostFiles: taken.hostFiles,
    milliseconds,
  };
  const bytes = Object.values(taken.artifacts).reduce((sum, { size }) => sum + size, 0);
  options.listener({ type: 'stage-done', stage: stage.name, key, milliseconds, bytes });
  return { record, stored: taken.stored, made: taken.made };
}

/** A system call that failed in a stage, as a message for people; everything else as it is. */
function withReason(cause: unknown, { name }: Stage): unknown {
  if (systemErrorCode(cause) === undefined || !('syscall' in (cause as Error))) return cause;
  const { path } = cause as NodeJS.ErrnoException;
  return readableHostError(cause, path ?? `the stage ${name}`);
}

/** What programs printed outlives the work folder, and the messages that speak of it name the new place. */
function withLogsKept(error: unknown, { stage, options }: StageRun, work: string): unknown {
  if (!(error instanceof DiagnosticError)) return error;
  let { diagnostics } = error;
  for (const name of readdirSync(work).filter((file) => file.endsWith('.log'))) {
    const kept = options.cache.keepLog(join(work, name), `${options.recipe}.${stage.name}.${name}`);
    const moved = (text: string): string => text.replaceAll(join(work, name), kept);
    diagnostics = diagnostics.map((diagnostic) => ({
      ...diagnostic,
      message: moved(diagnostic.message),
      ...(diagnostic.hint === undefined ? {} : { hint: moved(diagnostic.hint) }),
    }));
  }
  return new DiagnosticError(diagnostics, { cause: error });
}

/** Whether what a stage makes may refer to an input: to what the cache keeps, or to a file of the user's in place. */
function lasts(input: StageInput): boolean {
  if (input.kind === 'artifact') return input.stage.keeping === 'stored';
  return input.kind === 'file' && input.inPlace === true;
}

/** A folder in which a run before may have left something. */
function makeEmpty(path: string): void {
  removeAll(path);
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

/** Removes the work folder. What can't be removed is no reason to fail: the next build sweeps it. */
async function leave({ stage, options }: StageRun, work: string): Promise<void> {
  const { keepWork, listener } = options;
  if (keepWork) {
    listener({ type: 'warning', stage: stage.name, message: `its work folder is kept: ${work}` });
    return;
  }
  try {
    await removeAllAside(work);
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    listener({
      type: 'warning',
      stage: stage.name,
      message: `its work folder stays behind: ${error.message}`,
    });
  }
}

function contextOf(run: StageRun, { work, artifacts }: StageFolders): StageContext {
  const { stage, options, inputs } = run;
  const { listener, cache, pace, signal, jobs } = options;
  const inputOf = (name: string) => {
    const input = stage.inputs[name];
    if (input === undefined) throw new RangeError(`${stage.name} has no input ${name}`);
    return input;
  };
  const digestOf = (name: string): ResolvedInput => {
    const resolved = inputs.get(name);
    if (resolved === undefined) throw new RangeError(`${stage.name} has no input ${name}`);
    return resolved;
  };
  const inputPath = async (name: string): Promise<string> => {
    const input = inputOf(name);
    return input.kind === 'artifact' ? run.bytes(input.stage, input.artifact) : input.path;
  };
  return {
    pace,
    signal,
    jobs,
    work,
    partialDownload: (id) => join(cache.folder, 'downloads', sha256(id)),
    inputPath,
    inputSource: async (name) => {
      const path = await inputPath(name);
      const { sha256 } = digestOf(name);
      return lasts(inputOf(name)) ? run.contents.open(sha256, path) : run.contents.openPassing(sha256, path);
    },
    inputTree: async (name) => {
      const { directory, sha256 } = digestOf(name);
      if (directory !== undefined) return directory.tree;
      return run.loadTree(sha256, await inputPath(name), `the tree of ${name}`);
    },
    inputSha256: (name) => digestOf(name).sha256,
    inputIsExecutable: (name) => digestOf(name).isExecutable === true,
    inputSize: (name) => digestOf(name).size,
    outputPath: (artifact) => join(artifacts, stage.keeping === 'digest' ? artifact : `${artifact}.artifact`),
    progress: (done, total, note) =>
      listener({
        type: 'stage-progress',
        stage: stage.name,
        done,
        ...(total === undefined ? {} : { total }),
        ...(note === undefined ? {} : { note }),
      }),
    output: (line) => listener({ type: 'stage-output', stage: stage.name, line }),
    warning: (message, hint) =>
      listener({ type: 'warning', stage: stage.name, message, ...(hint === undefined ? {} : { hint }) }),
  };
}
