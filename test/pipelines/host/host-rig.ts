import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Pace } from '../../../images/bytes/pace.js';
import { type BuildResult, build } from '../../../pipelines/build.js';
import { Cache } from '../../../pipelines/cache/cache.js';
import { hostPipeline } from '../../../pipelines/host/host-pipeline.js';
import type { Pipeline } from '../../../pipelines/pipeline.js';
import { loadRecipe } from '../../../pipelines/recipe/load-recipe.js';
import { recipePipeline } from '../../../pipelines/recipe-pipeline.js';

/** Builds of one recipe, with either backend, in a folder of a test. */
export class HostRig {
  readonly point: string;
  readonly state: string;
  readonly lines: string[] = [];

  constructor(
    readonly folder: string,
    private readonly recipe: string,
    private readonly tools?: string,
  ) {
    this.point = join(folder, 'mnt');
    this.state = join(folder, 'state');
    mkdirSync(this.point);
    process.env.SSI_IMAGES_HOST_STATE = this.state;
  }

  host(signal?: AbortSignal): Promise<BuildResult> {
    const { tools, point, recipe } = this;
    const options = {
      mountPoint: point,
      recipeArguments: [recipe],
      ...(tools === undefined ? {} : { tools }),
    };
    return this.build(hostPipeline(loadRecipe(recipe), { offline: true }, options), 'host', signal);
  }

  native(): Promise<BuildResult> {
    return this.build(recipePipeline(loadRecipe(this.recipe), { offline: true }), 'native');
  }

  output(backend: 'host' | 'native', name: string): string {
    return join(this.folder, backend, name);
  }

  private build(
    pipeline: Pipeline,
    backend: string,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<BuildResult> {
    return build(pipeline, {
      cache: Cache.open(join(this.folder, 'cache')),
      out: join(this.folder, backend),
      jobs: 2,
      pace: new Pace(signal),
      signal,
      listener: (event) => {
        if (event.type === 'stage-output') this.lines.push(event.line);
      },
      generator: 'test',
      rerun: [],
      keepWork: false,
    });
  }
}
