import { DEFAULTS } from './defaults.js';
import type { KernelSettings, RamdiskSettings, Recipe, SshSettings } from './recipe.js';
import { isOn } from './scalars.js';
import type { RecipeInput } from './schema.js';
import type { Sources } from './sources.js';

/** What a recipe without faults says of what nodes are started from, with the defaults filled in. */
export function nodesOf(recipe: RecipeInput, sources: Sources): Pick<Recipe, 'ramdisk' | 'kernel' | 'ssh'> {
  const { ramdisk, kernel, ssh } = recipe;
  return {
    ...(ramdisk === undefined ? {} : { ramdisk: ramdiskOf(ramdisk, recipe) }),
    ...(kernel === undefined ? {} : { kernel: kernelOf(kernel, sources) }),
    ...(ssh === undefined ? {} : { ssh: sshOf(ssh, sources) }),
  };
}

function ramdiskOf(
  ramdisk: NonNullable<RecipeInput['ramdisk']>,
  { filesystem }: RecipeInput,
): RamdiskSettings {
  const { kernelVersion } = ramdisk;
  const rootDevice =
    filesystem.type === 'opengfs' ? `/dev/pool/${filesystem.pool ?? ''}` : DEFAULTS.rootDevice;
  const basics = {
    ...(kernelVersion === undefined ? {} : { kernelVersion }),
    modules: ramdisk.modules ?? [],
    interface: ramdisk.interface ?? DEFAULTS.interface,
    rootDevice: ramdisk.rootDevice ?? rootDevice,
    at: ['ramdisk'],
  };
  const format = ramdisk.format ?? DEFAULTS.ramdiskFormat[filesystem.type];
  if (format === 'cpio') return { format, ...basics, ownPaths: ramdisk.ownPaths ?? [] };
  return {
    format,
    ...basics,
    lockServer: isOn(ramdisk.lockServer ?? false),
    ...(ramdisk.mkinitrd === undefined ? {} : { mkinitrd: ramdisk.mkinitrd }),
    init: ramdisk.init ?? DEFAULTS.init,
    memexpdArguments: ramdisk.memexpdArguments ?? [],
  };
}

function kernelOf(kernel: NonNullable<RecipeInput['kernel']>, sources: Sources): KernelSettings {
  const { image, path } = kernel;
  if (image !== undefined) return { kind: 'file', source: sources.at(['kernel', 'image'], image, kernel) };
  return { kind: 'base', path: path ?? '/' };
}

function sshOf({ seed, hostKey, userKey }: NonNullable<RecipeInput['ssh']>, sources: Sources): SshSettings {
  if (hostKey === undefined || userKey === undefined)
    return { kind: 'seed', ...(seed === undefined ? {} : { seed }) };
  return {
    kind: 'keys',
    hostKey: sources.at(['ssh', 'hostKey'], hostKey, {}),
    userKey: sources.at(['ssh', 'userKey'], userKey, {}),
  };
}
