import { readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cpioArchive, type InitramfsEntry } from './cpio-archive.js';
import { run, tool } from './programs.js';

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const CHARACTER_DEVICE = 0o020600;

/** Where the package user-mode-linux keeps the modules of its kernel. */
const MODULES = '/usr/lib/uml/modules';

/** What goes into an initramfs besides busybox. */
export interface InitramfsContents {
  /** Host programs to take along with their shared libraries; inside they are `/bin/NAME`. */
  readonly programs: readonly string[];
  /** Kernel modules by name; those they need are loaded before them. One that is built in or absent is left out. */
  readonly modules: readonly string[];
  /** Runs with busybox's sh after /proc, /sys and /dev are mounted and the modules loaded. */
  readonly script: string;
}

/** The line on the console that carries the exit status of the script: the kernel itself always exits with 0. */
export const RESULT_MARKER = 'UML-SCRIPT-RESULT';

/** Writes the initramfs for linux.uml to `path`. Needs busybox-static, ldd and the kernel's modules on the host. */
export function writeInitramfs(path: string, contents: InitramfsContents): void {
  const files = new Map<string, Uint8Array>([['bin/busybox', readFileSync(tool('busybox'))]]);
  for (const name of contents.programs) {
    const program = realpathSync(tool(name));
    files.set(`bin/${name}`, readFileSync(program));
    for (const library of librariesOf(program)) files.set(library.slice(1), readFileSync(library));
  }
  const modules = moduleFiles(contents.modules);
  modules.forEach((module, index) => {
    files.set(`modules/${index}.ko`, readFileSync(module));
  });
  files.set('script', Buffer.from(contents.script));
  files.set('init', Buffer.from(initScript(modules.length)));
  const folders = ['dev', 'proc', 'sys', 'mnt', 'tmp', ...[...files.keys()].flatMap(foldersAbove)];
  const entries: InitramfsEntry[] = [
    ...[...new Set(folders)].map((folder) => ({ path: folder, mode: DIRECTORY })),
    { path: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
    ...[...files].map(([file, data]) => ({ path: file, mode: PROGRAM, data })),
  ];
  writeFileSync(path, cpioArchive(entries));
}

/** Shared libraries of a program and its loader, by absolute path. */
function librariesOf(program: string): string[] {
  return run('ldd', [program])
    .split('\n')
    .map((line) => /(\/\S+) \(0x/.exec(line)?.[1])
    .filter((library) => library !== undefined);
}

/** The folders of a relative path, the outermost first. */
function foldersAbove(path: string): string[] {
  const parent = dirname(path);
  return parent === '.' ? [] : [...foldersAbove(parent), parent];
}

/** Paths of the modules and of all they need, in the order of loading. */
function moduleFiles(names: readonly string[]): string[] {
  const versions = readdirSync(MODULES);
  const running = run('linux.uml', ['--version']).trim();
  const folder = join(MODULES, versions.includes(running) ? running : (versions.sort().at(-1) ?? running));
  const needs = new Map<string, string[]>();
  for (const line of readFileSync(join(folder, 'modules.dep'), 'utf8').split('\n')) {
    const [module, needed] = line.split(':');
    if (module !== undefined && needed !== undefined)
      needs.set(
        module,
        needed.split(' ').filter((part) => part !== ''),
      );
  }
  const ordered: string[] = [];
  const load = (module: string): void => {
    for (const needed of needs.get(module) ?? []) if (!ordered.includes(needed)) load(needed);
    if (!ordered.includes(module)) ordered.push(module);
  };
  for (const name of names) {
    const module = [...needs.keys()].find((path) => path.endsWith(`/${name}.ko`));
    if (module !== undefined) load(module);
  }
  return ordered.map((module) => join(folder, module));
}

function initScript(modules: number): string {
  const insert = Array.from({ length: modules }, (_, index) => `insmod /modules/${index}.ko || rc=insmod`);
  return `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc # from here on sh finds busybox's other programs
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
rc=0
${insert.join('\n')}
if [ "$rc" = 0 ]; then sh /script; rc=$?; fi
[ "$rc" = 0 ] || dmesg | tail -n 40
echo "${RESULT_MARKER} $rc"
poweroff -f
`;
}
