import type { Stage, StageInput } from './engine/stage.js';
import type { Pipeline, PipelineOutput } from './pipeline.js';
import {
  type Ext2Recipe,
  type Gfs2Recipe,
  isExt2Recipe,
  isGfs2Recipe,
  isOpenGfsRecipe,
  type OpenGfsRecipe,
  type RamdiskSettings,
  type Recipe,
} from './recipe/recipe.js';
import { type PipelineOptions, StageList } from './stage-list.js';
import { baseTreeStage } from './stages/base-tree.js';
import { checkStage, gfs2CheckStage } from './stages/check.js';
import { configureStage } from './stages/configure.js';
import { ext2CheckStage } from './stages/ext2-check.js';
import { ext2ImageStage } from './stages/ext2-image.js';
import { gfs2ImageStage } from './stages/gfs2-image.js';
import { KERNEL_NAME, kernelStage } from './stages/kernel.js';
import { ENVELOPE_NOTE, lockTableStage } from './stages/lock-table.js';
import { LOCK_TABLE_NAME, lockTablePool, poolFileName, poolsStage, rootPool } from './stages/pools.js';
import {
  LOCK_SERVER_RAMDISK_NAME,
  lockServerRamdiskStage,
  RAMDISK_NAME,
  ramdiskStage,
} from './stages/ramdisk.js';
import { checkFilesystem, rootImageStage } from './stages/root-image.js';
import { START_FILE_NAME, startFileStage } from './stages/start-file.js';

/** What is made, beside the stages that make it. */
export interface Made {
  readonly outputs: PipelineOutput[];
  readonly checks: Stage[];
  readonly notes: string[];
}

/**
 * The stages of a recipe, in the order of the HOWTO's section 5, and then what nodes start from (4.8). Nothing is read
 * here but the first bytes of local files. Throws a DiagnosticError when the recipe asks for what can't be.
 */
export function recipePipeline(recipe: Recipe, options: PipelineOptions): Pipeline {
  if (isOpenGfsRecipe(recipe)) checkFilesystem(recipe);
  const stages = new StageList(recipe, options);
  const made: Made = { outputs: [], checks: [], notes: [] };
  const base = baseTree(stages);
  const image = isOpenGfsRecipe(recipe)
    ? openGfsImages(recipe, base, stages, made)
    : isGfs2Recipe(recipe)
      ? gfs2Image(recipe, base, stages, made)
      : isExt2Recipe(recipe)
        ? ext2Image(recipe, base, stages, made)
        : undefined;
  if (image === undefined) throw new RangeError('a filesystem of a type that is not known');
  nodeFiles(image, base, stages, made);
  return assembled(stages, made);
}

/** The pipeline of stages that are all there, and what they make. */
export function assembled({ recipe, all, checks }: StageList, made: Made): Pipeline {
  const { name, summary, epoch } = recipe;
  return {
    recipe: name,
    summary,
    epoch,
    stages: all,
    outputs: made.outputs,
    checks: [...checks, ...made.checks],
    notes: made.notes,
  };
}

/** What another stage makes, as an input. */
export function artifact(stage: Stage, name: string): StageInput {
  return { kind: 'artifact', stage, artifact: name };
}

/** 5.1 Base root image */
function baseTree(stages: StageList): Stage {
  const { base } = stages.recipe;
  if (base.kind === 'given') {
    throw stages.recipe.faultAt(
      ['base', 'given'],
      `this recipe begins with something of yours: ${base.what}`,
      'Name it: --set base.image=FILE, or base.tar, or base.directory.',
    );
  }
  const found = stages.base(base);
  return stages.add(baseTreeStage(base, found.input, found.isUnpacked, stages.recipe));
}

/** 5.3 to 5.6: cluster tools, kernel modules, configuration. */
function configuredRoot(base: Stage, stages: StageList): Stage {
  const { recipe } = stages;
  const clusterTools = stages.clusterTools(artifact(base, 'tree'));
  const modules = stages.modules();
  const identity = stages.sshIdentity();
  return stages.add(
    configureStage(recipe, {
      base: artifact(base, 'tree'),
      ...(clusterTools === undefined ? {} : { clusterTools: artifact(clusterTools, 'overlay') }),
      ...(modules === undefined ? {} : { modules: artifact(modules, 'tree') }),
      ...(identity === undefined ? {} : { sshIdentity: artifact(identity, 'tree') }),
      modulesFromHost: recipe.modules?.kind === 'tree',
      files: stages.files(),
    }),
  );
}

