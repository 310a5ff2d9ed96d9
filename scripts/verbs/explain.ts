import { printable } from '../../images/diagnostic.js';
import { stageNamed } from '../../pipelines/build.js';
import { type Explanation, explain as explainPipeline } from '../../pipelines/engine/explain.js';
import { commandPace, writeOut } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';
import { lookAtCache, pipelineOf, type RecipeOptions } from './build-options.js';

/** Long values are cut to so much. */
const SHOWN_CHARACTERS = 72;

/** `ssi-image explain`: why each stage, or one, hits or misses. */
export async function explain(
  recipe: string,
  stage: string | undefined,
  options: RecipeOptions & { json?: boolean },
): Promise<number> {
  const pipeline = pipelineOf(recipe, { ...options, looksOnly: true });
  if (stage !== undefined) stageNamed(pipeline, stage);
  const cache = lookAtCache(options);
  const all = await explainPipeline(pipeline, { cache, pace: commandPace() });
  await cache.statCache.save();
  const shown = all.filter((each) => stage === undefined || each.stage === stage);
  if (options.json === true) await writeOut(`${shown.map((each) => JSON.stringify(each)).join('\n')}\n`);
  else await writeOut(shown.map(textOf).join(''));
  return ExitCode.done;
}

function textOf(explanation: Explanation): string {
  const { stage, state, key, waitsFor, changes, fault } = explanation;
  const lines = [
    `${stage}: ${headline(explanation)}${key === undefined ? '' : `  (key ${key.slice(0, 12)})`}`,
  ];
  if (fault !== undefined) lines.push(`  ${printable(fault)}`);
  for (const { field, before, now } of changes ?? []) {
    lines.push(`  ${printable(field)}`);
    const start = commonStart(before ?? '', now ?? '');
    lines.push(`    was: ${before === undefined ? 'not there' : shorten(before, start)}`);
    lines.push(`    is:  ${now === undefined ? 'not there' : shorten(now, start)}`);
  }
  if (state === 'unknown' && (changes ?? []).length === 0 && waitsFor.length > 0)
    lines.push(`  nothing else of it has changed`);
  return `${lines.join('\n')}\n`;
}

function headline({ state, waitsFor, changes }: Explanation): string {
  if (state === 'hit') return 'hit';
  if (state === 'unknown')
    return `not known before ${waitsFor.join(' and ')} ${waitsFor.length === 1 ? 'has' : 'have'} run`;
  if (changes === undefined) return 'miss: it has never run';
  return `miss: against its nearest run ${changes.length === 1 ? 'this is' : 'these are'} different`;
}

/** Where two values begin to differ. */
function commonStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

/** A long value from a little before the place where it differs. */
function shorten(value: string, difference: number): string {
  const start = value.length <= SHOWN_CHARACTERS ? 0 : Math.max(0, difference - SHOWN_CHARACTERS / 3);
  const part = printable(value.slice(start, start + SHOWN_CHARACTERS));
  return `${start > 0 ? '…' : ''}${part}${start + SHOWN_CHARACTERS < value.length ? '…' : ''}`;
}
