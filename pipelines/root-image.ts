import { statSync } from 'node:fs';
import { FileSource } from '../images/bytes/byte-source.js';
import { compressionOf } from './compression.js';
import type { DebianPackage } from './debian-packages.js';
import type { Stage, StageInput } from './engine/stage.js';
import type { Pipeline } from './pipeline.js';
import { findProgram } from './program-folders.js';
import type { Base, CvsSource, Recipe, Source } from './recipe/recipe.js';
import { baseDebootstrapStage } from './stages/base-debootstrap.js';
import { baseLockedStage } from './stages/base-locked.js';
import { baseReleaseStage } from './stages/base-release.js';
import { baseTreeStage } from './stages/base-tree.js';
import { checkStage } from './stages/check.js';
import { CLUSTER_TOOLS_PROGRAMS, clusterToolsStage, installedToolsStage } from './stages/cluster-tools.js';
import { checkoutStage } from './stages/cluster-tools-checkout.js';
import { configureStage } from './stages/configure.js';
import { fetchStage, isRemote } from './stages/fetch.js';
import { ENVELOPE_NOTE, lockTableStage } from './stages/lock-table.js';
import { modulesStage } from './stages/modules.js';
import {
  CLUSTER_FILE_NAME,
  LOCK_TABLE_NAME,
  lockTablePool,
  poolFileName,
  poolsStage,
  rootPool,
} from './stages/pools.js';
import { checkFilesystem, rootImageStage } from './stages/root-image.js';
import { unpackStage } from './stages/unpack.js';

export interface PipelineOptions {
  /** Don't use the network. */
  readonly offline: boolean;
  /** Packages that a Debian base has to come out with. */
  readonly locked?: readonly DebianPackage[];
  /** Whether this host has a program; by default it is looked for. */
  readonly hasProgram?: (name: string) => boolean;
}

/**
 * The stages of *Building a Root Image*, in the order of the HOWTO's section 5. Nothing is read here but the first
 * bytes of local files. Throws a DiagnosticError when the recipe asks for what can't be.
 */
export function rootImagePipeline(recipe: Recipe, options: PipelineOptions): Pipeline {
  checkFilesystem(recipe);
  const { base } = recipe;
  if (base.kind === 'given') {
    throw recipe.faultAt(
      ['base', 'given'],
      `this recipe begins with something of yours: ${base.what}`,
      'Name it: --set base.image=FILE, or base.tar, or base.directory.',
    );
  }
  const stages = new StageList(recipe, options);

  // 5.1 Base root image
  const found = stages.base(base);
  const baseTree = stages.add(baseTreeStage(base, found.input, found.isUnpacked, recipe));

  // 5.2 GFS root image: the configuration files and the lock table; the image itself comes last
  const pools = stages.add(poolsStage(recipe));
  const captured =
    recipe.lockTableImage === undefined ? undefined : stages.source('lock-table', recipe.lockTableImage);
  const lockTable = stages.add(lockTableStage(recipe, captured?.input));

  // 5.3 and 5.4 Cluster tools
  const clusterTools = stages.clusterTools({ kind: 'artifact', stage: baseTree, artifact: 'tree' });

  // 5.5 Kernel modules
  const modules = stages.modules();

  // 5.6 Configuring the root
  const configure = stages.add(
    configureStage(recipe, {
      base: { kind: 'artifact', stage: baseTree, artifact: 'tree' },
      ...(clusterTools === undefined
        ? {}
        : { clusterTools: { kind: 'artifact', stage: clusterTools, artifact: 'overlay' } }),
      ...(modules === undefined ? {} : { modules: { kind: 'artifact', stage: modules, artifact: 'tree' } }),
      modulesFromHost: recipe.modules?.kind === 'tree',
      files: stages.files(),
    }),
  );

  // 5.2 again: dd, ptool, mkfs_gfs, mount and cp in one, since nothing needs to be mounted
  const rootImage = stages.add(
    rootImageStage(recipe, { kind: 'artifact', stage: configure, artifact: 'tree' }),
  );
  const root = rootPool(recipe);
  const cidev = lockTablePool(recipe);
  const check = stages.add(
    checkStage(
      recipe,
      { kind: 'artifact', stage: rootImage, artifact: root.image },
      { kind: 'artifact', stage: lockTable, artifact: 'image' },
    ),
  );

  const files = [...recipe.pools.map(poolFileName), LOCK_TABLE_NAME, CLUSTER_FILE_NAME];
  return {
    recipe: recipe.name,
    summary: recipe.summary,
    epoch: recipe.epoch,
    stages: stages.all,
    outputs: [
      { name: root.image, stage: rootImage, artifact: root.image },
      { name: cidev.image, stage: lockTable, artifact: 'image' },
      ...files.map((name) => ({ name, stage: pools, artifact: name })),
    ],
    checks: [...stages.checks, check],
    notes: captured === undefined ? [ENVELOPE_NOTE] : [],
  };
}

/** Gathers the stages, those first that get what the recipe names. */
class StageList {
  readonly all: Stage[] = [];
  /** Those that judge what others made. */
  readonly checks: Stage[] = [];

