import type { TestSettings } from '../recipe/recipe.js';
import { type Check, numbersTo } from './check.js';

/** A check that there is no node for. */
export interface LeftOutCheck {
  readonly name: string;
  readonly node: number;
}

/** The tests of a recipe for a cluster of nodes 1 to `nodes`, in their order, and those that need a node beyond. */
export function recipeChecks(
  tests: readonly TestSettings[],
  nodes: number,
): { readonly checks: readonly Check[]; readonly leftOut: readonly LeftOutCheck[] } {
  const checks: Check[] = [];
  const leftOut: LeftOutCheck[] = [];
  for (const { name, run, node, timeout, expect } of tests) {
    if (node !== 'all' && node > nodes) {
      leftOut.push({ name, node });
      continue;
    }
    const numbers = node === 'all' ? numbersTo(nodes) : [node];
    for (const number of numbers)
      checks.push({ name, node: number, run, milliseconds: timeout * 1000, expect });
  }
  return { checks, leftOut };
}
