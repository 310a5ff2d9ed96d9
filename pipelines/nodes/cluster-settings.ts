import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { readableHostError } from '../../images/bytes/host-error.js';
import { DiagnosticError, hostError, usageError } from '../../images/diagnostic.js';
import { gatherFaults } from '../gather-faults.js';
import { findProgram } from '../program-folders.js';
import type { StartFile } from './start-file.js';

/** What a cluster is started with: absolute paths. */
export interface ClusterSettings {
  readonly kernel: string;
  readonly ramdisk: string;
  readonly lockServerRamdisk?: string | undefined;
  /** The image as it was built. */
  readonly root: string;
  readonly lockTable?: string | undefined;
  /** Memory of each node. */
  readonly memoryMiB: number;
  /** Whether nodes write the built image itself, and not a copy. */
  readonly inPlace: boolean;
  /** Further words for the kernels' command lines. */
  readonly append: readonly string[];
}

/** Below this no kernel of today comes up with corosync; above, the numbers of a host of 64 bits end. */
const MEMORY_MIB = { least: 64, most: 1024 * 1024 };

/** Settings out of a start file (`path` for messages). Throws a DiagnosticError with all that is missing. */
export function settingsOf(
  file: StartFile,
  path: string,
  options: Pick<ClusterSettings, 'memoryMiB' | 'inPlace' | 'append'>,
): ClusterSettings {
  const { memoryMiB } = options;
  if (memoryMiB < MEMORY_MIB.least || memoryMiB > MEMORY_MIB.most)
    throw usageError(`a node can't have ${memoryMiB} MiB of memory`, `At least ${MEMORY_MIB.least}MiB.`);
  const odd = options.append.find((word) => /[\s"']/.test(word) || word === '');
  if (odd !== undefined) throw usageError(`"${odd}" is no word of a kernel's command line`);
  const kernel = file.KERNEL ?? findProgram('linux.uml');
  const { ROOT: root, INITRD: ramdisk, CIDEV: lockTable, INITRD_MEMEXP: lockServerRamdisk } = file;
  const missing = [
    ...(kernel === undefined ? ['KERNEL, the kernel (Debian package user-mode-linux has one)'] : []),
    ...(root === undefined ? ['ROOT, the shared root'] : []),
    ...(ramdisk === undefined ? ['INITRD, the ramdisk'] : []),
  ];
  if (kernel === undefined || root === undefined || ramdisk === undefined)
    throw usageError(`${path} does not set ${missing.join(' and ')}`);
  return {
    kernel,
    ramdisk,
    root,
    ...options,
    ...(lockTable === undefined ? {} : { lockTable }),
    ...(lockServerRamdisk === undefined ? {} : { lockServerRamdisk }),
  };
}

/** Throws a DiagnosticError with every file that is missing, and with what this host lacks. */
export function checkSettings(settings: ClusterSettings): void {
  const { kernel, ramdisk, lockServerRamdisk, root, lockTable } = settings;
  gatherFaults([
    () => checkFile(kernel, 'the kernel', constants.R_OK | constants.X_OK),
    () => checkFile(ramdisk, 'the ramdisk', constants.R_OK),
    () => checkFile(root, 'the shared root', constants.R_OK),
    ...(lockTable === undefined ? [] : [() => checkFile(lockTable, 'the lock table', constants.R_OK)]),
    ...(lockServerRamdisk === undefined
      ? []
      : [() => checkFile(lockServerRamdisk, "the lock server's ramdisk", constants.R_OK)]),
    checkTracing,
  ]);
}

function checkFile(path: string, what: string, mode: number): void {
  try {
    const status = statSync(path);
    if (!status.isFile()) throw hostError(`${what} is no file`, undefined, { file: path });
    if (status.size === 0) throw hostError(`${what} is empty`, 'Build it again.', { file: path });
    accessSync(path, mode);
  } catch (cause) {
    const [first] = readableHostError(cause, path).diagnostics;
    throw first === undefined
      ? cause
      : new DiagnosticError({
          ...first,
          message: first.message.startsWith(what) ? first.message : `${what}: ${first.message}`,
        });
  }
}

/** User-Mode Linux steers its guests with ptrace: Yama can forbid it to all. */
export function checkTracing(): void {
  let scope: string;
  try {
    scope = readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'latin1').trim();
  } catch {
    return;
  }
  if (scope === '3' || (scope === '2' && process.geteuid?.() !== 0))
    throw hostError(
      `this host lets no process trace another (kernel.yama.ptrace_scope is ${scope}), and User-Mode Linux has to`,
      'As root: sysctl kernel.yama.ptrace_scope=1',
    );
}