  constructor(
    private readonly recipe: Recipe,
    private readonly options: PipelineOptions,
  ) {}

  add(stage: Stage): Stage {
    this.all.push(stage);
    return stage;
  }

  /**
   * What a source gives, after it was fetched and decoded where that is needed. `directory` says what counts of a
   * directory; without it a directory is no good here.
   */
  source(
    name: string,
    source: Source,
    directory?: 'contents' | 'all',
  ): { input: StageInput; isUnpacked: boolean } {
    if (directory !== undefined && isDirectory(source)) {
      return { input: { kind: 'directory', path: source.location, what: directory }, isUnpacked: true };
    }
    const inPlace = isRemote(source) || isCompressed(source) ? {} : { inPlace: true as const };
    let input: StageInput = { kind: 'file', path: source.location, ...inPlace };
    if (isRemote(source)) {
      const stage = this.add(
        fetchStage(`${name}-fetch`, `Fetch the ${titleOf(name)}`, source, this.options.offline),
      );
      input = { kind: 'artifact', stage, artifact: 'file' };
    }
    if (!isCompressed(source)) return { input, isUnpacked: false };
    const stage = this.add(
      unpackStage(`${name}-unpack`, `Unpack the ${titleOf(name)}`, input, source, this.recipe),
    );
    return { input: { kind: 'artifact', stage, artifact: 'file' }, isUnpacked: true };
  }

  base(base: Exclude<Base, { kind: 'given' }>): { input: StageInput; isUnpacked: boolean } {
    if (base.kind !== 'mmdebstrap')
      return this.source('base', base.source, base.kind === 'directory' ? 'all' : undefined);
    const { offline, locked } = this.options;
    const release = this.add(baseReleaseStage(base.mmdebstrap, offline));
    const input: StageInput = { kind: 'artifact', stage: release, artifact: 'release' };
    const stage = this.add(baseDebootstrapStage(base.mmdebstrap, input, this.recipe.epoch));
    const made: StageInput = { kind: 'artifact', stage, artifact: 'file' };
    if (locked !== undefined) this.checks.push(this.add(baseLockedStage(made, locked)));
    return { input: made, isUnpacked: true };
  }

  clusterTools(base: StageInput): Stage | undefined {
    const { recipe } = this;
    const settings = recipe.clusterTools;
    if (settings === undefined) return undefined;
    const { hasProgram = (name: string) => findProgram(name) !== undefined } = this.options;
    if (settings.installed !== undefined && !CLUSTER_TOOLS_PROGRAMS.every(hasProgram))
      return this.add(installedToolsStage(this.source('cluster-tools-installed', settings.installed).input));
    if (isCvs(settings.source)) {
      const stage = this.add(checkoutStage(settings.source, settings.timeLimit));
      const input: StageInput = { kind: 'artifact', stage, artifact: 'tree' };
      return this.add(clusterToolsStage(recipe, settings, base, input, undefined));
    }
    const { input, isUnpacked } = this.source('cluster-tools', settings.source, 'contents');
    const pinned = isUnpacked ? undefined : settings.source;
    return this.add(clusterToolsStage(recipe, settings, base, input, pinned));
  }

  modules(): Stage | undefined {
    const { modules } = this.recipe;
    if (modules === undefined || modules.kind === 'base') return undefined;
    const { input, isUnpacked } = this.source('modules', modules.source, 'contents');
    return this.add(modulesStage(modules, input, isUnpacked, this.recipe));
  }

  /** Inputs of the recipe's files, by location. */
  files(): Map<string, StageInput> {
    const inputs = new Map<string, StageInput>();
    for (const [index, file] of this.recipe.configure.files.entries()) {
      if (!('source' in file)) continue;
      const { source } = file;
      if (isDirectory(source)) {
        inputs.set(source.location, { kind: 'directory', path: source.location, what: 'contents' });
      } else if (isRemote(source)) {
        const stage = this.add(
          fetchStage(`file-${index + 1}-fetch`, `Fetch ${file.to}`, source, this.options.offline),
        );
        inputs.set(source.location, { kind: 'artifact', stage, artifact: 'file' });
      } else {
        inputs.set(source.location, { kind: 'file', path: source.location, mode: true, inPlace: true });
      }
    }
    return inputs;
  }
}

function titleOf(name: string): string {
  return name.replaceAll('-', ' ');
}

function isCvs(source: Source | CvsSource): source is CvsSource {
  return 'module' in source;
}

function isDirectory(source: Source): boolean {
  return !isRemote(source) && statSync(source.location, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Whether a source is compressed: a local file says so itself, of others only the name is known yet. */
function isCompressed(source: Source): boolean {
  if (isRemote(source)) return /\.(bz2|tbz2?|gz|tgz|xz|txz|zst|tzst)([?#].*)?$/i.test(source.location);
  const file = new FileSource(source.location);
  try {
    return compressionOf(file) !== undefined;
  } finally {
    file.close();
  }
}
