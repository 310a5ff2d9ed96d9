import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readableHostError } from '../../images/bytes/host-error.js';
import { type Diagnostic, DiagnosticError, printable } from '../../images/diagnostic.js';
import { nearestWord } from '../../images/suggestion.js';
import { shortPath } from './recipe-text.js';

const suffixes = ['.yaml', '.yml'] as const;

/** A recipe file, and how messages call it. */
export interface RecipeFile {
  /** Absolute. */
  readonly path: string;
  readonly name: string;
}

/** The project's own `recipes` folder: it lies beside package.json, above the sources and the compiled code alike. */
export function projectRecipes(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, 'recipes');
}

/** Whether the user means a file by its path: it has a slash, or ends as a recipe file does. */
function isPath(nameOrPath: string): boolean {
  return nameOrPath.includes('/') || suffixes.some((suffix) => nameOrPath.endsWith(suffix));
}

/** The file of a recipe. Throws a DiagnosticError of kind `recipe` for a name that is not in the folder. */
export function findRecipe(nameOrPath: string, folder: string, workingDirectory: string): RecipeFile {
  if (nameOrPath === '')
    throw new DiagnosticError({ kind: 'recipe', message: 'the name of a recipe is empty' });
  if (isPath(nameOrPath)) return { path: resolve(workingDirectory, nameOrPath), name: nameOrPath };
  const files = recipesIn(folder, workingDirectory);
  const found = files.get(nameOrPath);
  if (found !== undefined) return found;
  throw new DiagnosticError(unknownRecipe(nameOrPath, [...files.keys()], folder, workingDirectory));
}

function unknownRecipe(
  name: string,
  known: readonly string[],
  folder: string,
  workingDirectory: string,
): Diagnostic {
  const message = `there is no recipe "${name}" in ${shortPath(folder, workingDirectory)}`;
  const near = nearestWord(name, known);
  const inHere = suffixes
    .map((suffix) => `${name}${suffix}`)
    .find((file) => isFile(resolve(workingDirectory, file)));
  const hint =
    inHere !== undefined
      ? `For the file in this folder write ${inHere}.`
      : near !== undefined
        ? `Did you mean "${near}"?`
        : `Known: ${known.join(', ') || 'none'}. A path has a slash or ends in .yaml.`;
  // Names of files can hold anything.
  return { kind: 'recipe', message, hint: printable(hint) };
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The recipes of a folder by name, sorted. Throws a DiagnosticError when the folder can't be read. */
export function recipesIn(folder: string, workingDirectory: string): Map<string, RecipeFile> {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (cause) {
    throw readableHostError(cause, folder);
  }
  const files = new Map<string, RecipeFile>();
  for (const name of names) {
    const suffix = suffixes.find((end) => name.endsWith(end));
    if (suffix === undefined || name.startsWith('.')) continue;
    const path = resolve(folder, name);
    if (isFile(path))
      files.set(name.slice(0, -suffix.length), { path, name: shortPath(path, workingDirectory) });
  }
  return files;
}
