import { type ByteString, textFromByteString } from '../../images/bytes/byte-string.js';
import { readContent } from '../../images/tree/content.js';
import type { Tree } from '../../images/tree/tree.js';
import { linkApplets, missingApplets } from './busybox.js';
import {
  type ClusterMembership,
  checkMembership,
  corosyncConf,
  dlmConf,
  FENCE_AGENT,
} from './cluster-configuration.js';
import { promptRecovery } from './dlm-recovery.js';
import { yieldingLogDaemon } from './gfs2-log-daemon.js';
import { type KernelModule, type ResolvedModules, resolveModules } from './kernel-modules.js';
import { type MissingPart, missingFile, missingModule, throwIfMissing } from './missing-parts.js';
import {
  DAEMON_APPLETS,
  fenceAgent,
  GATES,
  INIT_SETTINGS,
  lastInit,
  leaveScript,
  nodeInit,
  PAUSE,
  RAMDISK_APPLETS,
  watchScript,
} from './node-init.js';
import {
  checkNetwork,
  checkScriptPath,
  hostsFile,
  type NodeNetwork,
  netmaskOf,
  nodesFile,
  shellVariables,
} from './node-network.js';
import { RamdiskTree } from './ramdisk-tree.js';
import { type ProgramFiles, programFiles } from './shared-libraries.js';
import { uncompressedModule } from './uncompressed-module.js';

export interface CpioRamdiskSettings extends ClusterMembership, NodeNetwork {
  /** Time of what is made: seconds since 1970. */
  readonly epoch: number;
  /** Folder of the kernel's modules in the root (`findModulesFolder`). */
  readonly modulesFolder: string;
  /** Further modules to load, before those of the cluster. */
  readonly modules: readonly string[];
  /** Device of the shared root where the kernel's command line names none, such as `/dev/ubda`. */
  readonly rootDevice: string;
  /** Absolute paths of the root that each node has for itself, such as `/var/log`. */
  readonly ownPaths: readonly string[];
  /** Folder for temporary files; by default the system's. */
  readonly scratch?: string;
  readonly signal?: AbortSignal;
}

/** What went into a ramdisk, for the log and the manifest. */
export interface RamdiskReport {
  /** Modules in the order they are loaded: their paths in the root. */
  readonly modules: readonly string[];
  /** Modules that the kernel has in itself. */
  readonly builtIn: readonly string[];
  /** Modules of which modules.dep does not say what they need. */
  readonly unlisted: readonly string[];
  /** Programs with their paths in the root. */
  readonly programs: readonly string[];
  /** Modules that are not as they are in the root (`yieldingLogDaemon`, `promptRecovery`). */
  readonly changed?: readonly string[];
}

export interface Ramdisk {
  readonly tree: Tree;
  readonly report: RamdiskReport;
  /** What may go wrong with it. */
  readonly warnings?: readonly RamdiskWarning[];
}

export interface RamdiskWarning {
  readonly message: string;
  readonly hint: string;
}

/** configfs is where dlm_controld tells the kernel of the nodes; gfs2 asks dlm for its locks. */
export const CLUSTER_MODULES: readonly string[] = ['configfs', 'dlm', 'gfs2'];

/** What runs on each node beside the kernel. */
const DAEMONS = [
  'corosync',
  'corosync-quorumtool',
  'corosync-cfgtool',
  'dlm_controld',
  'dlm_tool',
  'busybox',
];
const BUSYBOX = 'busybox';

/**
 * The ramdisk of Linux 2.6 and later, to be written as cpio: `/init`, busybox, kernel modules, and in `/cluster` the
 * daemons of the cluster with their libraries, all out of the root that is to be booted. Contents stay where they are.
 *
 * Throws a DiagnosticError with everything that the root lacks, and the Debian packages that bring it.
 */
export async function cpioRamdiskTree(root: Tree, settings: CpioRamdiskSettings): Promise<Ramdisk> {
  checkSettings(settings);
  const modules = resolveModules(root, settings.modulesFolder, [...settings.modules, ...CLUSTER_MODULES]);
  const shell = programFiles(root, [BUSYBOX]);
  const daemons = programFiles(root, DAEMONS);
  throwIfMissing(
    'the ramdisk',
    missingParts(settings.modulesFolder, modules, daemons),
    'Add it to the base.',
  );
  const tree = new RamdiskTree(settings.epoch);
  addOwnFiles(tree, shell, settings);
  const { changed, warnings } = await addModules(tree, modules.modules, settings);
  tree.put('/cluster', daemonsTree(daemons, settings).root);
  tree.file(INIT_SETTINGS, initSettings(daemons, settings));
  return { tree: tree.build(), report: { ...reportOf(modules, daemons), changed }, warnings };
}

const LOG_DAEMON_MAY_HANG: RamdiskWarning = {
  message:
    'this kernel may hang when a file of more than two fifths of a journal is removed: its gfs2 never lets others run, and is not the one of Debian 12, which would be helped',
  hint: 'Larger journals make it less likely (filesystem.journalSize).',
};

export function reportOf(modules: ResolvedModules, programs: ProgramFiles): RamdiskReport {
  return {
    modules: modules.modules.map(({ path }) => textFromByteString(path)),
    builtIn: modules.builtIn,
    unlisted: modules.unlisted,
    programs: [...programs.programs.values()].map(({ path }) => textFromByteString(path)),
  };
}

