import { installClusterTools } from '../cluster-tools/install.js';
import type { Stage, StageInput } from '../engine/stage.js';
import { treeOfSource } from '../open-image.js';
import type { ClusterToolsSettings, Recipe, Source } from '../recipe/recipe.js';
import { checkPinned } from './pinned.js';

/**
 * HOWTO 5.4, `make install_ssi_redhat UML_ROOT=/mnt`: runs the make rule against a staging root and keeps what it
 * changed there, to be laid over the base.
 */
export function clusterToolsStage(
  recipe: Recipe,
  settings: ClusterToolsSettings,
  base: StageInput,
  source: StageInput,
  /** The source's file, where its digest still has to be compared with the pinned one. */
  pinned: Source | undefined,
): Stage {
  const { rule, needs, timeLimit } = settings;
  const isTree = source.kind === 'directory' || (source.kind === 'artifact' && source.artifact === 'tree');
  return {
    name: 'cluster-tools',
    title: `Install the cluster tools (make ${rule})`,
    module: import.meta.url,
    parameters: { rule, needs, epoch: recipe.epoch, sha256: pinned?.sha256 },
    inputs: { base, source },
    tools: [
      { program: 'make', package: 'make', versionArguments: ['--version'] },
      { program: 'fakeroot', package: 'fakeroot', versionArguments: ['--version'], optional: true },
    ],
    needs: [{ kind: 'program', program: 'bash', package: 'bash' }],
    artifacts: ['overlay'],
    keeping: 'stored',
    run: async (context) => {
      if (pinned !== undefined) await checkPinned(context, 'source', pinned, recipe);
      const from = isTree
        ? await context.inputTree('source')
        : (await treeOfSource(await context.inputSource('source'), context.pace)).tree;
      const installed = await installClusterTools({
        base: await context.inputTree('base'),
        source: from,
        rule,
        needs,
        work: context.work,
        epoch: recipe.epoch,
        timeLimit,
        signal: context.signal,
        pace: context.pace,
        onOutput: (line) => context.output(line),
      });
      for (const warning of installed.warnings) context.warning(warning.message, warning.hint);
      return {
        artifacts: { overlay: { kind: 'tree', tree: installed.overlay } },
        facts: installed.facts,
      };
    },
  };
}

/** Programs without which the rule can't run, or not as everywhere else. */
export const CLUSTER_TOOLS_PROGRAMS: readonly string[] = ['make', 'fakeroot'];

/**
 * The same on a host that lacks make or fakeroot: takes what the rule installed on another host. That is a part of the
 * recipe, so whoever keeps it there answers for its being up to date.
 */
export function installedToolsStage(input: StageInput): Stage {
  return {
    name: 'cluster-tools',
    title: 'Take the cluster tools as they were installed elsewhere',
    module: import.meta.url,
    parameters: { installed: true },
    inputs: { installed: input },
    tools: [],
    artifacts: ['overlay'],
    keeping: 'stored',
    run: async (context) => {
      const { tree } = await treeOfSource(await context.inputSource('installed'), context.pace);
      context.warning(
        'make or fakeroot is missing: what the rule installed on another host is taken instead',
        'Install them (Debian packages make and fakeroot) to run the rule here.',
      );
      return { artifacts: { overlay: { kind: 'tree', tree } } };
    },
  };
}
