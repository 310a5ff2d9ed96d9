import { byteStringFromText, textFromByteString } from '../../images/bytes/byte-string.js';
import { usageError } from '../../images/diagnostic.js';
import type { Tree } from '../../images/tree/tree.js';
import { findPlace } from '../configure/place.js';
import type { UbdSettings } from '../recipe/recipe.js';
import { type Ramdisk, reportOf } from './cpio-ramdisk.js';
import { resolveModules } from './kernel-modules.js';
import { lockServerLinuxrc, nodeLinuxrc } from './linuxrc.js';
import { missingFile, missingModule, throwIfMissing } from './missing-parts.js';
import { INIT_SETTINGS } from './node-init.js';
import {
  checkAddress,
  checkNetwork,
  checkScriptPath,
  type NodeNetwork,
  netmaskOf,
  nodesFile,
  shellVariables,
} from './node-network.js';
import { RamdiskTree } from './ramdisk-tree.js';
import { programFiles } from './shared-libraries.js';
import { uncompressedModule } from './uncompressed-module.js';

export interface Ext2RamdiskSettings extends NodeNetwork {
  /** Time of what is made: seconds since 1970. */
  readonly epoch: number;
  /** Folder of the kernel's modules in the root, such as `/lib/modules/2.4.16-21um`. */
  readonly modulesFolder: string;
  /** Further modules to load, before those of OpenGFS. */
  readonly modules: readonly string[];
  /** `ADDRESS:PORT` of the lock server. */
  readonly lockServer: string;
  /** Pool device of the shared root, such as `/dev/pool/pool0`. */
  readonly rootDevice: string;
  /** UML's disks, as in the root. */
  readonly ubd: UbdSettings;
  /** First program of the root where the ramdisk has to start it, such as `/sbin/init`. */
  readonly init: string;
  /** What memexpd is started with. */
  readonly memexpdArguments: readonly string[];
  /** Folder for temporary files; by default the system's. */
  readonly scratch?: string;
  readonly signal?: AbortSignal;
}

/** In the order of HOWTO 4.5, which counts where modules.dep does not know them. */
export const OPENGFS_MODULES: readonly string[] = ['pool', 'gfs', 'memexp'];

/** Programs by the name the scripts know them by; of several the first is taken that the root has. */
type Programs = Readonly<Record<string, readonly string[]>>;

const COMMON_PROGRAMS: Programs = {
  sh: ['/bin/sh'],
  insmod: ['/sbin/insmod.static', '/sbin/insmod'],
  mount: ['/bin/mount'],
  ifconfig: ['ifconfig'],
};
const NODE_PROGRAMS: Programs = {
  ...COMMON_PROGRAMS,
  umount: ['/bin/umount'],
  mkdir: ['/bin/mkdir'],
  passemble: ['passemble'],
  pivot_root: ['pivot_root'],
  chroot: ['chroot'],
};
const LOCK_SERVER_PROGRAMS: Programs = { ...COMMON_PROGRAMS, sleep: ['/bin/sleep'], memexpd: ['memexpd'] };

const OPENGFS_HINT =
  'The modules pool, gfs and memexp, passemble and memexpd are made and installed with OpenGFS (HOWTO 4.7): get a root or modules with them.';

const UBD_MAJOR = 98;

/**
 * The ramdisk of a node of Linux 2.4 (HOWTO 4.8, `cluster_mkinitrd --uml`), to be written as ext2: `/linuxrc`, the
 * programs that it calls with their libraries, and kernel modules, all out of the root that is to be booted. Throws a
 * DiagnosticError with everything that the root lacks.
 */
export async function nodeRamdiskTree(root: Tree, settings: Ext2RamdiskSettings): Promise<Ramdisk> {
  return ramdiskTree(root, settings, {
    name: 'the ramdisk',
    programs: NODE_PROGRAMS,
    modules: [...settings.modules, ...OPENGFS_MODULES],
    linuxrc: nodeLinuxrc(),
    values: { root_device: settings.rootDevice, init: settings.init, address: '' },
  });
}

