import { join } from 'node:path';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import { checkoutCvs } from '../cluster-tools/cvs.js';
import { withoutOwnership } from '../engine/directory-input.js';
import type { Stage } from '../engine/stage.js';
import type { CvsSource } from '../recipe/recipe.js';

/**
 * HOWTO 5.3.2: gets the source of the cluster tools from CVS. With a date or a tag it is always the same; without one
 * what was got once stays, until the stage is asked to run again.
 */
export function checkoutStage(source: CvsSource, timeLimit: number): Stage {
  const { root, module, date, tag } = source;
  return {
    name: 'cluster-tools-checkout',
    title: `Check ${module} out of CVS`,
    module: import.meta.url,
    parameters: { root, module, date, tag },
    inputs: {},
    tools: [],
    needs: [
      { kind: 'program', program: 'bash', package: 'bash' },
      { kind: 'program', program: 'cvs', package: 'cvs', versionArguments: ['--version'] },
      ...(root.startsWith(':ext:')
        ? [{ kind: 'program', program: 'ssh', package: 'openssh-client' } as const]
        : []),
    ],
    artifacts: ['tree'],
    keeping: 'stored',
    run: async (context) => {
      const folder = join(context.work, 'checkout');
      await checkoutCvs(source, folder, { signal: context.signal, timeLimit });
      if (date === undefined && tag === undefined) {
        context.warning(
          `${module} has neither a date nor a tag: its newest state is used, and kept until --rerun cluster-tools-checkout`,
          'Give clusterTools.source.cvs a date or a tag.',
        );
      }
      const tree = withoutOwnership(await treeOfDirectory(folder, context.pace));
      return { artifacts: { tree: { kind: 'tree', tree } } };
    },
  };
}
