import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiagnosticError } from '../../images/diagnostic.js';
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
    lookAgain: (known, signal) => newsOfArchive(url, known.release, signal),
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

/** Nobody waits long for a plan. */
const LOOK_MILLISECONDS = 5000;
/** An InRelease has some 150 KB. */
const RELEASE_BYTES_MAX = 16 * 1024 * 1024;

/** Whether the archive has changed since its state was taken. */
async function newsOfArchive(
  url: string,
  known: string | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'ssi-images-plan-'));
  try {
    const { sha256 } = await download(
      { urls: [url] },
      {
        destination: join(folder, 'InRelease'),
        partial: join(folder, 'InRelease.partial'),
        signal,
        timeouts: { response: LOOK_MILLISECONDS, idle: LOOK_MILLISECONDS },
        retries: 0,
        maxBytes: RELEASE_BYTES_MAX,
      },
    );
    if (sha256 === known) return undefined;
    return 'the archive has moved on since: --rerun base-release takes it as it is now';
  } catch (error) {
    if (!(error instanceof DiagnosticError) || signal?.aborted === true) throw error;
    return `whether the archive has moved on is not known: ${error.diagnostics[0]?.message ?? ''}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
