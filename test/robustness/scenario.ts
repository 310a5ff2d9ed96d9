import type { Random } from '../fuzz/random.js';
import type { Workshop } from './workshop.js';

/** What one trial did. */
export interface Outcome {
  /** How often harm was done: a build that ended before its kill was not killed. */
  readonly harm: number;
  /** What happened, for the report. */
  readonly kinds: Readonly<Record<string, number>>;
}

/** One kind of harm that a build must survive. */
export interface Scenario {
  readonly name: string;
  /** What one piece of harm is called. */
  readonly unit: string;
  /** How much of it there is without `--count`, and with `--few`. */
  readonly count: number;
  readonly few: number;
  /** Why it can't run on this host; undefined when it can. */
  missing?(): string | undefined;
  /** One trial, decided by `random` as far as the clock allows. Throws when a build did not end as it should. */
  trial(number: number, random: Random, workshop: Workshop): Promise<Outcome>;
}

/** A trial that did not end as it should. */
export class TrialFault extends Error {}

/** Throws a TrialFault with what was found where something else was expected. */
export function expectThat(holds: boolean, what: string): asserts holds {
  if (!holds) throw new TrialFault(what);
}

/** Counts what happened, by kind. */
export class Counts {
  readonly all: Record<string, number> = {};

  add(kind: string): void {
    this.all[kind] = (this.all[kind] ?? 0) + 1;
  }
}
