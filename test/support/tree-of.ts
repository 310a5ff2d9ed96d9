import { Pace } from '../../images/bytes/pace.js';
import { type Difference, diffTrees } from '../../images/tree/diff.js';
import type { Tree } from '../../images/tree/tree.js';

/** All differences between two Trees. */
export async function differencesOf(a: Tree, b: Tree): Promise<Difference[]> {
  const differences: Difference[] = [];
  for await (const difference of diffTrees(a, b, new Pace())) differences.push(difference);
  return differences;
}
