import type { Cache } from '../cache/cache.js';
import type { KeyFields, StageRecord } from '../cache/record.js';
import type { Pipeline } from '../pipeline.js';
import { outlookOf, type PlanOptions, type StageOutlook } from './plan.js';

/** One part of a key that is not as it was. */
export interface FieldChange {
  readonly field: string;
  /** Undefined where it was not there. */
  readonly before?: string;
  readonly now?: string;
}

export interface Explanation {
  readonly stage: string;
  /** `unknown`: a stage before it has to run first. */
  readonly state: 'hit' | 'miss' | 'unknown';
  readonly key?: string;
  readonly waitsFor: readonly string[];
  /** Against the entry of the cache that is nearest; undefined when the stage never ran. */
  readonly changes?: readonly FieldChange[];
  readonly fault?: string;
}

/** Why each stage hits or misses, field by field against the nearest entry of the cache. */
export async function explain(
  pipeline: Pipeline,
  options: Pick<PlanOptions, 'cache' | 'pace'>,
): Promise<Explanation[]> {
  const outlooks = await outlookOf(pipeline, options);
  return [...outlooks.values()].map((outlook) => explanationOf(outlook, pipeline.recipe, options.cache));
}

function explanationOf(outlook: StageOutlook, recipe: string, cache: Cache): Explanation {
  const { stage, fields, key, record, waitsFor, fault } = outlook;
  const state = record !== undefined ? 'hit' : waitsFor.length > 0 ? 'unknown' : 'miss';
  const nearest =
    record === undefined && fields !== undefined
      ? nearestRecord(stage.name, recipe, fields, cache)
      : undefined;
  const unknown = new Set(
    Object.entries(stage.inputs)
      .filter(([, input]) => input.kind === 'artifact' && waitsFor.includes(input.stage.name))
      .map(([name]) => `input ${name}`),
  );
  return {
    stage: stage.name,
    state,
    ...(key === undefined ? {} : { key }),
    waitsFor,
    ...(nearest === undefined || fields === undefined
      ? {}
      : { changes: changesOf(nearest.fields, fields).filter(({ field }) => !unknown.has(field)) }),
    ...(fault === undefined ? {} : { fault: fault.message }),
  };
}

/** The entry of the same stage with the fewest differences; of the same recipe and the latest, where that is equal. */
function nearestRecord(
  stage: string,
  recipe: string,
  fields: KeyFields,
  cache: Cache,
): StageRecord | undefined {
  let best: { record: StageRecord; differences: number; own: boolean; used: number } | undefined;
  for (const { record, used } of cache.records()) {
    if (record.stage !== stage) continue;
    const differences = changesOf(record.fields, fields).length;
    const own = record.recipe === recipe;
    const isNearer =
      best === undefined ||
      differences < best.differences ||
      (differences === best.differences && (own && !best.own ? true : own === best.own && used > best.used));
    if (isNearer) best = { record, differences, own, used };
  }
  return best?.record;
}

function changesOf(before: KeyFields, now: KeyFields): FieldChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return names
    .filter((field) => before[field] !== now[field])
    .map((field) => ({
      field,
      ...(before[field] === undefined ? {} : { before: before[field] }),
      ...(now[field] === undefined ? {} : { now: now[field] }),
    }));
}
