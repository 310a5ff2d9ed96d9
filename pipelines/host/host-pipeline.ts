import { hostStageFindings } from '../doctor/host-stage-findings.js';
import type { Stage, StageInput } from '../engine/stage.js';
import type { Pipeline } from '../pipeline.js';
import { isOpenGfsRecipe, type Recipe, type Source } from '../recipe/recipe.js';
import { artifact, assembled, type Made, nodeFiles } from '../recipe-pipeline.js';
import { isDirectory, type PipelineOptions, StageList } from '../stage-list.js';
import { checkoutStage } from '../stages/cluster-tools-checkout.js';
import { fetchStage, isRemote } from '../stages/fetch.js';
import { LOCK_TABLE_NAME, lockTablePool, poolFileName, poolsStage, rootPool } from '../stages/pools.js';
import { type HostRootOptions, hostRootStage } from './host-root-stage.js';
import { howtoSteps } from './howto-steps.js';
import { rootTreeStage } from './root-tree-stage.js';

/**
 * The stages of a recipe on a host that has the HOWTO's tools: what is fetched and what comes after the root are the
 * same stages as in the native build, all between them is one, as a mounted root is no result that could be kept.
 */
export function hostPipeline(recipe: Recipe, options: PipelineOptions, host: HostRootOptions): Pipeline {
  const stages = new StageList(recipe, options);
  const made: Made = { outputs: [], checks: [], notes: [] };
  const pools = isOpenGfsRecipe(recipe) ? stages.add(poolsStage(recipe)) : undefined;
  const inputs: Record<string, StageInput> = { ...sourceInputs(recipe, stages) };
  const configurations = pools === undefined ? [] : [...recipe.pools.map(poolFileName), LOCK_TABLE_NAME];
  for (const name of configurations) if (pools !== undefined) inputs[name] = artifact(pools, name);
  const identity = stages.sshIdentity();
  const steps = howtoSteps(recipe, host);
  const rootImage = stages.add({
    ...hostRootStage(recipe, steps, host, {
      inputs,
      configurations,
      files: stages.files(),
      ...(identity === undefined ? {} : { sshIdentity: artifact(identity, 'tree') }),
    }),
    needs: [
      { kind: 'program', program: 'bash', package: 'bash' },
      { kind: 'other', look: () => hostStageFindings(recipe, host) },
    ],
  });
  const { images } = steps;
  made.outputs.push(...images.map((name) => ({ name, stage: rootImage, artifact: name })));
  for (const name of configurations)
    if (pools !== undefined) made.outputs.push({ name, stage: pools, artifact: name });
  const root = isOpenGfsRecipe(recipe) ? rootPool(recipe).image : (images[0] ?? '');
  const tree = needsTree(recipe) ? stages.add(rootTreeStage(artifact(rootImage, root))) : rootImage;
  const cidev = isOpenGfsRecipe(recipe) ? { cidev: lockTablePool(recipe).image } : {};
  const ramdisk =
    steps.ramdisk === undefined ? {} : { ramdisk: { stage: rootImage, artifact: steps.ramdisk } };
  nodeFiles({ configured: tree, root, ...cidev, ...ramdisk }, tree, stages, made);
  made.notes.push(
    `The root was made with the tools of a host (backend host): ${toolsNote(recipe)}. Other bytes than those of a native build hold the same files.`,
  );
  return assembled(stages, made);
}

function toolsNote({ filesystem }: Recipe): string {
  const tools = {
    opengfs: 'ptool, passemble, gfsconf and mkfs_gfs wrote the pools, mount -t gfs and cp the files',
    gfs2: 'mkfs.gfs2 wrote the filesystem, mount -t gfs2 and cp the files',
    ext2: 'mke2fs wrote the filesystem, mount -t ext2 and cp the files',
  };
  return tools[filesystem.type];
}

/** Whether anything is made of the finished root. */
function needsTree({ ramdisk, kernel }: Recipe): boolean {
  return ramdisk !== undefined || kernel?.kind === 'base';
}

/** What the recipe names, as the steps take it: fetched, but not decoded. */
function sourceInputs(recipe: Recipe, stages: StageList): Record<string, StageInput> {
  const { base, clusterTools, modules } = recipe;
  const inputs: Record<string, StageInput> = {};
  if (base.kind === 'given') {
    throw recipe.faultAt(
      ['base', 'given'],
      `this recipe begins with something of yours: ${base.what}`,
      'Name it: --set base.image=FILE, or base.tar, or base.directory.',
    );
  }
  if (base.kind === 'mmdebstrap') inputs.base = stages.base(base).input;
  else inputs.base = raw('base', base.source, stages, base.kind === 'directory');
  if (clusterTools !== undefined) {
    const { source, timeLimit } = clusterTools;
    inputs['cluster-tools'] =
      'module' in source
        ? artifact(stages.add(checkoutStage(source, timeLimit)), 'tree')
        : raw('cluster-tools', source, stages);
  }
  if (modules !== undefined && modules.kind !== 'base')
    inputs.modules = raw('modules', modules.source, stages);
  return inputs;
}

function raw(name: string, source: Source, stages: StageList, all = false): StageInput {
  const { location } = source;
  if (isRemote(source)) {
    const title = `Fetch the ${name.replaceAll('-', ' ')}`;
    const stage: Stage = stages.add(fetchStage(`${name}-fetch`, title, source, stages.options.offline));
    return artifact(stage, 'file');
  }
  return isDirectory(source)
    ? { kind: 'directory', path: location, what: all ? 'all' : 'contents' }
    : { kind: 'file', path: location };
}
