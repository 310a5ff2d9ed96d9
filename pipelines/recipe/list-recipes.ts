import { DiagnosticError } from '../../images/diagnostic.js';
import { loadRecipeFile } from './load-recipe.js';
import type { Distribution } from './recipe.js';
import { projectRecipes, recipesIn } from './recipe-folder.js';

/** A recipe of the recipes folder. */
export type ListedRecipe = {
  /** As it is called in commands: the name of its file. */
  readonly name: string;
  /** Absolute path. */
  readonly path: string;
} & (
  | { readonly summary: string; readonly distribution: Distribution }
  /** It can't be loaded. */
  | { readonly error: DiagnosticError }
);

/**
 * The recipes of a folder (the project's own by default), by name. Paths that they refer to need not be there. Throws
 * a DiagnosticError when the folder can't be read.
 */
export function listRecipes(folder: string = projectRecipes()): ListedRecipe[] {
  return [...recipesIn(folder, process.cwd())].map(([name, file]) => {
    const { path } = file;
    try {
      const { summary, distribution } = loadRecipeFile(file, { checkFiles: false });
      return { name, path, summary, distribution };
    } catch (error) {
      if (error instanceof DiagnosticError) return { name, path, error };
      throw error;
    }
  });
}
