import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import type { Cache } from '../cache/cache.js';
import { type Artifact, type KeyFields, keyOf, type StageRecord } from '../cache/record.js';
import type { Pipeline } from '../pipeline.js';
import { bytesOf } from './engine.js';
import { HostInputs, keyFieldsOf, type ResolvedInput } from './key.js';
import { findNeeded } from './needed-program.js';
import type { Stage } from './stage.js';
import { toolVersion } from './tool-version.js';

/** What a build would do with a stage. */
export type PlannedAction =
  /** Its result is known, and its bytes are there if they are needed. */
  | 'cached'
  /** It runs. */
  | 'run'
  /** Its key depends on a stage that runs first: it runs, unless that makes what it made before. */
  | 'after';

export interface PlannedStage {
  readonly name: string;
  readonly title: string;
  readonly action: PlannedAction;
  /** Why it runs, or what it waits for. */
  readonly reason?: string;
  readonly key?: string;
  /** Length of what it made, where that is known. */
  readonly bytes?: number;
  /** How long its last run took, with whatever inputs. */
  readonly lastMilliseconds?: number;
  /** Programs that it needs and that are not there, with the Debian packages that bring them. */
  readonly missing: readonly { readonly program: string; readonly package: string }[];
  /** What is wrong with its inputs. */
  readonly fault?: string;
  /** What became of what it got from elsewhere. */
  readonly news?: string;
}

export interface PlanOptions {
  readonly cache: Cache;
  readonly pace: Pace;
  readonly rerun: readonly string[];
  /** Where the bytes of a digest may lie besides the cache: the outputs of the build before. */
  readonly locate: (artifact: Artifact) => Promise<string | undefined>;
  /** Look at what stages got from elsewhere. */
  readonly online?: boolean;
  readonly signal?: AbortSignal;
}

/** A stage as far as it is known without running anything. */
export interface StageOutlook {
  readonly stage: Stage;
  readonly fields?: KeyFields;
  readonly key?: string;
  readonly record?: StageRecord;
  /** Stages whose results decide its key and are not known. */
  readonly waitsFor: readonly string[];
  readonly fault?: DiagnosticError;
}

/** Where digests of inputs and records of keys come from; by default from the cache. */
interface OutlookOptions extends Pick<PlanOptions, 'cache' | 'pace'> {
  readonly hostInputs?: HostInputs;
  readonly lookUp?: (stage: Stage, key: string) => Promise<StageRecord | undefined>;
}

/** Finds every stage's key and record as far as that goes without running one. */
export async function outlookOf(
  pipeline: Pick<Pipeline, 'stages'>,
  { cache, pace, hostInputs = new HostInputs(cache.statCache, pace), lookUp }: OutlookOptions,
): Promise<Map<Stage, StageOutlook>> {
  const outlooks = new Map<Stage, StageOutlook>();
  for (const stage of pipeline.stages) {
    const inputs = new Map<string, ResolvedInput>();
    const waitsFor: string[] = [];
    try {
      for (const [name, input] of Object.entries(stage.inputs)) {
        if (input.kind !== 'artifact') {
          inputs.set(name, await hostInputs.resolve(input));
          continue;
        }
        const artifact = outlooks.get(input.stage)?.record?.artifacts[input.artifact];
        if (artifact === undefined) waitsFor.push(input.stage.name);
        else inputs.set(name, artifact);
      }
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      outlooks.set(stage, { stage, waitsFor, fault: error });
      continue;
    }
    const fields = await keyFieldsOf(stage, inputs);
    if (waitsFor.length > 0) {
      outlooks.set(stage, { stage, fields, waitsFor });
      continue;
    }
    const key = keyOf(fields);
    const record = lookUp === undefined ? cache.record(key) : await lookUp(stage, key);
    outlooks.set(stage, { stage, fields, key, waitsFor, ...(record === undefined ? {} : { record }) });
  }
  return outlooks;
}

/** What a build would do, stage by stage. Runs nothing; reads only files of the user's that are not known yet. */
export async function planOf(pipeline: Pipeline, options: PlanOptions): Promise<PlannedStage[]> {
  const { cache } = options;
  const outlooks = await outlookOf(pipeline, options);
  const reasons = await reasonsOf(pipeline, outlooks, options);
  const last = lastRuns(cache, pipeline.recipe);
  const planned: PlannedStage[] = [];
  for (const [stage, outlook] of outlooks) {
    const reason =
      outlook.waitsFor.length > 0 ? `depends on ${outlook.waitsFor.join(' and ')}` : reasons.get(stage);
    const milliseconds = last.get(stage.name);
    const news = reason === undefined ? await newsOf(outlook, options) : undefined;
    planned.push({
      name: stage.name,
      title: stage.title,
      action: outlook.waitsFor.length > 0 ? 'after' : reason === undefined ? 'cached' : 'run',
      ...(reason === undefined ? {} : { reason }),
      ...(outlook.key === undefined ? {} : { key: outlook.key }),
      ...(outlook.record === undefined ? {} : { bytes: bytesOf(outlook.record) }),
      ...(milliseconds === undefined ? {} : { lastMilliseconds: milliseconds }),
      missing: await missingTools(stage),
      ...(outlook.fault === undefined ? {} : { fault: outlook.fault.message }),
      ...(news === undefined ? {} : { news }),
    });
  }
  return planned;
}

