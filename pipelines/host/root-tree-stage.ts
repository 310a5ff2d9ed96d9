import type { Stage, StageInput } from '../engine/stage.js';
import { treeOfSource } from '../open-image.js';

/** Reads a root that the host's tools made back into a tree, for what is made of it: ramdisk and kernel. */
export function rootTreeStage(image: StageInput): Stage {
  return {
    name: 'root-tree',
    title: 'Read the root back',
    module: import.meta.url,
    parameters: {},
    inputs: { image },
    tools: [],
    artifacts: ['tree'],
    keeping: 'stored',
    run: async (context) => {
      const { tree, format } = await treeOfSource(await context.inputSource('image'), context.pace);
      return {
        artifacts: { tree: { kind: 'tree', tree } },
        facts: { format, inodes: tree.nodes().size + 1 },
      };
    },
  };
}
