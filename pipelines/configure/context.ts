import type { TreeNode } from '../../images/tree/node.js';
import type { Distribution, Recipe } from '../recipe/recipe.js';

/** What the edits of a root need besides the settings. */
export interface ConfigureContext {
  /** Time of what is made or changed: seconds since 1970. */
  readonly epoch: number;
  readonly distribution: Distribution;
  /** Names and addresses of the nodes, node 1 first. */
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  /**
   * What the recipe's `files` come from, by the `location` of their sources: the node of a file, or the root of a
   * directory's Tree.
   */
  readonly sources: ReadonlyMap<string, TreeNode>;
  /** Makes errors that point at a value of the recipe. */
  readonly faultAt: Recipe['faultAt'];
}