/** The stages that a build runs, and those that wait for them: asked by a build before it runs the first. */
export async function stagesToRun(
  pipeline: PipelinePart,
  options: BytesOptions & OutlookOptions & Pick<PlanOptions, 'rerun'>,
): Promise<Stage[]> {
  const outlooks = await outlookOf(pipeline, options);
  const reasons = await reasonsOf(pipeline, outlooks, options);
  return pipeline.stages.filter(
    (stage) => reasons.has(stage) || (outlooks.get(stage)?.waitsFor.length ?? 0) > 0,
  );
}

/** Where bytes may be. `elsewhere`: also where this can't be told, in a remote cache. */
interface BytesOptions extends Pick<PlanOptions, 'cache' | 'locate'> {
  readonly elsewhere?: boolean;
}

type PipelinePart = Pick<Pipeline, 'stages' | 'outputs'>;

/** Why stages run whose keys are known. */
async function reasonsOf(
  pipeline: PipelinePart,
  outlooks: ReadonlyMap<Stage, StageOutlook>,
  options: BytesOptions & Pick<PlanOptions, 'rerun'>,
): Promise<Map<Stage, string>> {
  const reasons = new Map<Stage, string>();
  for (const [stage, { record, waitsFor }] of outlooks) {
    if (options.rerun.includes(stage.name)) reasons.set(stage, 'asked for');
    else if (record === undefined && waitsFor.length === 0) reasons.set(stage, 'no run with this key');
  }
  await addForBytes(pipeline, outlooks, reasons, options);
  return reasons;
}

function newsOf(
  { stage, record }: StageOutlook,
  { online, signal }: PlanOptions,
): Promise<string | undefined> {
  if (online !== true || record === undefined || stage.lookAgain === undefined)
    return Promise.resolve(undefined);
  const known = Object.entries(record.artifacts).map(([name, { sha256 }]) => [name, sha256]);
  return stage.lookAgain(Object.fromEntries(known), signal);
}

/** Adds stages whose results are known but whose bytes are wanted and gone. */
async function addForBytes(
  pipeline: Pick<Pipeline, 'outputs'>,
  outlooks: ReadonlyMap<Stage, StageOutlook>,
  reasons: Map<Stage, string>,
  options: BytesOptions,
): Promise<void> {
  const want = async (stage: Stage, artifact: string): Promise<void> => {
    const known = outlooks.get(stage)?.record?.artifacts[artifact];
    if (known === undefined || reasons.has(stage)) return;
    if (await isHere(known, outlooks.get(stage)?.record, options)) return;
    reasons.set(
      stage,
      known.stored ? 'its bytes are not in the cache any more' : 'its file is not in the output folder',
    );
    await wantInputs(stage);
  };
  const wantInputs = async (stage: Stage): Promise<void> => {
    for (const input of Object.values(stage.inputs))
      if (input.kind === 'artifact') await want(input.stage, input.artifact);
  };
  for (const { stage, artifact } of pipeline.outputs) await want(stage, artifact);
  for (const [stage, { waitsFor }] of outlooks)
    if (reasons.has(stage) || waitsFor.length > 0) await wantInputs(stage);
}

async function isHere(
  artifact: Artifact,
  record: StageRecord | undefined,
  { cache, locate, elsewhere }: BytesOptions,
): Promise<boolean> {
  if (elsewhere === true) return true;
  if (!artifact.stored) return (await locate(artifact)) !== undefined;
  const references = record?.references ?? [];
  return cache.hasBlob(artifact) && references.every((sha256) => cache.hasFile(sha256));
}

async function missingTools(stage: Stage) {
  const missing = [];
  for (const tool of stage.tools)
    if (tool.optional !== true && (await toolVersion(tool)) === undefined)
      missing.push({ program: tool.program, package: tool.package });
  for (const need of stage.needs ?? [])
    if (need.kind === 'program' && findNeeded(need) === undefined)
      missing.push({ program: need.program, package: need.package });
  return missing;
}

/** How long the latest run of each stage of a recipe took that the cache knows of. */
function lastRuns(cache: Cache, recipe: string): Map<string, number> {
  const latest = new Map<string, { used: number; milliseconds: number }>();
  for (const { record, used } of cache.records()) {
    if (record.recipe !== recipe) continue;
    const known = latest.get(record.stage);
    if (known === undefined || known.used < used)
      latest.set(record.stage, { used, milliseconds: record.milliseconds });
  }
  return new Map([...latest].map(([stage, { milliseconds }]) => [stage, milliseconds]));
}