/** The ramdisk of the lock server, which needs nothing but the network and memexpd. Throws as the other does. */
export async function lockServerRamdiskTree(root: Tree, settings: Ext2RamdiskSettings): Promise<Ramdisk> {
  const [address = ''] = settings.lockServer.split(':');
  return ramdiskTree(root, settings, {
    name: "the lock server's ramdisk",
    programs: LOCK_SERVER_PROGRAMS,
    modules: settings.modules,
    linuxrc: lockServerLinuxrc(),
    values: { address, memexpd_arguments: settings.memexpdArguments.join(' ') },
  });
}

interface Contents {
  readonly name: string;
  readonly programs: Programs;
  readonly modules: readonly string[];
  readonly linuxrc: string;
  readonly values: Readonly<Record<string, string>>;
}

async function ramdiskTree(root: Tree, settings: Ext2RamdiskSettings, contents: Contents): Promise<Ramdisk> {
  checkSettings(settings);
  const chosen = Object.entries(contents.programs).map(
    ([name, paths]) => [name, choose(root, paths)] as const,
  );
  const files = programFiles(
    root,
    chosen.map(([, path]) => path),
  );
  const modules = resolveModules(root, settings.modulesFolder, contents.modules);
  const missing = [
    ...modules.missing.map((module) => missingModule(module)),
    ...files.missing.map(missingFile),
  ];
  throwIfMissing(contents.name, missing, OPENGFS_HINT);
  const paths = chosen.map(
    ([name, path]) => [name, textFromByteString(files.programs.get(path)?.path ?? '')] as const,
  );
  const tree = new RamdiskTree(settings.epoch);
  tree.entries(files.entries);
  tree.file('/linuxrc', contents.linuxrc, 0o755);
  tree.file('/etc/nodes', nodesFile(settings.addresses));
  tree.file(
    INIT_SETTINGS,
    shellVariables({
      ...Object.fromEntries(paths),
      interface: settings.interface,
      netmask: netmaskOf(settings.prefix),
      library_path: files.extraFolders.map(textFromByteString).join(':'),
      ...contents.values,
    }),
  );
  const { scratch, signal } = settings;
  const options = {
    ...(scratch === undefined ? {} : { scratch }),
    ...(signal === undefined ? {} : { signal }),
  };
  const names: string[] = [];
  for (const module of modules.modules) {
    const name = `${module.name}${/\.o$/.test(module.path) ? '.o' : '.ko'}`;
    tree.put(`/modules/${name}`, await uncompressedModule(module, options));
    names.push(`${name}\n`);
  }
  tree.file('/modules/load', names.join(''));
  for (const folder of ['/proc', '/sysroot', '/tmp', '/dev/pool']) tree.directory(folder);
  addDevices(tree, settings.ubd);
  return { tree: tree.build(), report: reportOf(modules, files) };
}

/** The first program that is there; the last one, to be named as missing, where none is. */
function choose(root: Tree, paths: readonly string[]): string {
  const found = paths.find((path) => {
    const place = path.startsWith('/') ? findPlace(root.root, byteStringFromText(path), true) : undefined;
    return place?.kind === 'found';
  });
  return found ?? paths.at(-1) ?? '';
}

/** What a kernel without devfs needs. passemble finds its disks by their names in /proc/partitions. */
function addDevices(tree: RamdiskTree, ubd: UbdSettings): void {
  tree.device('/dev/console', 'character', 5, 1);
  tree.device('/dev/tty', 'character', 5, 0, 0o666);
  tree.device('/dev/tty0', 'character', 4, 0);
  tree.device('/dev/null', 'character', 1, 3, 0o666);
  tree.device('/dev/zero', 'character', 1, 5, 0o666);
  tree.device('/dev/ram0', 'block', 1, 0);
  for (let number = 0; number < ubd.devices; number++) {
    tree.device(`/dev/ubd/${number}`, 'block', UBD_MAJOR, number * ubd.minorStep);
    tree.device(`/dev/ubd${number}`, 'block', UBD_MAJOR, number * ubd.minorStep);
  }
}

function checkSettings(settings: Ext2RamdiskSettings): void {
  checkNetwork(settings);
  checkAddress(settings.lockServer.split(':')[0] ?? '');
  for (const path of [settings.rootDevice, settings.init]) checkScriptPath(path);
  const odd = settings.memexpdArguments.find((argument) => !/^[A-Za-z0-9@%+=:,./_-]+$/.test(argument));
  if (odd !== undefined)
    throw usageError(
      `"${odd}" as an argument of memexpd`,
      'It is handed on by a shell: no blanks or quotes.',
    );
}
