import { join } from 'node:path';
import { download } from '../download/download.js';
import type { Stage } from '../engine/stage.js';
import type { MmdebstrapSettings } from '../recipe/recipe.js';

/** The file in which a Debian archive says what it holds at the moment. */
export function releaseUrl({ mirror, suite }: MmdebstrapSettings): string {
  return `${mirror.replace(/\/+$/, '')}/dists/${suite}/InRelease`;
}

/**
 * Gets the archive's `InRelease`: its digest stands for the state of the archive that a root is made from. It is got
 * once and then stays, so that a build needs no network and gives the same; `--rerun base-release` takes the archive
 * as it is now.
 */
export function baseReleaseStage(settings: MmdebstrapSettings, offline: boolean): Stage {
  const url = releaseUrl(settings);
  return {
    name: 'base-release',
    title: `Look at the archive (${settings.suite})`,
    module: import.meta.url,
    parameters: { url },
    inputs: {},
    tools: [],
    artifacts: ['release'],
    keeping: 'stored',
    run: async (context) => {
      const path = context.outputPath('release');
      const { sha256 } = await download(
        { urls: [url] },
        {
          destination: path,
          partial: join(context.work, 'InRelease.partial'),
          offline,
          signal: context.signal,
          onProgress: ({ received, total }) => context.progress(received, total),
          onFault: (fault) => context.warning(fault.message),
        },
      );
      return { artifacts: { release: { kind: 'file', path, sha256 } } };
    },
  };
}
