import { statSync } from 'node:fs';
import type { Tree } from '../../images/tree/tree.js';
import type { JsonValue } from '../cache/canonical-json.js';
import type { Stage, StageContext, StageInput } from '../engine/stage.js';
import { cpioRamdiskTree, type Ramdisk } from '../ramdisk/cpio-ramdisk.js';
import { type Ext2RamdiskSettings, lockServerRamdiskTree, nodeRamdiskTree } from '../ramdisk/ext2-ramdisk.js';
import { findModulesFolder } from '../ramdisk/modules-folder.js';
import { ramdiskSizeArgument, writeCpioRamdisk, writeExt2Ramdisk } from '../ramdisk/write-ramdisk.js';
import { DEFAULTS } from '../recipe/defaults.js';
import type { RamdiskSettings, Recipe } from '../recipe/recipe.js';
import { atRecipe } from './at-recipe.js';
import { warnOfNotKept } from './losses.js';

/** Names of the outputs (HOWTO 4.8). */
export const RAMDISK_NAME = 'initrd.img';
export const LOCK_SERVER_RAMDISK_NAME = 'initrd-memexp.img';

/** The ramdisk that a node starts from, made of what the configured root holds. */
export function ramdiskStage(recipe: Recipe, settings: RamdiskSettings, tree: StageInput): Stage {
  return stageFor('ramdisk', RAMDISK_NAME, recipe, settings, tree, (root, context) =>
    settings.format === 'cpio'
      ? cpioRamdiskTree(root, {
          ...commonSettings(recipe, settings, root, context),
          lockTable: lockTableOf(recipe),
          token: recipe.cluster.token,
          ownPaths: settings.ownPaths,
        })
      : nodeRamdiskTree(root, ext2Settings(recipe, settings, root, context)),
  );
}

/** The ramdisk of the lock server, which is no node (HOWTO 4.8: initrd-memexp.img). */
export function lockServerRamdiskStage(
  recipe: Recipe,
  settings: RamdiskSettings & { format: 'ext2' },
  tree: StageInput,
): Stage {
  return stageFor('lock-server-ramdisk', LOCK_SERVER_RAMDISK_NAME, recipe, settings, tree, (root, context) =>
    lockServerRamdiskTree(root, ext2Settings(recipe, settings, root, context)),
  );
}

function stageFor(
  name: string,
  artifact: string,
  recipe: Recipe,
  settings: RamdiskSettings,
  tree: StageInput,
  make: (root: Tree, context: StageContext) => Promise<Ramdisk>,
): Stage {
  const { at: _at, ...parameters } = settings;
  const { cluster, epoch, configure } = recipe;
  return {
    name,
    title: `Make ${artifact}`,
    module: import.meta.url,
    parameters: {
      epoch,
      ramdisk: parameters,
      cluster: { ...cluster },
      lockTable: lockTableOf(recipe),
      ubd: configure.ubd ?? null,
      // Another version of it may compress otherwise.
      zlib: process.versions.zlib,
    } as unknown as JsonValue,
    inputs: { tree },
    tools: [],
    artifacts: [artifact],
    keeping: 'stored',
    run: async (context) => {
      try {
        const { tree: made, report, warnings = [] } = await make(await context.inputTree('tree'), context);
        const path = context.outputPath(artifact);
        const { pace, signal } = context;
        const write = settings.format === 'cpio' ? writeCpioRamdisk : writeExt2Ramdisk;
        const { unpackedBytes, notKept } = await write(path, made, { epoch, pace, signal, name: artifact });
        warnOfNotKept(notKept, context);
        for (const { message, hint } of warnings) context.warning(message, hint);
        const kernelArgument = settings.format === 'ext2' ? ramdiskSizeArgument(unpackedBytes) : undefined;
        return {
          artifacts: { [artifact]: { kind: 'file', path } },
          facts: {
            ...report,
            bytes: statSync(path).size,
            unpackedBytes,
            ...(kernelArgument === undefined ? {} : { kernelArgument }),
          } as unknown as JsonValue,
        };
      } catch (error) {
        throw atRecipe(error, recipe, settings.at);
      }
    },
  };
}

/** A root that one node has for itself is started without a ramdisk. */
function lockTableOf({ filesystem }: Recipe): string {
  if (filesystem.type === 'ext2') throw new RangeError('a ramdisk for a root without a lock table');
  return filesystem.lockTable;
}

function commonSettings(
  { cluster, epoch }: Recipe,
  { kernelVersion, modules, interface: name, rootDevice }: RamdiskSettings,
  root: Tree,
  context: StageContext,
) {
  return {
    epoch,
    addresses: cluster.addresses,
    prefix: cluster.prefix,
    interface: name,
    modulesFolder: findModulesFolder(root, kernelVersion),
    modules,
    rootDevice,
    scratch: context.work,
    signal: context.signal,
  };
}

function ext2Settings(
  recipe: Recipe,
  settings: RamdiskSettings & { format: 'ext2' },
  root: Tree,
  context: StageContext,
): Ext2RamdiskSettings {
  const { lockServer = '' } = recipe.cluster;
  return {
    ...commonSettings(recipe, settings, root, context),
    lockServer,
    ubd: recipe.configure.ubd ?? { devices: DEFAULTS.ubdDevices, minorStep: DEFAULTS.ubdMinorStep },
    init: settings.init,
    memexpdArguments: settings.memexpdArguments,
  };
}
