import { statSync } from 'node:fs';
import { FileSource } from '../images/bytes/byte-source.js';
import { type Compression, compressionOf } from './compression.js';
import type { DebianPackage } from './debian-packages.js';
import type { Stage, StageInput } from './engine/stage.js';
import { ownSeed } from './own-seed.js';
import { findProgram } from './program-folders.js';
import type { Base, CvsSource, Recipe, Source } from './recipe/recipe.js';
import { baseDebootstrapStage } from './stages/base-debootstrap.js';
import { baseLockedStage } from './stages/base-locked.js';
import { baseReleaseStage } from './stages/base-release.js';
import { CLUSTER_TOOLS_PROGRAMS, clusterToolsStage, installedToolsStage } from './stages/cluster-tools.js';
import { checkoutStage } from './stages/cluster-tools-checkout.js';
import { fetchStage, isRemote } from './stages/fetch.js';
import { modulesStage } from './stages/modules.js';
import { derivedIdentityStage, givenIdentityStage } from './stages/ssh-identity.js';
import { unpackStage } from './stages/unpack.js';

export interface PipelineOptions {
  /** Don't use the network. */
  readonly offline: boolean;
  /** Packages that a Debian base has to come out with. */
  readonly locked?: readonly DebianPackage[];
  /** Whether this host has a program; by default it is looked for. */
  readonly hasProgram?: (name: string) => boolean;
  /** Gives the secret of the user who builds, from which keys are derived; it is asked for once it is needed. */
  readonly ownSeed?: () => string;
}

/** Gathers the stages, those first that get what the recipe names. */
export class StageList {
  readonly all: Stage[] = [];
  /** Those that judge what others made. */
  readonly checks: Stage[] = [];

  constructor(
    readonly recipe: Recipe,
    readonly options: PipelineOptions,
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
    const compression = compressionAt(source);
    const inPlace = isRemote(source) || compression !== undefined ? {} : { inPlace: true as const };
    let input: StageInput = { kind: 'file', path: source.location, ...inPlace };
    if (isRemote(source)) {
      const stage = this.add(
        fetchStage(`${name}-fetch`, `Fetch the ${titleOf(name)}`, source, this.options.offline),
      );
      input = { kind: 'artifact', stage, artifact: 'file' };
    }
    if (compression === undefined) return { input, isUnpacked: false };
    const title = `Unpack the ${titleOf(name)}`;
    const stage = this.add(unpackStage(`${name}-unpack`, title, input, source, compression, this.recipe));
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

  /** The keys with which nodes reach each other. */
  sshIdentity(): Stage | undefined {
    const { ssh, cluster } = this.recipe;
    if (ssh === undefined) return undefined;
    if (ssh.kind === 'keys') {
      const key = ({ location }: Source) => ({
        input: { kind: 'file', path: location } as const,
        file: location,
      });
      return this.add(givenIdentityStage(cluster, key(ssh.hostKey), key(ssh.userKey)));
    }
    return this.add(derivedIdentityStage(cluster, ssh.seed ?? (this.options.ownSeed ?? ownSeed)()));
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

/** Whether a source is a directory of this host. */
export function isDirectory(source: Source): boolean {
  return !isRemote(source) && statSync(source.location, { throwIfNoEntry: false })?.isDirectory() === true;
}

const ENDINGS: readonly (readonly [RegExp, Compression])[] = [
  [/\.(bz2|tbz2?)([?#].*)?$/i, 'bzip2'],
  [/\.(gz|tgz)([?#].*)?$/i, 'gzip'],
  [/\.(xz|txz)([?#].*)?$/i, 'xz'],
  [/\.(zst|tzst)([?#].*)?$/i, 'zstd'],
];

/** How a source is compressed, if it is: a local file says so itself, of others only the name is known yet. */
function compressionAt(source: Source): Compression | undefined {
  if (isRemote(source)) return ENDINGS.find(([ending]) => ending.test(source.location))?.[1];
  const file = new FileSource(source.location);
  try {
    return compressionOf(file);
  } finally {
    file.close();
  }
}
