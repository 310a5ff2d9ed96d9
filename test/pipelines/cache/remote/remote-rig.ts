import { createCipheriv, createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { remoteSettings } from '../../../../pipelines/cache/remote/open-remote.js';
import type { RemoteReport } from '../../../../pipelines/cache/remote/remote-cache.js';
import { type Built, buildIn } from '../../engine/build-rig.js';
import { samplePipeline, writeSampleInputs } from '../../engine/sample-pipeline.js';

/** Data that does not compress, the same for the same seed. */
export function noise(length: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A machine: a folder with the inputs of the sample pipeline, a cache and an output folder of its own. */
export class Machine {
  constructor(
    readonly folder: string,
    readonly seed: string,
    readonly baseBytes = 2_500_000,
  ) {
    mkdirSync(folder, { recursive: true });
    writeSampleInputs(folder);
    writeFileSync(join(folder, 'base'), noise(baseBytes, seed));
  }

  /** Builds with a remote cache as `environment` says. */
  build(environment: NodeJS.ProcessEnv = {}, greeting = 'hello', patience?: number): Promise<RemoteBuilt> {
    const settings = remoteSettings(patience === undefined ? {} : { patience }, environment);
    return this.with(settings, greeting);
  }

  async with(settings: ReturnType<typeof remoteSettings>, greeting = 'hello'): Promise<RemoteBuilt> {
    const pipeline = samplePipeline(this.folder, 0, greeting);
    const built = await buildIn(this.folder, pipeline, settings === undefined ? {} : { remote: settings });
    const report = built.events.find((event) => event.type === 'remote-done');
    return { ...built, report };
  }

  /** The outputs with their digests. */
  outputs(): Record<string, string> {
    const out = join(this.folder, 'out');
    return Object.fromEntries(
      readdirSync(out)
        .sort()
        .map((name) => [
          name,
          createHash('sha256')
            .update(readFileSync(join(out, name)))
            .digest('hex'),
        ]),
    );
  }
}

export interface RemoteBuilt extends Built {
  readonly report: RemoteReport | undefined;
}
