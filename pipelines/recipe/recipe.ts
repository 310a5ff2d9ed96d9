import type { DiagnosticError } from '../../images/diagnostic.js';

/** Decides the cluster-tools rule and the init and network conventions (HOWTO 5.8). */
export type Distribution = 'redhat' | 'caldera' | 'debian';

/** Keys and list indexes that lead to a value of a recipe, such as `['pools', 0, 'size']`. */
export type RecipePath = readonly (string | number)[];

/** Something that a recipe names and that is not in it. */
export interface Source {
  /** An absolute path, or an http:, https: or file: URL. */
  readonly location: string;
  /** Further URLs of the same bytes, in the order to try them. */
  readonly mirrors: readonly string[];
  /** SHA-256 in lower-case hexadecimal, when the recipe pins it. */
  readonly sha256?: string;
  /** Where the recipe names it. */
  readonly at: RecipePath;
}

/** A module of a CVS repository, as it was at a date or under a tag; without either, its newest state. */
export interface CvsSource {
  readonly root: string;
  readonly module: string;
  readonly date?: string;
  readonly tag?: string;
  readonly at: RecipePath;
}

/** A Debian root that mmdebstrap makes. */
export interface MmdebstrapSettings {
  /** Release of Debian, such as `bookworm`. */
  readonly suite: string;
  /** What is installed at least: mmdebstrap's `--variant`. */
  readonly variant: string;
  /** Packages to install besides. */
  readonly include: readonly string[];
  /** Paths that packages don't get to install: dpkg's `path-exclude`. */
  readonly exclude: readonly string[];
  readonly components: readonly string[];
  /** URL of the archive. */
  readonly mirror: string;
}

/** What the root begins with (HOWTO 5.1). */
export type Base =
  | { readonly kind: 'mmdebstrap'; readonly mmdebstrap: MmdebstrapSettings }
  | { readonly kind: 'image' | 'tar' | 'directory'; readonly source: Source }
  /** The user has to name it: this says what is needed. */
  | { readonly kind: 'given'; readonly what: string };

export interface ClusterSettings {
  /** Number of nodes: node n has address n of the network. */
  readonly nodes: number;
  /** Addresses of the nodes by number, node 1 first, such as `192.168.50.1`. */
  readonly addresses: readonly string[];
  /** Bits of the addresses that all of them have in common. */
  readonly prefix: number;
  /** `ADDRESS:PORT` of the lock server (memexpd); an OpenGFS root has one. */
  readonly lockServer?: string;
  /** TCP port that nodes listen on for the lock server. */
  readonly callbackPort: number;
  /** Seconds after which a silent node is dead. */
  readonly timeout: number;
  /** Name of the fencing method; NUN is none. */
  readonly stomith: string;
  /** Milliseconds after which corosync takes a silent member for dead. */
  readonly token: number;
}

/** One pool: its image, and the loop device that stands for it in the configuration file (HOWTO 5.2). */
export interface PoolSettings {
  readonly name: string;
  /** File name of the image in the output folder. */
  readonly image: string;
  /** Bytes. */
  readonly size: number;
  readonly type: 'gfs_data' | 'gfs_journal';
  readonly device: string;
}

interface FilesystemBasics {
  readonly lockProtocol: string;
  readonly journals: number;
  /** Bytes of one journal. */
  readonly journalSize: number;
  /** Bytes. */
  readonly blockSize: number;
}

/** The root filesystem of 2002, in a pool. */
export interface OpenGfsSettings extends FilesystemBasics {
  readonly type: 'opengfs';
  /** Name of the pool that holds it. */
  readonly pool: string;
  /** Path of the lock table's pool device, such as `/dev/pool/pool0cidev`. */
  readonly lockTable: string;
}

/** The root filesystem of today's kernels, on a bare device. */
export interface Gfs2Settings extends FilesystemBasics {
  readonly type: 'gfs2';
  /** `CLUSTER:FILESYSTEM`, such as `ssi:root`. */
  readonly lockTable: string;
  /** File name of the image in the output folder. */
  readonly image: string;
  /** Bytes of the image. */
  readonly size: number;
}

/** A root filesystem that one node has for itself, on a bare device. */
export interface Ext2Settings {
  readonly type: 'ext2';
  /** File name of the image in the output folder. */
  readonly image: string;
  /** Bytes of the image. */
  readonly size: number;
  /** Bytes. */
  readonly blockSize: 1024 | 2048 | 4096;
}

export type FilesystemSettings = OpenGfsSettings | Gfs2Settings | Ext2Settings;

/** What a node starts from, before its root is there (HOWTO 4.8). */
export type RamdiskSettings = {
  /** Version of the kernel that it is for, by its folder of modules; the only one of the root by default. */
  readonly kernelVersion?: string;
  /** Further modules to load, before those of the cluster. */
  readonly modules: readonly string[];
  /** The nodes' network interface. */
  readonly interface: string;
  /** Device of the shared root in a node. */
  readonly rootDevice: string;
  readonly at: RecipePath;
} & (
  | {
      /** Linux 2.6 and later. */
      readonly format: 'cpio';
      /** Absolute paths of the root that each node has for itself. */
      readonly ownPaths: readonly string[];
    }
  | {
      /** Linux 2.4, with a `linuxrc`. */
      readonly format: 'ext2';
      /** Whether the lock server gets one too. */
      readonly lockServer: boolean;
      /** First program of the root. */
      readonly init: string;
      /** Program of the root that makes the ramdisk of the node, where that is mounted. */
      readonly mkinitrd?: string;
      readonly memexpdArguments: readonly string[];
    }
);

