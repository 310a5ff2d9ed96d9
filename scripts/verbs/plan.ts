import { printable } from '../../images/diagnostic.js';
import { type PlannedStage, planOf } from '../../pipelines/engine/plan.js';
import { locateOutput } from '../../pipelines/output/output-folder.js';
import { commandPace, formatBytes, writeOut } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';
import { formatDuration } from '../progress/amounts.js';
import { lookAtCache, outputFolder, pipelineOf, type RecipeOptions } from './build-options.js';

const marks = { cached: 'cached', run: 'runs', after: 'after' } as const;

/** `ssi-image plan`: what a build would do. Exit 1 when something is missing on this host. */
export async function plan(
  recipe: string,
  options: RecipeOptions & { rerun: readonly string[]; json?: boolean },
): Promise<number> {
  const pipeline = pipelineOf(recipe, { ...options, looksOnly: true });
  const cache = lookAtCache(options);
  const pace = commandPace();
  const folder = outputFolder(pipeline, options);
  const stages = await planOf(pipeline, {
    cache,
    pace,
    rerun: options.rerun,
    online: options.offline !== true,
    signal: interruptionSignal,
    locate: ({ sha256, size }) => locateOutput(folder, sha256, size, cache.statCache, pace),
  });
  await cache.statCache.save();
  const isLacking = stages.some(
    ({ missing, fault, action }) => action !== 'cached' && (missing.length > 0 || fault !== undefined),
  );
  if (options.json === true) {
    await writeOut(`${JSON.stringify({ recipe: pipeline.recipe, out: folder, stages })}\n`);
  } else {
    await writeOut(stages.map((stage) => lineOf(stage, stages)).join(''));
    await writeOut(conclusion(stages, folder));
  }
  return isLacking ? ExitCode.failed : ExitCode.done;
}

function lineOf(stage: PlannedStage, all: readonly PlannedStage[]): string {
  const width = Math.max(...all.map(({ name }) => name.length));
  const details = [
    stage.reason,
    stage.bytes === undefined || stage.bytes === 0 ? undefined : formatBytes(stage.bytes),
    stage.lastMilliseconds === undefined || stage.action === 'cached'
      ? undefined
      : `last time ${formatDuration(stage.lastMilliseconds)}`,
  ].filter((detail) => detail !== undefined);
  const lines = [
    `${stage.name.padEnd(width)}  ${marks[stage.action].padEnd(6)}  ${details.join(', ')}`.trimEnd(),
  ];
  for (const { program, package: name } of stage.missing)
    lines.push(`${' '.repeat(width)}  missing: the program ${program} (Debian package ${name})`);
  if (stage.news !== undefined) lines.push(`${' '.repeat(width)}  ${printable(stage.news)}`);
  if (stage.fault !== undefined) lines.push(`${' '.repeat(width)}  ${printable(stage.fault)}`);
  return `${lines.join('\n')}\n`;
}

function conclusion(stages: readonly PlannedStage[], folder: string): string {
  const running = stages.filter(({ action }) => action !== 'cached').length;
  if (running === 0) return `nothing to run; the outputs are in ${folder}, or come there from the cache\n`;
  return `${running} of ${stages.length} stages to run\n`;
}
