import { imageError } from '../../images/diagnostic.js';
import { compressionOf } from '../compression.js';
import type { Stage, StageInput } from '../engine/stage.js';
import { treeOfSource } from '../open-image.js';
import type { Base, Recipe } from '../recipe/recipe.js';
import { checkPinned } from './pinned.js';

/**
 * HOWTO 5.1, `mount root_fs.ext2 /mnt.ext2 -o loop,ro`: reads the base into a tree. Names and attributes are read;
 * contents stay where they lie, in the decoded image, and are copied once, when the new image is written.
 */
export function baseTreeStage(
  base: Exclude<Base, { kind: 'given' }>,
  input: StageInput,
  isUnpacked: boolean,
  recipe: Recipe,
): Stage {
  return {
    name: 'base-tree',
    title: 'Read the base',
    module: import.meta.url,
    parameters: {
      kind: base.kind,
      ...(isUnpacked || base.kind === 'mmdebstrap' ? {} : { sha256: base.source.sha256 }),
    },
    inputs: { base: input },
    tools: [],
    artifacts: ['tree'],
    keeping: 'stored',
    run: async (context) => {
      if (base.kind === 'directory') {
        const tree = await context.inputTree('base');
        return {
          artifacts: { tree: { kind: 'tree', tree } },
          facts: factsOf(tree.nodes().size, 'directory'),
        };
      }
      const source = await context.inputSource('base');
      if (base.kind === 'mmdebstrap') {
        const { tree, format } = await treeOfSource(source, context.pace);
        return { artifacts: { tree: { kind: 'tree', tree } }, facts: factsOf(tree.nodes().size, format) };
      }
      if (!isUnpacked) await checkPinned(context, 'base', base.source, recipe);
      const compression = compressionOf(source);
      if (compression !== undefined) {
        throw imageError(
          { file: base.source.location },
          `it is compressed with ${compression}, though its name does not say so`,
          'Give it the usual ending, such as .bz2.',
        );
      }
      const { tree, format } = await treeOfSource(source, context.pace);
      const isArchive = format === 'tar' || format === 'cpio';
      if (isArchive !== (base.kind === 'tar')) {
        throw recipe.faultAt(
          base.source.at,
          `${base.source.location} holds ${isArchive ? 'an archive' : 'a filesystem'} (${format})`,
          `Name it as base.${isArchive ? 'tar' : 'image'}.`,
        );
      }
      return { artifacts: { tree: { kind: 'tree', tree } }, facts: factsOf(tree.nodes().size, format) };
    },
  };
}

function factsOf(nodes: number, format: string) {
  return { format, inodes: nodes + 1 };
}
