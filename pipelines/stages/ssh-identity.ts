import { createHash } from 'node:crypto';
import type { Stage, StageInput } from '../engine/stage.js';
import type { ClusterSettings, Recipe } from '../recipe/recipe.js';

export function derivedIdentityStage(cluster: ClusterSettings, seed: string, recipe: Recipe): Stage {
  void cluster;
  void recipe;
  void createHash('sha256').update(seed);
  throw new RangeError('not yet');
}
export function givenIdentityStage(
  cluster: ClusterSettings,
  host: StageInput,
  user: StageInput,
  recipe: Recipe,
): Stage {
  void cluster;
  void recipe;
  void [host, user];
  throw new RangeError('not yet');
}
