import { DiagnosticError } from '../../images/diagnostic.js';
import { applyAssignments } from './assignments.js';
import { CheckedRecipe } from './checked-recipe.js';
import { checkConsistency } from './consistency.js';
import { Faults } from './faults.js';
import { withoutOutdatedInstall } from './installed-tools.js';
import type { Recipe } from './recipe.js';
import { readRecipeFiles } from './recipe-files.js';
import { findRecipe, projectRecipes, type RecipeFile } from './recipe-folder.js';
import { markAt, plainValue } from './recipe-node.js';
import { checkReferencedFiles } from './referenced-files.js';
import { settingsOf } from './settings.js';
import { checkShape, detailsAt } from './validate.js';
import { substituteVariables, valuesWithVariables } from './variables.js';

export interface LoadOptions {
  /** `key=value` each: sets a variable, or a key by its dotted path. */
  readonly set?: readonly string[];
  /** Where recipes are looked up by name; the project's own folder by default. */
  readonly recipesDirectory?: string;
  /** Seconds since 1970 that go before the recipe's `epoch`: SOURCE_DATE_EPOCH. */
  readonly epoch?: number;
  /** Whether paths in the recipe must be there; true by default. */
  readonly checkFiles?: boolean;
  /** What relative paths of arguments refer to; that of the process by default. */
  readonly workingDirectory?: string;
}

/**
 * Loads a recipe by its name in the recipes folder, or by its path (which has a slash, or ends in .yaml or .yml).
 * Nothing is fetched or written. Throws a DiagnosticError of kind `recipe` with all that is wrong, by file (the
 * recipe, then what it extends, then --set), line and column.
 */
export function loadRecipe(nameOrPath: string, options: LoadOptions = {}): Recipe {
  const { recipesDirectory = projectRecipes(), workingDirectory = process.cwd() } = options;
  return loadRecipeFile(findRecipe(nameOrPath, recipesDirectory, workingDirectory), options);
}

/** Loads a recipe whose file is known. Throws as {@link loadRecipe} does. */
export function loadRecipeFile(file: RecipeFile, options: LoadOptions = {}): Recipe {
  const { set = [], epoch, checkFiles = true, workingDirectory = process.cwd() } = options;
  const faults = new Faults();
  const merged = readRecipeFiles(file.path, file.name, workingDirectory, faults);
  if (!merged.isWhole) {
    // What the rest holds is not known, but what is wrong here is wrong anyway.
    checkShape(merged.root, false, valuesWithVariables(merged.root), faults);
    faults.throwIfAny();
  }
  const assigned = applyAssignments(merged.root, set, workingDirectory, faults);
  const { recipe: root, broken } = substituteVariables(withoutOutdatedInstall(assigned, faults), faults);
  checkShape(root, true, broken, faults);
  const checked = new CheckedRecipe(root, broken, faults);
  checkConsistency(checked);
  if (checkFiles) checkReferencedFiles(checked, workingDirectory);
  faults.throwIfAny();
  return {
    ...settingsOf(plainValue(root), root, epoch),
    files: faults.chain.map(({ path }) => path).filter((path) => path !== undefined),
    faultAt: (path, message, hint) =>
      new DiagnosticError(faults.diagnose(markAt(root, path), message, detailsAt(root, path, hint))),
  };
}
