import type { CheckedRecipe } from './checked-recipe.js';
import type { RecipePath } from './recipe.js';
import { quoted } from './recipe-node.js';

/**
 * Notes tests that a report could not tell apart. That there is no node for one is no fault: `--set nodes=1` must not make
 * a recipe wrong; such a test is skipped, and that is said.
 */
export function checkTestKeys(recipe: CheckedRecipe): void {
  const names = new Map<string, RecipePath>();
  for (const test of recipe.items(['tests'])) {
    const path = [...test, 'name'];
    const name = recipe.text(path);
    if (name === undefined) continue;
    const earlier = names.get(name);
    if (earlier === undefined) names.set(name, path);
    else
      recipe.fault(path, `two tests are called ${quoted(name)}`, {
        related: recipe.here(earlier, 'the first is here'),
      });
  }
}
