import { basename, dirname, resolve } from 'node:path';
import { usageError } from '../../images/diagnostic.js';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import type { TreeNode } from '../../images/tree/node.js';
import { withoutOwnership } from '../../pipelines/engine/directory-input.js';
import { editRoot as edit } from '../../pipelines/host/edit-root.js';
import type { Recipe } from '../../pipelines/recipe/recipe.js';
import { isDirectory } from '../../pipelines/stage-list.js';
import { isRemote } from '../../pipelines/stages/fetch.js';
import { commandPace, LineWriter } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';
import { recipeOf } from './build-options.js';

/** `ssi-image edit-root`: the part of HOWTO 5.6 and 5.8 that its reader does with an editor, on a mounted root. */
export async function editRoot(
  recipe: string,
  root: string,
  options: { set: readonly string[] },
): Promise<number> {
  const loaded = recipeOf(recipe, options);
  if (loaded.ssh !== undefined)
    throw usageError('edit-root makes no keys: the recipe has ssh', 'Use "build --backend host".');
  const folder = resolve(root);
  if (folder === '/') throw usageError('edit-root does not edit the root of this host');
  const report = await edit(loaded, folder, await localSources(loaded), commandPace());
  const out = new LineWriter();
  for (const { path, outcome } of report) await out.line(`${outcome}: ${path}`);
  await out.flush();
  return ExitCode.done;
}

/** What the recipe's files come from, where that is on this host. */
async function localSources({ configure }: Recipe): Promise<Map<string, TreeNode>> {
  const sources = new Map<string, TreeNode>();
  for (const file of configure.files) {
    if (!('source' in file)) continue;
    const { location } = file.source;
    if (isRemote(file.source))
      throw usageError(`edit-root fetches nothing: ${location}`, 'Use "build --backend host".');
    const isFolder = isDirectory(file.source);
    const tree = withoutOwnership(
      await treeOfDirectory(isFolder ? location : dirname(location), commandPace()),
    );
    const node = isFolder ? tree.root : tree.root.entries.get(basename(location));
    if (node !== undefined) sources.set(location, node);
  }
  return sources;
}
