import { type DiagnosticError, formatDiagnostic, printable } from '../../images/diagnostic.js';
import { type ListedRecipe, listRecipes } from '../../pipelines/recipe/list-recipes.js';
import { writeOut } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';

/** `ssi-image recipes`: the recipes that can be called by their names. */
export async function recipes(options: { json?: boolean }): Promise<number> {
  await writeOut(formatListing(listRecipes(), options.json === true));
  return ExitCode.done;
}

/** Recipes as aligned columns (name, distribution, summary or what is wrong), or as one JSON object a line. */
export function formatListing(listed: readonly ListedRecipe[], json: boolean): string {
  return json ? listed.map(jsonLine).join('') : formatTable(listed.map(columnsOf));
}

function columnsOf(recipe: ListedRecipe): string[] {
  if ('error' in recipe) return [recipe.name, '-', firstLineOf(recipe.error)];
  return [recipe.name, recipe.distribution, recipe.summary];
}

/** What is wrong with a recipe in one line; `check` shows it all. */
function firstLineOf({ diagnostics }: DiagnosticError): string {
  const [first] = diagnostics;
  const line = first === undefined ? 'error' : (formatDiagnostic(first).split('\n')[0] ?? '');
  return diagnostics.length > 1 ? `${line} (and ${diagnostics.length - 1} more)` : line;
}

function jsonLine(recipe: ListedRecipe): string {
  const { name, path } = recipe;
  const rest =
    'error' in recipe
      ? { errors: recipe.error.diagnostics.map(formatDiagnostic) }
      : { distribution: recipe.distribution, summary: recipe.summary };
  return `${JSON.stringify({ name, path, ...rest })}\n`;
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const width = (column: number): number => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0));
  const widths = [width(0), width(1)];
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => printable(cell).padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