function missingParts(folder: string, modules: ResolvedModules, daemons: ProgramFiles): MissingPart[] {
  const debian = folder.includes('/uml/') ? 'user-mode-linux' : undefined;
  const busybox = daemons.programs.get(BUSYBOX);
  const applets = [...new Set([...RAMDISK_APPLETS, ...DAEMON_APPLETS])];
  return [
    ...modules.missing.map((missing) => missingModule(missing, debian)),
    ...daemons.missing.map(missingFile),
    ...(busybox === undefined ? [] : missingApplets(busybox, applets)),
  ];
}

/** It is there: what is missing was looked at before. */
function busyboxOf({ programs }: ProgramFiles): ByteString {
  return programs.get(BUSYBOX)?.path ?? '/bin/busybox';
}

function addOwnFiles(tree: RamdiskTree, shell: ProgramFiles, settings: CpioRamdiskSettings): void {
  tree.entries(shell.entries);
  linkApplets(tree, busyboxOf(shell), RAMDISK_APPLETS);
  for (const folder of ['/dev', '/etc', '/proc', '/root', '/run', '/sys']) tree.directory(folder);
  // Before /dev is mounted: the console that Linux opens for /init.
  tree.device('/dev/console', 'character', 5, 1);
  tree.device('/dev/null', 'character', 1, 3, 0o666);
  tree.fifo(PAUSE);
  tree.file('/init', nodeInit(), 0o755);
  tree.file('/etc/nodes', nodesFile(settings.addresses));
  tree.file('/etc/own-paths', settings.ownPaths.map((path) => `${path}\n`).join(''));
}

/** Returns the paths of those that are not as they are in the root, and what may go wrong with them. */
async function addModules(
  tree: RamdiskTree,
  modules: readonly KernelModule[],
  { scratch, signal }: CpioRamdiskSettings,
): Promise<{ changed: string[]; warnings: RamdiskWarning[] }> {
  const options = {
    ...(scratch === undefined ? {} : { scratch }),
    ...(signal === undefined ? {} : { signal }),
  };
  const changed: string[] = [];
  const warnings: RamdiskWarning[] = [];
  for (const module of modules) {
    const node = await uncompressedModule(module, options);
    const own = adapted(module.name, readContent(node.content, node.size));
    if (own.warning !== undefined) warnings.push(own.warning);
    if (own.bytes !== undefined) changed.push(textFromByteString(module.path));
    const content = own.bytes === undefined ? node.content : ({ kind: 'inline', bytes: own.bytes } as const);
    tree.put(`/modules/${module.name}.ko`, { ...node, content });
  }
  tree.file('/modules/load', modules.map(({ name }) => `${name}.ko\n`).join(''));
  return { changed, warnings };
}

/** A module as nodes should have it, where that is another than the root's, which has as many bytes. */
function adapted(name: string, module: Buffer): { bytes?: Buffer | undefined; warning?: RamdiskWarning } {
  if (name === 'dlm') return { bytes: promptRecovery(module) };
  if (name !== 'gfs2') return {};
  const logDaemon = yieldingLogDaemon(module);
  if (logDaemon.kind === 'unknown') return { warning: LOG_DAEMON_MAY_HANG };
  return logDaemon.kind === 'changed' ? { bytes: logDaemon.module } : {};
}

/** The root directory of the daemons, which /init copies to a tmpfs. */
function daemonsTree(daemons: ProgramFiles, settings: CpioRamdiskSettings): Tree {
  const tree = new RamdiskTree(settings.epoch);
  tree.entries(daemons.entries);
  linkApplets(tree, busyboxOf(daemons), DAEMON_APPLETS);
  for (const folder of ['/dev', '/proc', '/sys', '/fence', '/run', '/var/lib/corosync', '/var/log/corosync'])
    tree.directory(folder);
  tree.directory('/tmp', 0o1777);
  tree.link('/var/run', '/run');
  tree.file('/etc/corosync/corosync.conf', corosyncConf(settings));
  tree.file('/etc/dlm/dlm.conf', dlmConf());
  tree.file('/etc/hosts', hostsFile(settings.addresses));
  tree.file('/etc/passwd', 'root:x:0:0:root:/:/bin/sh\n');
  tree.file('/etc/group', 'root:x:0:\n');
  tree.file(FENCE_AGENT, fenceAgent(), 0o755);
  tree.file('/sbin/init', lastInit(), 0o755);
  tree.file('/sbin/leave', leaveScript(), 0o755);
  tree.file('/sbin/watch', watchScript(), 0o755);
  tree.fifo(PAUSE);
  for (const path of Object.values(GATES)) tree.fifo(path);
  tree.directory('/root');
  return tree.build();
}

/** What /init is told of this cluster and this root. */
function initSettings({ programs, extraFolders }: ProgramFiles, settings: CpioRamdiskSettings): string {
  return shellVariables({
    interface: settings.interface,
    netmask: netmaskOf(settings.prefix),
    root_device: settings.rootDevice,
    corosync: textFromByteString(programs.get('corosync')?.path ?? ''),
    dlm_controld: textFromByteString(programs.get('dlm_controld')?.path ?? ''),
    library_path: extraFolders.map(textFromByteString).join(':'),
  });
}

function checkSettings(settings: CpioRamdiskSettings): void {
  checkNetwork(settings);
  checkMembership(settings);
  for (const path of [settings.rootDevice, ...settings.ownPaths]) checkScriptPath(path);
}
