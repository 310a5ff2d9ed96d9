import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pace } from '../../../images/bytes/pace.js';
import { type BuildOptions, type BuildResult, build } from '../../../pipelines/build.js';
import { Cache } from '../../../pipelines/cache/cache.js';
import type { StageRecord } from '../../../pipelines/cache/record.js';
import type { BuildEvent } from '../../../pipelines/engine/events.js';
import type { Stage, StageContext, StageInput } from '../../../pipelines/engine/stage.js';
import type { Pipeline, PipelineOutput } from '../../../pipelines/pipeline.js';

/** A small module that belongs to no stage: the tests' stages are told apart by their names and parameters. */
const someModule = new URL('../../../images/suggestion.js', import.meta.url).href;

/** A stage that a test steers: what is not given is of no matter to it. */
export function stage(fields: Pick<Stage, 'name' | 'run'> & Partial<Stage>): Stage {
  return {
    title: fields.name,
    module: someModule,
    parameters: null,
    inputs: {},
    tools: [],
    artifacts: ['result'],
    keeping: 'stored',
    ...fields,
  };
}

/** A stage that makes a text. */
export function textStage(
  name: string,
  text: (context: StageContext) => string | Promise<string>,
  fields: Partial<Stage> = {},
): Stage {
  return stage({
    name,
    run: async (context) => ({
      artifacts: { result: { kind: 'bytes', bytes: Buffer.from(await text(context)) } },
    }),
    ...fields,
  });
}

/** A stage that makes a file which the cache does not keep. */
export function fileStage(
  name: string,
  text: (context: StageContext) => string | Promise<string>,
  fields: Partial<Stage> = {},
): Stage {
  return stage({
    name,
    keeping: 'digest',
    run: async (context) => {
      const path = context.outputPath('result');
      writeFileSync(path, await text(context));
      return { artifacts: { result: { kind: 'file', path } } };
    },
    ...fields,
  });
}

/** What a stage made, as an input of another. */
export function made(by: Stage, artifact = 'result'): StageInput {
  return { kind: 'artifact', stage: by, artifact };
}

/** The text of an input. */
export async function textOf(context: StageContext, input: string): Promise<string> {
  return readFileSync(await context.inputPath(input), 'utf8');
}

export function pipelineOf(stages: readonly Stage[], outputs: readonly PipelineOutput[]): Pipeline {
  return { recipe: 'test', summary: 'a test', epoch: 0, stages, outputs, checks: [], notes: [] };
}

/** The output called as its stage is. */
export function output(of: Stage): PipelineOutput {
  return { name: of.name, stage: of, artifact: 'result' };
}

export interface Built extends BuildResult {
  readonly events: readonly BuildEvent[];
  /** Names of the stages that ran, in the order in which they were done. */
  readonly ranStages: readonly string[];
  readonly warnings: readonly string[];
}

/** Builds into `folder/out` with the cache in `folder/cache`. */
export async function buildIn(
  folder: string,
  pipeline: Pipeline,
  options: Partial<BuildOptions> = {},
): Promise<Built> {
  const events: BuildEvent[] = [];
  const signal = options.signal ?? new AbortController().signal;
  const result = await build(pipeline, {
    cache: Cache.open(join(folder, 'cache')),
    out: join(folder, 'out'),
    jobs: 2,
    pace: new Pace(signal),
    signal,
    listener: (event) => events.push(event),
    generator: 'test',
    rerun: [],
    keepWork: false,
    ...options,
  });
  const ranStages = events.flatMap((event) => (event.type === 'stage-done' ? [event.stage] : []));
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
  return { ...result, events, ranStages, warnings };
}

/** The text of an output. */
export function outputText(folder: string, name: string): string {
  return readFileSync(join(folder, 'out', name), 'utf8');
}

/** The outputs but the manifest, with their texts. */
export function outputsIn(folder: string): Record<string, string> {
  const names = readdirSync(join(folder, 'out')).filter((name) => name !== 'manifest.json');
  return Object.fromEntries(names.sort().map((name) => [name, outputText(folder, name)]));
}

/** What builds left behind that they should not have: temporary files, locks, hidden folders beside the output. */
export function leftovers(folder: string): string[] {
  const inside = (name: string): string[] =>
    existsSync(join(folder, name)) ? readdirSync(join(folder, name)).map((file) => `${name}/${file}`) : [];
  const known = ['ac', 'bad', 'cas', 'downloads', 'files.json', 'locks', 'logs', 'tmp'];
  return [
    ...inside('cache/tmp'),
    ...inside('cache/locks'),
    ...inside('cache').filter((path) => !known.includes(path.slice('cache/'.length))),
    ...readdirSync(folder).filter((name) => name.startsWith('.')),
  ];
}

/** The records in the cache of `folder`, by stage. */
export function recordsIn(folder: string): Map<string, { key: string; record: StageRecord }> {
  const cache = Cache.open(join(folder, 'cache'));
  return new Map([...cache.records()].map(({ key, record }) => [record.stage, { key, record }]));
}

/** Paths of a stage's blobs in the cache. */
export function blobOf(folder: string, name: string): string {
  const found = recordsIn(folder).get(name);
  if (found === undefined) throw new Error(`no record of ${name}`);
  const [artifact] = Object.values(found.record.artifacts);
  return join(folder, 'cache/cas', artifact?.sha256 ?? '');
}
