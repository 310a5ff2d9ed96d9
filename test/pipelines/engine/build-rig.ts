import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Pace } from '../../../images/bytes/pace.js';
import { type BuildOptions, type BuildResult, build } from '../../../pipelines/build.js';
import { Cache } from '../../../pipelines/cache/cache.js';
import type { BuildEvent } from '../../../pipelines/engine/events.js';
import type { Stage } from '../../../pipelines/engine/stage.js';
import type { Pipeline, PipelineOutput } from '../../../pipelines/pipeline.js';

const someModule = pathToFileURL(join(import.meta.dirname, 'build-rig.ts')).href;

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
export function textStage(name: string, text: () => string, fields: Partial<Stage> = {}): Stage {
  return stage({
    name,
    run: async () => ({ artifacts: { result: { kind: 'bytes', bytes: Buffer.from(text()) } } }),
    ...fields,
  });
}

export function pipelineOf(stages: readonly Stage[], outputs: readonly PipelineOutput[]): Pipeline {
  return { recipe: 'test', summary: 'a test', epoch: 0, stages, outputs, checks: [], notes: [] };
}

export interface Built extends BuildResult {
  readonly events: readonly BuildEvent[];
  /** Names of the stages that ran, in the order in which they were done. */
  readonly ranStages: readonly string[];
}

/** Builds into `folder/out` with the cache in `folder/cache`. */
export async function buildIn(
  folder: string,
  pipeline: Pipeline,
  options: Partial<BuildOptions> = {},
): Promise<Built> {
  const events: BuildEvent[] = [];
  const controller = new AbortController();
  const result = await build(pipeline, {
    cache: Cache.open(join(folder, 'cache')),
    out: join(folder, 'out'),
    jobs: 2,
    pace: new Pace(controller.signal),
    signal: controller.signal,
    listener: (event) => events.push(event),
    generator: 'test',
    rerun: [],
    keepWork: false,
    ...options,
  });
  const ranStages = events.flatMap((event) => (event.type === 'stage-done' ? [event.stage] : []));
  return { ...result, events, ranStages };
}
