import { type Stats, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import type { CheckedRecipe } from './checked-recipe.js';
import type { RecipePath } from './recipe.js';
import { nodeAt } from './recipe-node.js';
import { shortPath } from './recipe-text.js';
import { isUrl } from './scalars.js';

type Kind = 'file' | 'directory' | 'either';

/** The keys that name something on this host; `*` is any item of a list. */
const references: readonly (readonly [path: readonly string[], kind: Kind])[] = [
  [['base', 'image'], 'file'],
  [['base', 'tar'], 'file'],
  [['base', 'directory'], 'directory'],
  [['lockTable', 'image'], 'file'],
  [['clusterTools', 'source'], 'either'],
  [['clusterTools', 'installed'], 'file'],
  [['clusterTools', 'source', 'path'], 'either'],
  [['modules', 'tar'], 'file'],
  [['modules', 'directory'], 'directory'],
  [['modules', 'image'], 'file'],
  [['kernel', 'image'], 'file'],
  [['ssh', 'hostKey'], 'file'],
  [['ssh', 'userKey'], 'file'],
  [['configure', 'files', '*', 'from'], 'either'],
];

/** Notes the paths of a recipe that are not there, or are of the wrong kind. What is fetched is left alone. */
export function checkReferencedFiles(recipe: CheckedRecipe, workingDirectory: string): void {
  for (const [pattern, kind] of references) {
    for (const path of recipe.pathsLike(pattern)) checkReference(recipe, path, kind, workingDirectory);
  }
}

function checkReference(recipe: CheckedRecipe, at: RecipePath, kind: Kind, workingDirectory: string): void {
  const written = recipe.text(at);
  const node = nodeAt(recipe.root, at);
  if (written === undefined || isUrl(written) || node?.kind !== 'scalar') return;
  const path = resolve(node.directory, written);
  const hasDigest = nodeAt(recipe.root, [...at.slice(0, -1), 'sha256']) !== undefined;
  const problem = problemOf(path, kind, hasDigest);
  if (problem === undefined) return;
  recipe.fault(at, `${shortPath(path, workingDirectory)}: ${problem.message}`, {
    hint: written.startsWith('~') ? '"~" has no meaning in a recipe: write the path in full.' : problem.hint,
  });
}

interface Problem {
  readonly message: string;
  readonly hint?: string | undefined;
}

function problemOf(path: string, kind: Kind, hasDigest: boolean): Problem | undefined {
  let status: Stats;
  try {
    status = statSync(path);
  } catch (cause) {
    if (systemErrorCode(cause) === 'ERR_INVALID_ARG_VALUE') return { message: 'this is no path' };
    return readableHostError(cause, path).diagnostics[0];
  }
  if (status.isDirectory() && kind !== 'file') {
    const isRight = kind === 'directory' || !hasDigest;
    return isRight ? undefined : { message: 'a directory has no SHA-256', hint: 'Take sha256 away.' };
  }
  if (status.isFile() && kind !== 'directory') return undefined;
  const wanted = {
    file: 'no ordinary file',
    directory: 'no directory',
    either: 'neither a file nor a directory',
  };
  return { message: `this is ${wanted[kind]}` };
}
