import { readFileSync } from 'node:fs';
import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError, hostError } from '../../images/diagnostic.js';
import type { Tree } from '../../images/tree/tree.js';
import { decodeTree } from '../../images/tree/tree-file.js';
import type { Cache } from '../cache/cache.js';
import { type Artifact, blobsOf, isSameResult, keyOf, type StageRecord } from '../cache/record.js';
import type { UsedResult } from '../cache/remote/remote-cache.js';
import { type AheadResult, runAhead } from './ahead.js';
import { allOf } from './all-of.js';
import { checkTools } from './check-tools.js';
import { Contents } from './contents.js';
import type { EventListener, RunReason } from './events.js';
import { type HostInput, HostInputs, keyFieldsOf, movedFault, type ResolvedInput } from './key.js';
import { Limiter } from './limiter.js';
import { Records } from './records.js';
import type { RemoteResults } from './remote-results.js';
import type { Stage, StageResult } from './stage.js';
import type { MadeFile } from './stage-artifacts.js';
import { runStage } from './stage-run.js';

export interface EngineOptions {
  readonly cache: Cache;
  readonly remote?: RemoteResults;
  readonly recipe: string;
  readonly jobs: number;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly listener: EventListener;
  /** Stages to run even though their results are known. */
  readonly rerun: ReadonlySet<string>;
  /** Whether a stage may run; a stage that may not and has to is a DiagnosticError. */
  readonly mayRun?: (stage: Stage) => boolean;
  /** Called before the first stage runs: throws when this host lacks something. */
  readonly beforeFirstRun?: () => Promise<void>;
  /** Folder for files that the cache does not keep, on the filesystem where they will stay. It is made when needed. */
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

/** So often stages may turn out to make other bytes; each of them does it once. */
const CHANGES_MAX = 100;

/**
 * Runs stages on demand: a stage's key is known once its inputs' digests are, a known key is a hit, and bytes are only
 * got where something reads them. Stages that don't depend on each other run at the same time.
 */
export class Engine {
  private known = new Map<Stage, Promise<Known>>();
  private written = new Map<Stage, Written>();
  /** What ran in this build, by key: it holds, whatever the cache says. */
  private readonly ran = new Map<string, Known>();
  /** Runs for bytes that were not to be had, by key. */
  private readonly again = new Map<string, Promise<Known>>();
  /** Stages that ran because the user asked for it: once is enough. */
  private readonly asked = new Set<Stage>();
  private readonly contents: Contents;
  /** Digests of files of the user's, each found once. */
  readonly hostInputs: HostInputs;
  private readonly limiter: Limiter;
  /** Where artifacts lie that the cache does not keep, of stages that ran. */
  private readonly made = new Map<string, MadeFile>();
  /** Files of the user's by digest that trees may refer to. */
  private readonly hostFiles = new Map<string, HostInput>();
  /** Trees that were read, by the digest of their file. */
  private readonly trees = new Map<string, Tree>();
  private readonly commits: Promise<void>[] = [];
  private commitFault: unknown;
  private readonly usedKeys = new Map<string, UsedResult>();
  private readiness: Promise<void> | undefined;
  readonly records: Records;

  constructor(readonly options: EngineOptions) {
    this.hostInputs = new HostInputs(options.cache.statCache, options.pace);
    this.limiter = new Limiter(options.jobs);
    this.records = new Records(options.cache, options.remote, (key, record) =>
      this.commit(key, record, Promise.resolve(), () => {}),
    );
    this.contents = new Contents(
      (sha256) => this.hostFiles.get(sha256)?.path ?? options.cache.blobPath(sha256),
    );
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
    const path = await this.locateBytes(stage, artifact, await this.runAgain(stage, known));
    if (path === undefined) throw await this.faultOfMissing(stage);
    return path;
  }

