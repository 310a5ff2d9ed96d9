import { readFileSync } from 'node:fs';
import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError, hostError } from '../../images/diagnostic.js';
import { decodeTree } from '../../images/tree/tree-file.js';
import type { Cache } from '../cache/cache.js';
import type { Artifact, StageRecord } from '../cache/record.js';
import { keyOf } from '../cache/record.js';
import { Contents } from './contents.js';
import type { EventListener, RunReason } from './events.js';
import { HostInputs, keyFieldsOf, type ResolvedInput } from './key.js';
import { Limiter } from './limiter.js';
import type { Stage } from './stage.js';
import { runStage } from './stage-run.js';
import { toolVersion } from './tool-version.js';

export interface EngineOptions {
  readonly cache: Cache;
  readonly recipe: string;
  readonly jobs: number;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly listener: EventListener;
  /** Stages to run even though their results are known. */
  readonly rerun: ReadonlySet<string>;
  /** Whether a stage may run; a stage that may not and has to is a DiagnosticError. */
  readonly mayRun?: (stage: Stage) => boolean;
  /** Folder for files that the cache does not keep, on the filesystem where they will stay. */
  readonly staging: string;
  /** Where the bytes of a digest may lie besides the cache: the outputs of the build before. */
  readonly locate: (artifact: Artifact) => Promise<string | undefined>;
  /** Leave the folders of stages that ran. */
  readonly keepWork: boolean;
}

/** A stage's result: what is known of it, and whether it ran for that. */
export interface Known {
  readonly key: string;
  readonly record: StageRecord;
  readonly ran: boolean;
}

/** Thrown when a stage that was run again for its bytes made other bytes: keys of later stages don't hold. */
class ResultChanged extends Error {}

/**
 * Runs stages on demand: a stage's key is known once its inputs' digests are, a known key is a hit, and bytes are only
 * got where something reads them. Stages that don't depend on each other run at the same time.
 */
export class Engine {
  private known = new Map<Stage, Promise<Known>>();
  private readonly rerunDone = new Map<Stage, Promise<Known>>();
  /** Stages that ran because the user asked for it: once is enough. */
  private readonly asked = new Set<Stage>();
  private readonly contents: Contents;
  private readonly hostInputs: HostInputs;
  private readonly limiter: Limiter;
  /** Where artifacts lie that the cache does not keep, of stages that ran. */
  private readonly made = new Map<string, string>();
  /** Files of the user's by digest: trees may refer to them. */
  private readonly hostFiles = new Map<string, string>();
  private readonly commits: Promise<void>[] = [];
  private commitFault: unknown;

  constructor(readonly options: EngineOptions) {
    this.hostInputs = new HostInputs(options.cache.statCache, options.pace);
    this.limiter = new Limiter(options.jobs);
    this.contents = new Contents((sha256) => this.hostFiles.get(sha256) ?? options.cache.blobPath(sha256));
  }

  /** The result of a stage, from the cache or by running it. Throws a DiagnosticError when it fails. */
  result(stage: Stage): Promise<Known> {
    let known = this.known.get(stage);
    if (known === undefined) {
      known = this.find(stage);
      this.known.set(stage, known);
    }
    return known;
  }

  /**
   * Path of an artifact's bytes, compared with their digest; the stage runs (again) where they are not to be had. Open
   * it before anything else is waited for.
   */
  async bytes(stage: Stage, artifact: string): Promise<string> {
    const known = await this.result(stage);
    const found = await this.locateBytes(stage, artifact, known);
    if (found !== undefined) return found;
    const again = await this.runAgain(stage);
    const path = await this.locateBytes(stage, artifact, again);
    if (path === undefined) throw hostError(`the cache lost what ${stage.name} made while the build ran`);
    if (again.record.artifacts[artifact]?.sha256 !== known.record.artifacts[artifact]?.sha256) {
      this.options.listener({
        type: 'warning',
        stage: stage.name,
        message: 'it made other bytes than before from the same inputs: it is not reproducible',
      });
      throw new ResultChanged();
    }
    return path;
  }

