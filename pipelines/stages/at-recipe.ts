import { DiagnosticError } from '../../images/diagnostic.js';
import type { Recipe, RecipePath } from '../recipe/recipe.js';

/** A fault for which the recipe's own words are the place to look, where it has no place yet. */
export function atRecipe(error: unknown, recipe: Recipe, path: RecipePath): unknown {
  if (!(error instanceof DiagnosticError) || error.diagnostics.length !== 1) return error;
  const [{ message, hint, excerpt = [], location, kind }] = error.diagnostics as [
    (typeof error.diagnostics)[number],
  ];
  if (kind === 'interrupted' || location?.file !== undefined) return error;
  const where = location?.path === undefined ? '' : `${location.path}: `;
  const [placed] = recipe.faultAt(path, `${where}${message}`, hint).diagnostics;
  if (placed === undefined) return error;
  // What the root or the host lacks is no fault of the recipe's words: the kind, and so the exit code, stays.
  return new DiagnosticError({
    ...placed,
    kind: kind === 'usage' ? 'recipe' : kind,
    excerpt: [...(placed.excerpt ?? []), ...excerpt],
  });
}
