import type { StageContext } from '../engine/stage.js';
import type { Recipe, Source } from '../recipe/recipe.js';

/** Compares an input with the digest that the recipe pins. Throws a DiagnosticError that points at it. */
export async function checkPinned(
  context: Pick<StageContext, 'inputSha256'>,
  input: string,
  source: Source,
  recipe: Recipe,
): Promise<void> {
  const found = context.inputSha256(input);
  if (source.sha256 === undefined || source.sha256 === found) return;
  throw recipe.faultAt(
    source.at,
    `the digest of ${source.location} is not the one that is pinned`,
    `It is pinned as ${source.sha256} and found to be ${found}: get the right file, or pin the other digest if you trust it.`,
  );
}
