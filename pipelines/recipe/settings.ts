import { resolve } from 'node:path';
import { DEFAULTS } from './defaults.js';
import { addressOf, parseNetwork } from './network.js';
import { nodesOf } from './node-settings.js';
import type {
  Base,
  ClusterSettings,
  ClusterToolsSettings,
  ConfigureSettings,
  CvsSource,
  Distribution,
  Ext2Settings,
  FileSettings,
  FilesystemSettings,
  ModulesSettings,
  PoolSettings,
  Recipe,
  RecipePath,
  Source,
} from './recipe.js';
import type { MapNode } from './recipe-node.js';
import { isOn, parseDuration, parseSize } from './scalars.js';
import { type RecipeInput, recipeSchema } from './schema.js';
import { Sources } from './sources.js';
import { testsOf } from './test-settings.js';

/** All of a recipe but what depends on where it was read from. */
export type Settings = Omit<Recipe, 'files' | 'faultAt'>;

/**
 * What a recipe without faults says, with the defaults filled in. `root` tells the folder that each path refers to.
 * An `epoch` given goes before the recipe's.
 */
export function settingsOf(input: unknown, root: MapNode, epoch: number | undefined): Settings {
  const recipe = recipeSchema.parse(input);
  const sources = new Sources(root);
  const lockTable = recipe.lockTable;
  return {
    name: recipe.name,
    summary: recipe.summary ?? '',
    distribution: recipe.distribution,
    epoch: epoch ?? recipe.epoch ?? 0,
    base: baseOf(recipe.base, sources),
    cluster: clusterOf(recipe.cluster),
    pools: (recipe.pools ?? []).map(poolOf),
    filesystem: filesystemOf(recipe.filesystem, recipe.cluster.nodes),
    ...(lockTable === undefined
      ? {}
      : { lockTableImage: sources.at(['lockTable', 'image'], lockTable.image, lockTable) }),
    ...(recipe.clusterTools === undefined
      ? {}
      : { clusterTools: clusterToolsOf(recipe.clusterTools, recipe.distribution, sources) }),
    ...(recipe.modules === undefined ? {} : { modules: modulesOf(recipe.modules, sources) }),
    ...nodesOf(recipe, sources),
    configure: configureOf(recipe.configure ?? {}, recipe.distribution, sources),
    tests: testsOf(recipe.tests ?? []),
  };
}

function baseOf(base: RecipeInput['base'], sources: Sources): Base {
  if (base.given !== undefined) return { kind: 'given', what: base.given };
  if (base.mmdebstrap !== undefined) {
    const { suite, variant, include, exclude, components, mirror } = base.mmdebstrap;
    return {
      kind: 'mmdebstrap',
      mmdebstrap: {
        suite,
        variant: variant ?? DEFAULTS.debianVariant,
        include: include ?? [],
        exclude: exclude ?? [],
        components: components ?? DEFAULTS.debianComponents,
        mirror: mirror ?? DEFAULTS.debianMirror,
      },
    };
  }
  for (const kind of ['image', 'tar', 'directory'] as const) {
    const location = base[kind];
    if (location !== undefined) return { kind, source: sources.at(['base', kind], location, base) };
  }
  throw new Error('a recipe without a base passed the check');
}

function clusterOf(cluster: RecipeInput['cluster']): ClusterSettings {
  const { first, prefix } = parseNetwork(cluster.network) ?? { first: 0, prefix: 24 };
  return {
    nodes: cluster.nodes,
    addresses: Array.from({ length: cluster.nodes }, (_, index) => addressOf(first + index + 1)),
    prefix,
    ...(cluster.lockServer === undefined ? {} : { lockServer: cluster.lockServer }),
    callbackPort: cluster.callbackPort ?? DEFAULTS.callbackPort,
    timeout: cluster.timeout ?? DEFAULTS.timeout,
    stomith: cluster.stomith ?? DEFAULTS.stomith,
    token: cluster.token ?? DEFAULTS.token,
  };
}

function poolOf({
  name,
  image,
  size,
  type,
  device,
}: NonNullable<RecipeInput['pools']>[number]): PoolSettings {
  return { name, image, size: bytesOf(size), type: type ?? DEFAULTS.poolType, device };
}