/** The kernel that boots the nodes: a file of the user's, or one of the base. */
export type KernelSettings =
  | { readonly kind: 'file'; readonly source: Source }
  | { readonly kind: 'base'; readonly path: string };

/** With which keys the nodes reach each other. */
export type SshSettings =
  /** Derived from a text; without one, from a secret of the user who builds. */
  | { readonly kind: 'seed'; readonly seed?: string }
  /** Private keys of the user's. */
  | { readonly kind: 'keys'; readonly hostKey: Source; readonly userKey: Source };

export interface ClusterToolsSettings {
  readonly source: Source | CvsSource;
  /** Make rule that installs them, such as `install_ssi_redhat`. */
  readonly rule: string;
  /** Seconds after which the make rule has failed. */
  readonly timeLimit: number;
  /** What the rule installed on another host: taken where this one lacks the programs. */
  readonly installed?: Source;
  /** Further files of the root that the rule needs to see with their contents: absolute paths in it. */
  readonly needs: readonly string[];
}

/** Kernel modules for the root (HOWTO 5.5). */
export type ModulesSettings =
  /** A tar or directory whose top is what goes into `/lib/modules`. */
  | { readonly kind: 'tree'; readonly source: Source }
  /** An old root image, of any filesystem known here, and the folder in it. */
  | { readonly kind: 'image'; readonly source: Source; readonly path: string }
  /** A folder of the base itself. */
  | { readonly kind: 'base'; readonly path: string };

/** A file that the recipe adds: from the host (with everything below it, if a directory), or with its text. */
export type FileSettings = {
  /** Absolute path in the root. */
  readonly to: string;
  /** Permission bits; without it the source's own, or 0644 for a text. */
  readonly mode?: number;
  readonly uid: number;
  readonly gid: number;
  readonly at: RecipePath;
} & ({ readonly source: Source } | { readonly content: string });

export interface UbdSettings {
  /** Number of devices, `/dev/ubd/0` and up. */
  readonly devices: number;
  /** Distance of their minor numbers: 1 in the old numbering, 16 in the new one (HOWTO 5.6). */
  readonly minorStep: 1 | 16;
}

export interface InittabSettings {
  /** The file with the "For UML" markers. */
  readonly source: string;
  readonly dhcpd: boolean;
  /** Terminal of the getty, such as `tty0`. */
  readonly getty: string;
}

export interface ConfigureSettings {
  readonly ubd?: UbdSettings;
  readonly inittab?: InittabSettings;
  /** Directory of the distribution that holds the runlevel directories, such as `/etc/rc.d`. */
  readonly rcDirectory: string;
  /** Start links to remove, relative to `rcDirectory`. */
  readonly removeServices: readonly string[];
  /** Absolute paths to remove, with everything below them. */
  readonly remove: readonly string[];
  readonly files: readonly FileSettings[];
  readonly network: { readonly patch: boolean; readonly hosts: boolean };
}

/** What has to come of a command that a test runs in a node. */
export interface TestExpectation {
  /** Exit code. */
  readonly code: number;
  /** All of standard output; a line feed at the end makes no difference. */
  readonly output?: string;
  /** A regular expression that is found in standard output; `^` and `$` stand for the ends of a line too. */
  readonly matches?: string;
}

/** A command that `ssi-image test` runs in a cluster. No stage depends on it. */
export interface TestSettings {
  readonly name: string;
  /** A line for the shell of the node. */
  readonly run: string;
  readonly node: number | 'all';
  /** Seconds after which it has failed. */
  readonly timeout: number;
  readonly expect: TestExpectation;
}

/** A recipe with everything it extends merged in, variables and `--set` applied, defaults filled in. */
export interface Recipe {
  readonly name: string;
  readonly summary: string;
  readonly distribution: Distribution;
  /** The clock of the build: seconds since 1970. */
  readonly epoch: number;
  /** The recipe file, then what it extends, outwards. Absolute paths. */
  readonly files: readonly string[];
  readonly base: Base;
  readonly cluster: ClusterSettings;
  /** None for a root on a bare device. */
  readonly pools: readonly PoolSettings[];
  readonly filesystem: FilesystemSettings;
  /** A cidev captured from a real gfsconf, instead of our own envelope. */
  readonly lockTableImage?: Source;
  readonly clusterTools?: ClusterToolsSettings;
  readonly modules?: ModulesSettings;
  readonly ramdisk?: RamdiskSettings;
  readonly kernel?: KernelSettings;
  readonly ssh?: SshSettings;
  readonly configure: ConfigureSettings;
  readonly tests: readonly TestSettings[];
  /** An error that points at a value of the recipe: file, line, column, source line and caret, `extends` chain. */
  faultAt(path: RecipePath, message: string, hint?: string): DiagnosticError;
}

/** A recipe for a cluster of 2002. */
export type OpenGfsRecipe = Recipe & { readonly filesystem: OpenGfsSettings };

/** A recipe for a cluster of today. */
export type Gfs2Recipe = Recipe & { readonly filesystem: Gfs2Settings };

export function isOpenGfsRecipe(recipe: Recipe): recipe is OpenGfsRecipe {
  return recipe.filesystem.type === 'opengfs';
}

export function isGfs2Recipe(recipe: Recipe): recipe is Gfs2Recipe {
  return recipe.filesystem.type === 'gfs2';
}

/** A recipe for one node alone. */
export type Ext2Recipe = Recipe & { readonly filesystem: Ext2Settings };

export function isExt2Recipe(recipe: Recipe): recipe is Ext2Recipe {
  return recipe.filesystem.type === 'ext2';
}
