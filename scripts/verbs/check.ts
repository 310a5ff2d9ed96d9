import { type Diagnostic, DiagnosticError, printable } from '../../images/diagnostic.js';
import { loadRecipe } from '../../pipelines/recipe/load-recipe.js';
import { writeOut } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';

/** `ssi-image check`: whether recipes can be built, as far as that shows without fetching or writing anything. */
export async function check(recipes: readonly string[], options: { set?: string[] }): Promise<number> {
  const diagnostics: Diagnostic[] = [];
  for (const recipe of recipes) {
    try {
      loadRecipe(recipe, { set: options.set ?? [] });
      await writeOut(`${printable(recipe)}: ok\n`);
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      diagnostics.push(...error.diagnostics);
    }
  }
  if (diagnostics.length > 0) throw new DiagnosticError(diagnostics);
  return ExitCode.done;
}
