import { renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { packContents } from '../../images/tree/pack.js';
import type { Tree } from '../../images/tree/tree.js';
import { encodeTree, sourcesOfTreeFile } from '../../images/tree/tree-file.js';
import { sha256 } from '../cache/canonical-json.js';
import type { Artifact, KeyFields, StageRecord } from '../cache/record.js';
import { removeAll } from '../cache/scratch.js';
import { digestOfFile } from '../cache/stat-cache.js';
import type { Contents } from './contents.js';
import type { EngineOptions } from './engine.js';
import type { RunReason } from './events.js';
import type { ResolvedInput } from './key.js';
import type { NewArtifact, Stage, StageContext, StageResult } from './stage.js';

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
  loadTree(path: string, name: string): Tree;
  /** Throws a DiagnosticError when an input on the host moved. */
  checkUnmoved(): Promise<unknown>;
}

export interface StageOutcome {
  readonly record: StageRecord;
  /** Settled once the cache has everything on disk. */
  readonly stored: Promise<unknown>;
  /** Paths of artifacts that the cache does not keep. */
  readonly made: ReadonlyMap<string, string>;
}

/** Runs a stage and hands what it made to the cache. Nothing of a run that fails stays, unless asked for. */
export async function runStage(run: StageRun): Promise<StageOutcome> {
  const { stage, key, reason, options } = run;
  const { listener, cache } = options;
  listener({ type: 'stage-start', stage: stage.name, key, reason });
  const start = performance.now();
  const work = cache.scratch.makeFolder(stage.name);
  try {
    const result = await stage.run(contextOf(run, work));
    await run.checkUnmoved();
    const collected = await collect(run, result, work);
    const milliseconds = Math.round(performance.now() - start);
    const record: StageRecord = {
      stage: stage.name,
      recipe: options.recipe,
      fields: run.fields,
      artifacts: collected.artifacts,
      facts: result.facts ?? null,
      references: collected.references,
      milliseconds,
    };
    const bytes = Object.values(collected.artifacts).reduce((sum, { size }) => sum + size, 0);
    listener({ type: 'stage-done', stage: stage.name, key, milliseconds, bytes });
    return { record, stored: collected.stored, made: collected.made };
  } finally {
    if (options.keepWork) {
      listener({ type: 'warning', stage: stage.name, message: `its work folder is kept: ${work}` });
    } else {
      removeAll(work);
    }
  }
}

function contextOf(run: StageRun, work: string): StageContext {
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
    downloads: join(cache.folder, 'downloads'),
    inputPath,
    inputSource: async (name) => {
      const path = await inputPath(name);
      return run.contents.open(digestOf(name).sha256, path);
    },
    inputTree: async (name) => {
      const { directory } = digestOf(name);
      if (directory !== undefined) return directory.tree;
      return run.loadTree(await inputPath(name), `the tree of ${name}`);
    },
    inputSize: (name) => digestOf(name).size,
    outputPath: (artifact) =>
      stage.keeping === 'digest' ? join(options.staging, artifact) : join(work, `${artifact}.artifact`),
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

interface Collected {
  readonly artifacts: Record<string, Artifact>;
  readonly references: string[];
  readonly stored: Promise<unknown>;
  readonly made: Map<string, string>;
}

/** Takes over what a stage made: it leaves the work folder, which then goes. */
async function collect(run: StageRun, result: StageResult, work: string): Promise<Collected> {
  const { stage, options } = run;
  const artifacts: Record<string, Artifact> = {};
  const references = new Set<string>();
  const stored: Promise<void>[] = [];
  const made = new Map<string, string>();
  for (const name of stage.artifacts) {
    const artifact = result.artifacts[name];
    if (artifact === undefined) throw new RangeError(`${stage.name} did not make ${name}`);
    if (stage.keeping === 'digest') {
      if (artifact.kind !== 'file') throw new RangeError(`${stage.name}: ${name} is no file`);
      const digest = artifact.sha256 ?? (await digestOfFile(artifact.path, options.pace)).sha256;
      artifacts[name] = { sha256: digest, size: statSync(artifact.path).size, stored: false };
      made.set(name, artifact.path);
    } else {
      artifacts[name] = await store(run, artifact, work, references, stored);
    }
  }
  return { artifacts, references: [...references].sort(), stored: allStored(stored), made };
}

async function allStored(stored: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(stored)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function store(
  run: StageRun,
  artifact: NewArtifact,
  work: string,
  references: Set<string>,
  stored: Promise<void>[],
): Promise<Artifact> {
  const { cache, pace } = run.options;
  switch (artifact.kind) {
    case 'file': {
      const digest = artifact.sha256 ?? (await digestOfFile(artifact.path, pace)).sha256;
      const path = cache.scratch.path('blob');
      renameSync(artifact.path, path);
      const { size } = statSync(path);
      stored.push(quiet(cache.addFile(path, digest)));
      return { sha256: digest, size, stored: true };
    }
    case 'bytes': {
      const digest = sha256(artifact.bytes);
      stored.push(quiet(cache.addBytes(artifact.bytes, digest)));
      return { sha256: digest, size: artifact.bytes.length, stored: true };
    }
    case 'tree': {
      const bytes = await encoded(run, artifact.tree, work, stored);
      const digest = sha256(bytes);
      for (const reference of sourcesOfTreeFile(bytes)) references.add(reference);
      stored.push(quiet(cache.addBytes(bytes, digest)));
      return { sha256: digest, size: bytes.length, stored: true };
    }
  }
}

/** A failure is reported where the promise is waited for; until then it must not end the process. */
function quiet(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

/** A tree as bytes; what it refers to and does not lie in the cache yet goes there with it. */
async function encoded(run: StageRun, tree: Tree, work: string, stored: Promise<void>[]): Promise<Buffer> {
  const { contents, options } = run;
  const { cache, pace } = options;
  const path = join(work, 'contents.pack');
  const pack = await packContents(tree, path, (source) => contents.knows(source), pace);
  const source = contents.open(pack.sha256, path);
  const bytes = encodeTree(pack.tree(source), (of) => contents.identify(of));
  if (sourcesOfTreeFile(bytes).includes(pack.sha256)) {
    const arriving = cache.scratch.path('blob');
    renameSync(path, arriving);
    stored.push(quiet(cache.addFile(arriving, pack.sha256)));
  }
  return bytes;
}