  /** Does `work`, and does it again while stages turn out to make other bytes than they did before. */
  async settle<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ResultChanged) || attempt === 3) throw error;
        this.known = new Map(this.rerunDone);
      }
    }
  }

  /** Waits until everything that ran is in the cache, and releases what is open. */
  async close(): Promise<void> {
    await Promise.all(this.commits);
    this.contents.close();
    await this.options.cache.statCache.save();
    if (this.commitFault !== undefined) {
      const fault = this.commitFault;
      this.commitFault = undefined;
      throw fault;
    }
  }

  private async locateBytes(stage: Stage, artifact: string, known: Known): Promise<string | undefined> {
    const { cache, pace, locate } = this.options;
    const wanted = known.record.artifacts[artifact];
    if (wanted === undefined) throw new RangeError(`${stage.name} makes no ${artifact}`);
    if (!wanted.stored) return this.made.get(idOf(stage, artifact)) ?? locate(wanted);
    const isGood = cache.hasBlob(wanted) && (await cache.checkBlob(wanted.sha256, pace));
    if (!isGood) return undefined;
    // A tree is no good without what it refers to.
    for (const reference of known.record.references) {
      if (this.hostFiles.has(reference)) continue;
      if (!(await cache.checkBlob(reference, pace))) return undefined;
    }
    return cache.blobPath(wanted.sha256);
  }

  /** The same for a stage that runs and whose inputs were all here when it began. */
  private async bytesNow(stage: Stage, artifact: string): Promise<string> {
    const path = await this.locateBytes(stage, artifact, await this.result(stage));
    if (path !== undefined) return path;
    throw hostError(
      `what the stage ${stage.name} made vanished from the cache while the build ran`,
      'Run it again, and don\'t clear the cache meanwhile.',
    );
  }

  private runAgain(stage: Stage): Promise<Known> {
    let again = this.rerunDone.get(stage);
    if (again === undefined) {
      again = this.inputsOf(stage).then((inputs) => this.run(stage, inputs, 'bytes'));
      this.rerunDone.set(stage, again);
    }
    return again;
  }

  private async find(stage: Stage): Promise<Known> {
    const inputs = await this.inputsOf(stage);
    const { rerun, cache, listener } = this.options;
    if (rerun.has(stage.name) && !this.asked.has(stage)) {
      this.asked.add(stage);
      return this.run(stage, inputs, 'asked');
    }
    const key = keyOf(await keyFieldsOf(stage, inputs));
    const record = cache.record(key);
    if (record === undefined) return this.run(stage, inputs, 'new');
    cache.touch([cache.recordPath(key), ...blobsOf(record).map((sha256) => cache.blobPath(sha256))]);
    listener({ type: 'stage-hit', stage: stage.name, key, bytes: bytesOf(record) });
    return { key, record, ran: false };
  }

  /** The digests of a stage's inputs; runs the stages that make them where these are not known. */
  async inputsOf(stage: Stage): Promise<Map<string, ResolvedInput>> {
    const entries = Object.entries(stage.inputs);
    const resolved = await allOf(
      entries.map(async ([name, input]): Promise<[string, ResolvedInput]> => {
        if (input.kind !== 'artifact') {
          const found = await this.hostInputs.resolve(input);
          if (input.kind === 'file') this.hostFiles.set(found.sha256, input.path);
          return [name, found];
        }
        const { record } = await this.result(input.stage);
        const artifact = record.artifacts[input.artifact];
        if (artifact === undefined) throw new RangeError(`${input.stage.name} makes no ${input.artifact}`);
        return [name, artifact];
      }),
    );
    return new Map(resolved);
  }

  private async run(stage: Stage, inputs: Map<string, ResolvedInput>, reason: RunReason): Promise<Known> {
    const { cache, signal, listener, mayRun } = this.options;
    if (mayRun?.(stage) === false) {
      throw hostError(
        `the stage ${stage.name} has to run first, its result is not in the cache`,
        `Run it with --until ${stage.name}, or build everything.`,
      );
    }
    await this.checkTools(stage);
    const fields = await keyFieldsOf(stage, inputs);
    const key = keyOf(fields);
    // What it reads is there before it takes its turn: a stage that waits for another must not hold one.
    for (const input of Object.values(stage.inputs))
      if (input.kind === 'artifact') await this.bytes(input.stage, input.artifact);
    const onWait = ({ pid }: { pid: number }): void =>
      listener({ type: 'stage-wait', stage: stage.name, process: pid });
    const lock = await cache.lock(key, { signal, onWait });
    try {
      if (reason === 'new') {
        // Somebody else may have run it while we waited.
        const record = cache.record(key);
        if (record !== undefined) {
          listener({ type: 'stage-hit', stage: stage.name, key, bytes: bytesOf(record) });
          return { key, record, ran: false };
        }
      }
      const outcome = await this.limiter.run(() =>
        runStage({
          stage,
          key,
          fields,
          inputs,
          reason,
          options: this.options,
          contents: this.contents,
          bytes: (of, artifact) => this.bytesNow(of, artifact),
          loadTree: (path, name) => this.loadTree(path, name),
          checkUnmoved: () => allOf(Object.values(stage.inputs).map((input) => this.hostInputs.checkUnmoved(input))),
        }),
      );
      for (const [artifact, path] of outcome.made) this.made.set(idOf(stage, artifact), path);
      this.commit(key, outcome.record, outcome.stored, lock.release);
      return { key, record: outcome.record, ran: true };
    } catch (error) {
      lock.release();
      if (error instanceof DiagnosticError)
        listener({ type: 'stage-failed', stage: stage.name, diagnostics: error.diagnostics });
      throw error;
    }
  }

  /** Lets the build go on while the disk takes what a stage made: the record comes last. */
  private commit(key: string, record: StageRecord, stored: Promise<unknown>, release: () => void): void {
    const committed = stored
      .then(() => this.options.cache.addRecord(key, record))
      .catch((error: unknown) => {
        this.commitFault ??= error;
      })
      .finally(release);
    this.commits.push(committed);
  }

  private async checkTools(stage: Stage): Promise<void> {
    for (const tool of stage.tools) {
      if (tool.optional === true || (await toolVersion(tool)) !== undefined) continue;
      throw hostError(
        `the stage ${stage.name} needs the program ${tool.program}, which is not there`,
        `Install it (Debian package ${tool.package}).`,
      );
    }
  }

  private loadTree(path: string, name: string) {
    return decodeTree(readFileSync(path), name, (sha256) => this.contents.open(sha256));
  }
}

/** Waits for all, also when one fails: nothing goes on behind the back of who reports the failure. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  const failed = settled.filter((result) => result.status === 'rejected');
  const isInterruption = (error: unknown): boolean =>
    error instanceof DiagnosticError && error.diagnostics.some(({ kind }) => kind === 'interrupted');
  const worst = failed.find(({ reason }) => !isInterruption(reason)) ?? failed[0];
  if (worst !== undefined) throw worst.reason;
  return settled.map((result) => (result as PromiseFulfilledResult<T>).value);
}

function idOf(stage: Stage, artifact: string): string {
  return `${stage.name} ${artifact}`;
}

/** The blobs that a record's artifacts need. */
export function blobsOf(record: StageRecord): string[] {
  const stored = Object.values(record.artifacts).filter((artifact) => artifact.stored);
  return [...stored.map(({ sha256 }) => sha256), ...record.references];
}

/** Length of everything a stage made. */
export function bytesOf(record: StageRecord): number {
  return Object.values(record.artifacts).reduce((sum, { size }) => sum + size, 0);
}
