import type { TestExpectation } from '../recipe/recipe.js';

/** The numbers of the nodes of a cluster. */
export function numbersTo(nodes: number): number[] {
  return Array.from({ length: nodes }, (_, index) => index + 1);
}

/** A command that is run in a node, and what has to come of it. */
export interface Check {
  readonly name: string;
  readonly node: number;
  /** A line for the shell of the node. */
  readonly run: string;
  /** How long it may take. */
  readonly milliseconds: number;
  readonly expect: TestExpectation;
}

/** What became of a check, be it a command or something that is seen to from outside. */
export interface CheckResult {
  readonly name: string;
  /** Undefined for what has to do with all of the nodes. */
  readonly node?: number;
  readonly outcome: 'ok' | 'failed' | 'skipped';
  readonly milliseconds: number;
  /** Why it failed or was skipped: a sentence without a full stop. */
  readonly reason?: string;
  /** What was expected and what came, line by line; safe for a terminal. */
  readonly details: readonly string[];
}

/** What is told while tests run. */
export type TestEvent =
  | { readonly type: 'check-start'; readonly name: string; readonly node?: number }
  | { readonly type: 'check-done'; readonly result: CheckResult };
