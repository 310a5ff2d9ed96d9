import { subtreeOf } from '../configure/modules.js';
import type { Stage, StageInput } from '../engine/stage.js';
import { treeOfSource } from '../open-image.js';
import type { ModulesSettings, Recipe } from '../recipe/recipe.js';
import { checkPinned } from './pinned.js';

/**
 * HOWTO 5.5: finds the kernel modules: in a directory or an archive, in `/lib/modules` of an old root image of any
 * filesystem known here, or in the base.
 */
export function modulesStage(
  settings: Exclude<ModulesSettings, { kind: 'base' }>,
  input: StageInput,
  isUnpacked: boolean,
  recipe: Recipe,
): Stage {
  const isDirectory = input.kind === 'directory';
  return {
    name: 'modules',
    title: 'Find the kernel modules',
    module: import.meta.url,
    parameters: {
      kind: settings.kind,
      ...(settings.kind === 'image' ? { path: settings.path } : {}),
      ...(isUnpacked ? {} : { sha256: settings.source.sha256 }),
    },
    inputs: { modules: input },
    tools: [],
    artifacts: ['tree'],
    keeping: 'stored',
    run: async (context) => {
      if (isDirectory) {
        return { artifacts: { tree: { kind: 'tree', tree: await context.inputTree('modules') } } };
      }
      if (!isUnpacked) await checkPinned(context, 'modules', settings.source, recipe);
      const { tree } = await treeOfSource(await context.inputSource('modules'), context.pace);
      const folder = settings.kind === 'image' ? subtreeOf(tree, settings.path) : tree;
      return { artifacts: { tree: { kind: 'tree', tree: folder } } };
    },
  };
}