/** A root's image, and what it was filled with. */
export interface RootImage {
  readonly configured: Stage;
  readonly root: string;
  readonly cidev?: string;
  /** The node's ramdisk, where it was made with the root. */
  readonly ramdisk?: Pick<PipelineOutput, 'stage' | 'artifact'>;
}

/** 5.2, in a pool with a lock table of its own. */
function openGfsImages(recipe: OpenGfsRecipe, base: Stage, stages: StageList, made: Made): RootImage {
  // The configuration files and the lock table; the image itself comes last, where nothing needs to be mounted.
  const pools = stages.add(poolsStage(recipe));
  const captured =
    recipe.lockTableImage === undefined ? undefined : stages.source('lock-table', recipe.lockTableImage);
  const lockTable = stages.add(lockTableStage(recipe, captured?.input));
  const configured = configuredRoot(base, stages);
  const rootImage = stages.add(rootImageStage(recipe, artifact(configured, 'tree')));
  const root = rootPool(recipe).image;
  const cidev = lockTablePool(recipe).image;
  made.checks.push(stages.add(checkStage(recipe, artifact(rootImage, root), artifact(lockTable, 'image'))));
  made.outputs.push(
    { name: root, stage: rootImage, artifact: root },
    { name: cidev, stage: lockTable, artifact: 'image' },
    ...[...recipe.pools.map(poolFileName), LOCK_TABLE_NAME].map((name) => ({
      name,
      stage: pools,
      artifact: name,
    })),
  );
  if (captured === undefined) made.notes.push(ENVELOPE_NOTE);
  return { configured, root, cidev };
}

/** The same for a kernel of today: a bare device, and locks that need no table on a disk. */
function gfs2Image(recipe: Gfs2Recipe, base: Stage, stages: StageList, made: Made): RootImage {
  const configured = configuredRoot(base, stages);
  const rootImage = stages.add(gfs2ImageStage(recipe, artifact(configured, 'tree')));
  const { image } = recipe.filesystem;
  made.checks.push(stages.add(gfs2CheckStage(recipe, artifact(rootImage, image))));
  made.outputs.push({ name: image, stage: rootImage, artifact: image });
  return { configured, root: image };
}

/** The plain case: a root that one node has for itself. */
function ext2Image(recipe: Ext2Recipe, base: Stage, stages: StageList, made: Made): RootImage {
  const configured = configuredRoot(base, stages);
  const rootImage = stages.add(ext2ImageStage(recipe, artifact(configured, 'tree')));
  const { image } = recipe.filesystem;
  const tree = artifact(configured, 'tree');
  made.checks.push(stages.add(ext2CheckStage(recipe, artifact(rootImage, image), tree)));
  made.outputs.push({ name: image, stage: rootImage, artifact: image });
  return { configured, root: image };
}

/** 4.8 and 2.4: the ramdisks, the kernel, and the file that names all of them. */
export function nodeFiles(
  { configured, root, cidev, ramdisk: madeRamdisk }: RootImage,
  base: Stage,
  stages: StageList,
  made: Made,
): void {
  const { recipe } = stages;
  const tree = artifact(configured, 'tree');
  const { ramdisk, kernel } = recipe;
  const add = (stage: Stage, name: string, executable?: true): string => {
    made.outputs.push({
      name,
      stage: stages.add(stage),
      artifact: name,
      ...(executable === undefined ? {} : { executable }),
    });
    return name;
  };
  const nodeRamdisk = (settings: RamdiskSettings): string => {
    if (madeRamdisk === undefined) return add(ramdiskStage(recipe, settings, tree), RAMDISK_NAME);
    made.outputs.push({ name: RAMDISK_NAME, ...madeRamdisk });
    return RAMDISK_NAME;
  };
  const parts = {
    root,
    ...(cidev === undefined ? {} : { cidev }),
    ...(ramdisk === undefined ? {} : { ramdisk: nodeRamdisk(ramdisk) }),
    ...(ramdisk?.format === 'ext2' && ramdisk.lockServer
      ? {
          lockServerRamdisk: add(lockServerRamdiskStage(recipe, ramdisk, tree), LOCK_SERVER_RAMDISK_NAME),
        }
      : {}),
    ...(kernel === undefined
      ? {}
      : {
          kernel: add(
            kernelStage(
              recipe,
              kernel,
              kernel.kind === 'base' ? artifact(base, 'tree') : stages.source('kernel', kernel.source).input,
            ),
            KERNEL_NAME,
            true,
          ),
        }),
  };
  add(startFileStage(parts), START_FILE_NAME);
}