  /** Does `work`, and does it again while stages turn out to make other bytes than they did before. */
  async settle<T>(work: () => Promise<T>): Promise<T> {
    for (let changes = 0; ; changes++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ResultChanged)) throw error;
        if (changes === CHANGES_MAX)
          throw hostError('stages make other bytes each time they run', 'See the warnings above for which.');
        this.known = new Map();
        this.written = new Map();
      }
    }
  }

  /** What it knows by now. */
  get used(): Iterable<UsedResult> {
    return this.usedKeys.values();
  }

  /** Waits until everything that ran is in the cache. Throws a DiagnosticError when that can't take it. */
  async committed(): Promise<void> {
    await Promise.all(this.commits);
    if (this.commitFault !== undefined) throw this.commitFault;
  }

  /** The same, and releases what is open. */
  async close(): Promise<void> {
    try {
      await this.committed();
    } finally {
      this.contents.close();
      this.options.cache.statCache.save();
    }
  }

  private async locateBytes(stage: Stage, artifact: string, known: Known): Promise<string | undefined> {
    const { cache, pace, locate } = this.options;
    const wanted = known.record.artifacts[artifact];
    if (wanted === undefined) throw new RangeError(`${stage.name} makes no ${artifact}`);
    if (!wanted.stored) {
      const made = this.made.get(idOf(stage, artifact));
      return made?.sha256 === wanted.sha256 ? made.path : locate(wanted);
    }
    const isGood = cache.hasBlob(wanted) && (await cache.checkBlob(wanted.sha256, pace));
    if (!isGood && !(await this.fetched(known.key, wanted.sha256))) return undefined;
    // A tree is no good without what it refers to. A file of the user's in one recipe may be a download in another.
    const { references, hostFiles } = known.record;
    for (const reference of [...references, ...hostFiles.filter((file) => !this.hostFiles.has(file))])
      if (!(await cache.checkBlob(reference, pace)) && !(await this.fetched(known.key, reference)))
        return undefined;
    return cache.blobPath(wanted.sha256);
  }

  /** Whether a blob that is not here is now: the remote cache had it. */
  private async fetched(key: string, sha256: string): Promise<boolean> {
    return (await this.options.remote?.blob(key, sha256)) === true;
  }

  /** The same for a stage that runs and whose inputs were all here when it began. */
  private async bytesNow(stage: Stage, artifact: string): Promise<string> {
    const path = await this.locateBytes(stage, artifact, await this.result(stage));
    if (path === undefined) throw await this.faultOfMissing(stage);
    return path;
  }

  /** Why what a stage made is not there: the cache could not take it, or somebody cleared it. */
  private async faultOfMissing(stage: Stage): Promise<unknown> {
    await Promise.all(this.commits);
    return this.commitFault ?? vanished(stage);
  }

  /** Runs a stage whose result is known for the bytes of it; once, however many want them. */
  private runAgain(stage: Stage, known: Known): Promise<Known> {
    let again = this.again.get(known.key);
    if (again === undefined) {
      again = this.makeAgain(stage, known);
      this.again.set(known.key, again);
      again.catch((error: unknown) => {
        if (error instanceof ResultChanged) this.again.delete(known.key);
      });
    }
    return again;
  }

  private async makeAgain(stage: Stage, known: Known): Promise<Known> {
    const again = await this.run(stage, await this.inputsOf(stage), 'bytes');
    if (isSameResult(again.record, known.record)) {
      this.known.set(stage, Promise.resolve(again));
      return again;
    }
    this.options.listener({
      type: 'warning',
      stage: stage.name,
      message: 'it made other bytes than before from the same inputs: it is not reproducible',
    });
    throw new ResultChanged();
  }

  private async find(stage: Stage): Promise<Known> {
    const needless = new AbortController();
    const ahead = this.beginAhead(stage, needless.signal);
    // What it failed with is thrown where its result is needed, perhaps nowhere.
    const settled = ahead.catch(() => {});
    try {
      return await this.findOrRun(stage, ahead);
    } finally {
      needless.abort();
      await settled;
    }
  }

  private async findOrRun(stage: Stage, ahead: Promise<AheadResult | undefined>): Promise<Known> {
    const inputs = await this.inputsOf(stage);
    const { rerun, cache, listener } = this.options;
    if (rerun.has(stage.name) && !this.asked.has(stage)) {
      this.asked.add(stage);
      return this.run(stage, inputs, 'asked', ahead);
    }
    const key = keyOf(await keyFieldsOf(stage, inputs));
    const ran = this.ran.get(key);
    if (ran !== undefined) return ran;
    const found = await this.records.find(stage, key);
    if (found === undefined) return this.run(stage, inputs, 'new', ahead);
    const { record, isRemote } = found;
    cache.touch([cache.recordPath(key), ...blobsOf(record).map((sha256) => cache.blobPath(sha256))]);
    const from = isRemote ? ({ from: 'remote' } as const) : {};
    listener({ type: 'stage-hit', stage: stage.name, key, bytes: bytesOf(record), ...from });
    this.usedKeys.set(key, { key, record, ran: false });
    return { key, record, ran: false };
  }

  /** Lets a stage that may do so begin when another that runs has written what it looks at; undefined for no other. */
  private async beginAhead(stage: Stage, needless: AbortSignal): Promise<AheadResult | undefined> {
    const { jobs, mayRun, signal } = this.options;
    const input = stage.ahead === undefined ? undefined : stage.inputs[stage.ahead];
    if (input?.kind !== 'artifact' || jobs === 1 || mayRun?.(stage) === false) return undefined;
    // A file that the cache takes is moved there.
    if (input.stage.keeping !== 'digest') return undefined;
    const written = this.writtenOf(input.stage);
    const done = (): void => written.resolve(undefined);
    this.result(input.stage).then(done, done);
    const made = (await written.result)?.artifacts[input.artifact];
    if (made?.kind !== 'file') return undefined;
    return runAhead(stage, AbortSignal.any([signal, needless]), jobs, async (name) => {
      const other = stage.inputs[name];
      if (name === stage.ahead) return made.path;
      if (other === undefined) throw new RangeError(`${stage.name} has no input ${name}`);
      return other.kind === 'artifact' ? this.bytes(other.stage, other.artifact) : other.path;
    });
  }

  private writtenOf(stage: Stage): Written {
    let written = this.written.get(stage);
    if (written === undefined) {
      written = new Written();
      this.written.set(stage, written);
    }
    return written;
  }

  /** The digests of a stage's inputs; runs the stages that make them where these are not known. */
  async inputsOf(stage: Stage): Promise<Map<string, ResolvedInput>> {
    const entries = Object.entries(stage.inputs);
    const resolved = await allOf(
      entries.map(async ([name, input]): Promise<[string, ResolvedInput]> => {
        if (input.kind !== 'artifact') {
          const found = await this.hostInputs.resolve(input);
          const isInPlace = input.kind === 'file' && input.inPlace === true;
          if (isInPlace && !this.hostFiles.has(found.sha256)) this.hostFiles.set(found.sha256, input);
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

  private async run(
    stage: Stage,
    inputs: Map<string, ResolvedInput>,
    reason: RunReason,
    ahead: Promise<AheadResult | undefined> = Promise.resolve(undefined),
  ): Promise<Known> {
    const { cache, signal, listener, mayRun } = this.options;
    if (mayRun?.(stage) === false) {
      throw hostError(
        `the stage ${stage.name} has to run first, its result is not in the cache`,
        `Run it with --until ${stage.name}, or build everything.`,
      );
    }
    this.readiness ??= this.options.beforeFirstRun?.();
    await this.readiness;
    await checkTools(stage);
    const fields = await keyFieldsOf(stage, inputs);
    const key = keyOf(fields);
    // What it reads is there before it takes its turn: a stage that waits for another must not hold one.
    for (const input of Object.values(stage.inputs))
      if (input.kind === 'artifact') await this.bytes(input.stage, input.artifact);
    // The same goes for what it has begun with; a failure of that comes to light when it runs.
    await ahead.catch(() => {});
    const onWait = ({ pid }: { pid: number }): void =>
      listener({ type: 'stage-wait', stage: stage.name, process: pid });
    const lock = await cache.lock(key, { signal, onWait });
    let release = true;
    try {
      const done = reason === 'asked' ? undefined : await this.doneMeanwhile(stage, key, reason);
      if (done !== undefined) {
        listener({ type: 'stage-hit', stage: stage.name, key, bytes: bytesOf(done) });
        this.usedKeys.set(key, { key, record: done, ran: false });
        return { key, record: done, ran: false };
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
          loadTree: (sha256, path, name) => this.loadTree(sha256, path, name),
          isHostFile: (sha256) => this.hostFiles.has(sha256),
          checkUnmoved: () => this.checkUnmoved(stage),
          ahead,
          onWritten: (result) => this.writtenOf(stage).resolve(result),
        }),
      );
      for (const [artifact, file] of outcome.made) this.made.set(idOf(stage, artifact), file);
      release = false;
      this.commit(key, outcome.record, outcome.stored, lock.release);
      this.commits.push(outcome.left);
      const known = { key, record: outcome.record, ran: true };
      this.ran.set(key, known);
      this.usedKeys.set(key, known);
      return known;
    } catch (error) {
      if (error instanceof DiagnosticError)
        listener({ type: 'stage-failed', stage: stage.name, diagnostics: error.diagnostics });
      throw error;
    } finally {
      if (release) lock.release();
    }
  }

  /** What somebody else did while this build waited for the lock. */
  private async doneMeanwhile(
    stage: Stage,
    key: string,
    reason: RunReason,
  ): Promise<StageRecord | undefined> {
    const record = this.records.here(stage, key);
    if (record === undefined || reason === 'new') return record;
    for (const artifact of stage.artifacts)
      if ((await this.locateBytes(stage, artifact, { key, record, ran: false })) === undefined)
        return undefined;
    return record;
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

  /** Throws a DiagnosticError when something on the host that a stage read is not what its key says. */
  private async checkUnmoved(stage: Stage): Promise<void> {
    await allOf(
      Object.values(stage.inputs).map(async (input) => {
        if (input.kind !== 'artifact') return this.hostInputs.checkUnmoved(input);
        const { record } = await this.result(input.stage);
        for (const sha256 of record.hostFiles) {
          const file = this.hostFiles.get(sha256);
          if (file !== undefined) await this.hostInputs.checkUnmoved(file);
        }
        const artifact = record.artifacts[input.artifact];
        if (
          artifact?.stored === false &&
          (await this.locateBytes(input.stage, input.artifact, await this.result(input.stage))) === undefined
        )
          throw movedFault(`${input.artifact} in the output folder`);
      }),
    );
  }

  private loadTree(sha256: string, path: string, name: string): Tree {
    let tree = this.trees.get(sha256);
    if (tree === undefined) {
      tree = decodeTree(readFileSync(path), name, (source) => this.contents.open(source));
      this.trees.set(sha256, tree);
    }
    return tree;
  }
}

/** What a stage has made, before its digests are known; undefined when it did not run. */
class Written {
  resolve: (result: StageResult | undefined) => void = () => {};
  readonly result = new Promise<StageResult | undefined>((resolve) => {
    this.resolve = resolve;
  });
}

function vanished(stage: Stage) {
  return hostError(
    `what the stage ${stage.name} made vanished from the cache while the build ran`,
    "Run it again, and don't clear the cache meanwhile.",
  );
}

function idOf(stage: Stage, artifact: string): string {
  return `${stage.name} ${artifact}`;
}

/** Length of everything a stage made. */
export function bytesOf(record: StageRecord): number {
  return Object.values(record.artifacts).reduce((sum, { size }) => sum + size, 0);
}