function filesystemOf(filesystem: RecipeInput['filesystem'], nodes: number): FilesystemSettings {
  const { type, pool, lockTable = '', image = DEFAULTS.image } = filesystem;
  const size = bytesOf(filesystem.size ?? 0);
  const blockSize = filesystem.blockSize ?? DEFAULTS.blockSize;
  if (type === 'ext2') return { type, image, size, blockSize: blockSize as Ext2Settings['blockSize'] };
  const basics = {
    lockProtocol: filesystem.lockProtocol ?? DEFAULTS.lockProtocol[type],
    lockTable,
    journals: filesystem.journals ?? nodes,
    journalSize: bytesOf(filesystem.journalSize ?? DEFAULTS.journalSize),
    blockSize,
  };
  return type === 'opengfs' ? { type, pool: pool ?? '', ...basics } : { type, image, size, ...basics };
}

function clusterToolsOf(
  tools: NonNullable<RecipeInput['clusterTools']>,
  distribution: Distribution,
  sources: Sources,
): ClusterToolsSettings {
  return {
    source: toolsSourceOf(tools, sources),
    rule: tools.rule ?? `install_ssi_${distribution}`,
    timeLimit: parseDuration(tools.timeLimit ?? DEFAULTS.timeLimit) ?? 0,
    needs: tools.needs ?? [],
    ...(tools.installed === undefined
      ? {}
      : { installed: sources.at(['clusterTools', 'installed'], tools.installed, {}) }),
  };
}

function toolsSourceOf(
  tools: NonNullable<RecipeInput['clusterTools']>,
  sources: Sources,
): Source | CvsSource {
  const at = ['clusterTools', 'source'];
  const { source } = tools;
  if (typeof source === 'string') return sources.at(at, source, tools);
  const { url, path, cvs } = source;
  if (url !== undefined) return sources.at([...at, 'url'], url, source);
  if (path !== undefined) return sources.at([...at, 'path'], path, source);
  if (cvs === undefined) throw new Error('cluster tools without a source passed the check');
  const { root, module, date, tag } = cvs;
  const isRelative = root.startsWith('./') || root.startsWith('../');
  return {
    root: isRelative ? resolve(sources.directoryOf([...at, 'cvs', 'root']), root) : root,
    module,
    ...(date === undefined ? {} : { date }),
    ...(tag === undefined ? {} : { tag }),
    at: [...at, 'cvs'],
  };
}

function modulesOf(modules: NonNullable<RecipeInput['modules']>, sources: Sources): ModulesSettings {
  const { tar, directory, image, path } = modules;
  if (tar !== undefined) return { kind: 'tree', source: sources.at(['modules', 'tar'], tar, modules) };
  if (directory !== undefined) {
    return { kind: 'tree', source: sources.at(['modules', 'directory'], directory, modules) };
  }
  const folder = path ?? DEFAULTS.modulesPath;
  if (image === undefined) return { kind: 'base', path: folder };
  return { kind: 'image', source: sources.at(['modules', 'image'], image, modules), path: folder };
}

type ConfigureInput = NonNullable<RecipeInput['configure']>;

function configureOf(
  configure: ConfigureInput,
  distribution: Distribution,
  sources: Sources,
): ConfigureSettings {
  const { ubd, inittab, rcDirectory, removeServices = [], remove = [], files = [], network } = configure;
  return {
    ...(ubd === undefined
      ? {}
      : {
          ubd: {
            devices: ubd.devices ?? DEFAULTS.ubdDevices,
            minorStep: ubd.minorStep ?? DEFAULTS.ubdMinorStep,
          },
        }),
    ...(inittab === undefined
      ? {}
      : {
          inittab: {
            source: inittab.source ?? DEFAULTS.inittabSource,
            dhcpd: isOn(inittab.dhcpd ?? false),
            getty: inittab.getty ?? DEFAULTS.getty,
          },
        }),
    rcDirectory: rcDirectory ?? (distribution === 'debian' ? '/etc' : '/etc/rc.d'),
    removeServices,
    remove,
    files: files.map((file, index) => fileOf(file, ['configure', 'files', index], sources)),
    network: { patch: isOn(network?.patch ?? false), hosts: isOn(network?.hosts ?? false) },
  };
}

function fileOf(
  file: NonNullable<ConfigureInput['files']>[number],
  at: RecipePath,
  sources: Sources,
): FileSettings {
  const { from, content = '', mode, uid = 0, gid = 0 } = file;
  return {
    to: file.to ?? file.path ?? '/',
    ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
    uid,
    gid,
    at,
    ...(from === undefined ? { content } : { source: sources.at([...at, 'from'], from, file) }),
  };
}

function bytesOf(size: string | number): number {
  const bytes = parseSize(size);
  if (bytes === undefined) throw new Error('a size that is none passed the check');
  return bytes;
}
