import { download } from '../download/download.js';
import { redactUrl } from '../download/redact-url.js';
import type { Stage } from '../engine/stage.js';
import type { Source } from '../recipe/recipe.js';

/** Whether a recipe names something that has to be fetched first. */
export function isRemote(source: Source): boolean {
  return /^(https?|file):/.test(source.location);
}

/**
 * Fetches a file (HOWTO 5.1 and 5.3 begin so). A pinned digest is what decides: then it does not matter where the bytes
 * come from, and what was fetched once is not fetched again. Without one the URL decides, and the build says what to
 * pin.
 */
export function fetchStage(name: string, title: string, source: Source, offline: boolean): Stage {
  const { sha256 } = source;
  return {
    name,
    title,
    module: import.meta.url,
    parameters: sha256 === undefined ? { url: redactUrl(source.location) } : { sha256 },
    inputs: {},
    tools: [],
    artifacts: ['file'],
    keeping: 'stored',
    run: async (context) => {
      const path = context.outputPath('file');
      const fetched = await download(
        { urls: [source.location, ...source.mirrors], sha256 },
        {
          destination: path,
          partial: context.partialDownload(sha256 ?? source.location),
          offline,
          signal: context.signal,
          onProgress: ({ received, total }) => context.progress(received, total),
          onFault: (fault) => context.warning(fault.message, fault.excerpt?.join('\n  ')),
        },
      );
      if (sha256 === undefined) {
        context.warning(
          `${fetched.url} is not pinned: whatever it sends is used`,
          `Pin it in the recipe, beside the URL:  sha256: ${fetched.sha256}`,
        );
      }
      return {
        artifacts: { file: { kind: 'file', path, sha256: fetched.sha256 } },
        facts: { url: fetched.url, pinned: sha256 !== undefined },
      };
    },
  };
}
