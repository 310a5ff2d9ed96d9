import { relative } from 'node:path';
import type { BuildResult } from '../../pipelines/build.js';
import { formatBytes } from '../command-line/output.js';
import { formatDuration } from './amounts.js';

/** What a build did, where the result is and what can be done with it. */
export function buildSummary(recipe: string, result: BuildResult): string {
  const folder = shown(result.folder);
  const lines: string[] = [];
  if (result.unchanged) {
    lines.push(`${recipe}: up to date in ${folder}, nothing to do (${formatDuration(result.milliseconds)})`);
  } else if (result.artifacts.length > 0) {
    lines.push(
      `${recipe}: this part is done (${formatDuration(result.milliseconds)}); the output folder is as it was`,
    );
  } else {
    const stages = `${result.ran} ${result.ran === 1 ? 'stage' : 'stages'} run, ${result.cached} from the cache`;
    lines.push(`${recipe}: built in ${formatDuration(result.milliseconds)}, ${stages}`);
  }
  if (result.outputs.length > 0 && result.artifacts.length === 0) {
    const width = Math.max(...result.outputs.map(({ name }) => name.length));
    for (const { name, size, allocated, sha256 } of result.outputs) {
      const sparse = allocated < size * 0.9 ? ` (${formatBytes(allocated)} on disk)` : '';
      lines.push(
        `  ${`${folder}/`}${name.padEnd(width)}  ${sha256.slice(0, 12)}  ${formatBytes(size)}${sparse}`,
      );
    }
    const [first] = result.outputs;
    if (first !== undefined && !result.unchanged) {
      lines.push(
        '',
        `Look into it:  npx ssi-image ls -l ${folder}/${first.name}`,
        `Check it:      npx ssi-image fsck ${folder}/${first.name}`,
      );
    }
  }
  for (const { stage, artifact, path } of result.artifacts)
    lines.push(`  ${stage}: ${artifact} is ${shown(path)}`, `  npx ssi-image ls -l ${shown(path)}`);
  return `${lines.join('\n')}\n`;
}

/** A path as it is shortest from here. */
function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near === '' ? '.' : near;
}
