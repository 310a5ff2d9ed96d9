import { lstatSync, mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostError } from '../../images/diagnostic.js';
import { readContent } from '../../images/tree/content.js';
import type { Tree } from '../../images/tree/tree.js';
import { findProgram, PROGRAM_FOLDERS } from '../program-folders.js';
import type { Ownership } from './ownership.js';
import { runProgram } from './run-program.js';
import { nodeAt } from './staging-contents.js';
import { NEW_ROOT_SCRIPT } from './unshare-script.js';

/** What keeps the make rule from the host and the network: bubblewrap, util-linux's unshare, or nothing. */
export type SandboxKind = 'bwrap' | 'unshare' | 'none';

/** Folders on the host that the rule works in. */
export interface SandboxFolders {
  readonly source: string;
  readonly root: string;
  /** For what fakeroot remembers. */
  readonly state: string;
  /** For the sandbox's own needs: mount point, passwd and group. */
  readonly scratch: string;
}

/** The places at which the rule finds the folders: the same ones whatever they are on the host. */
export interface SandboxPlaces {
  readonly source: string;
  readonly root: string;
  readonly state: string;
  readonly home: string;
}

export interface Sandbox {
  readonly kind: SandboxKind;
  readonly ownership: Ownership;
  readonly places: SandboxPlaces;
  readonly environment: Readonly<Record<string, string>>;
  /** The command that runs `command` inside, in the folder of the sources, with umask 022. */
  wrap(command: readonly string[]): string[];
}

/** What a sandbox is chosen from. */
export interface SandboxRequest {
  readonly folders: SandboxFolders;
  /** Its passwd and group are those of the sandbox: `install -o games` means the games of the new root. */
  readonly base: Tree;
  /** SOURCE_DATE_EPOCH, in seconds. */
  readonly epoch: number;
  /** Programs to do without, as if the host lacked them. */
  readonly without: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Part of the root that the rule sees. */
type Mount =
  | { readonly kind: 'read-only' | 'writable'; readonly from: string; readonly to: string }
  | { readonly kind: 'link'; readonly from: string; readonly to: string }
  | { readonly kind: 'empty'; readonly to: string };

const INSIDE: SandboxPlaces = {
  home: '/build',
  source: '/build/source',
  root: '/build/root',
  state: '/build/state',
};

/** What of the host is there to read: programs, libraries, compilers. Nothing of the users'. */
const SYSTEM_FOLDERS = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'nix', 'gnu'];
const SYSTEM_SETTINGS = ['alternatives', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d'];
const ACCOUNTS_BYTES_MAX = 1024 * 1024;
/** What steers the kernel: a real root may write there even without any capability, and bubblewrap allows it. */
const KERNEL_SWITCHES = ['/proc/sys', '/proc/sysrq-trigger'];
/** Without fakeroot the rule of a real root may do this, and nothing else that only root may. */
const ROOT_CAPABILITIES = ['chown', 'dac_override', 'fowner', 'fsetid', 'mknod'];
/** What root of a user namespace may do to its own user's files. */
const MAPPED_CAPABILITIES = ['chown', 'dac_override', 'fowner', 'fsetid'];
/** Seconds that starting an empty sandbox may take. */
const PROBE_SECONDS = 20;
/** Values come as arguments: the text is the same always. */
const IN_FOLDER = 'umask 022 && cd "$1" && shift && exec "$@"';

/**
 * The strictest sandbox that works on this host, and fakeroot in it where that works: each is tried with a program
 * that does nothing. Containers often allow neither bubblewrap nor namespaces.
 */
export async function chooseSandbox(request: SandboxRequest): Promise<Sandbox> {
  const isRoot = process.geteuid?.() === 0;
  const has = (name: string): boolean => !request.without.includes(name) && findProgram(name) !== undefined;
  const real: Ownership = isRoot ? 'root' : 'mapped';
  for (const kind of ['bwrap', 'unshare', 'none'] as const) {
    if (kind !== 'none' && !has(kind)) continue;
    for (const ownership of has('fakeroot') ? (['fakeroot', real] as const) : [real]) {
      const sandbox = makeSandbox(kind, ownership, request);
      if (await works(sandbox, request)) return sandbox;
    }
  }
  return makeSandbox('none', real, request);
}

async function works(sandbox: Sandbox, { folders, signal }: SandboxRequest): Promise<boolean> {
  const end = await runProgram(
    sandbox.wrap(sandbox.ownership === 'fakeroot' ? ['fakeroot', 'true'] : ['true']),
    {
      cwd: folders.scratch,
      environment: sandbox.environment,
      timeLimit: PROBE_SECONDS,
      signal,
    },
  );
  return end.kind === 'exit' && end.code === 0;
}

function makeSandbox(kind: SandboxKind, ownership: Ownership, request: SandboxRequest): Sandbox {
  const { folders } = request;
  if (kind === 'none') checkPlain(folders.root);
  const places = kind === 'none' ? { ...folders, home: folders.scratch } : INSIDE;
  const environment = environmentOf(places, ownership, request.epoch);
  const inFolder = (command: readonly string[]): string[] => [
    ...['/bin/sh', '-c', IN_FOLDER, 'sh', places.state],
    ...command,
  ];
  const wrap = {
    bwrap: () => bwrapCommand(ownership, request),
    unshare: () => unshareCommand(ownership, request),
    none: () => plainCommand(ownership),
  }[kind];
  return { kind, ownership, places, environment, wrap: (command) => [...wrap(), ...inFolder(command)] };
}

/** Makefiles do not quote UML_ROOT. */
function checkPlain(folder: string): void {
  if (/^[\w/.,:@%+-]+$/.test(folder)) return;
  throw hostError(
    'without a sandbox the path of the work folder goes into the make rule, and this one has characters that a shell or make takes for something else',
    'Install bubblewrap, or choose a folder with a plain name (--cache-dir).',
    { file: folder },
  );
}

function environmentOf(places: SandboxPlaces, ownership: Ownership, epoch: number): Record<string, string> {
  return {
    PATH: PROGRAM_FOLDERS.join(':'),
    HOME: places.home,
    USER: 'root',
    LOGNAME: 'root',
    SHELL: '/bin/sh',
    LC_ALL: 'C',
    TZ: 'UTC',
    SOURCE_DATE_EPOCH: `${epoch}`,
    // Only pretend: in a user namespace the real call fails in a way that fakeroot does not expect.
    ...(ownership === 'fakeroot' ? { FAKEROOTDONTTRYCHOWN: '1' } : {}),
  };
}

function program(name: string): string {
  return findProgram(name) ?? name;
}

function bwrapCommand(ownership: Ownership, request: SandboxRequest): string[] {
  const namespaces = ['ipc', 'pid', 'net', 'uts', 'cgroup-try'].map((name) => `--unshare-${name}`);
  const capabilities = capabilitiesOf(ownership).flatMap((name) => [
    '--cap-add',
    `CAP_${name.toUpperCase()}`,
  ]);
  const user = ownership === 'root' ? [] : ['--unshare-user', '--uid', '0', '--gid', '0'];
  const switches = KERNEL_SWITCHES.flatMap((path) => ['--ro-bind-try', path, path]);
  const mounts = mountsOf(request).flatMap(bwrapMount);
  return [
    ...[
      program('bwrap'),
      ...namespaces,
      ...user,
      '--die-with-parent',
      '--new-session',
      '--hostname',
      'build',
    ],
    ...['--cap-drop', 'ALL', ...capabilities],
    ...['--proc', '/proc', ...switches, '--dev', '/dev', ...mounts, '--remount-ro', '/', '--'],
  ];
}

function bwrapMount(mount: Mount): string[] {
  if (mount.kind === 'empty') return ['--tmpfs', mount.to];
  const option = { link: '--symlink', 'read-only': '--ro-bind', writable: '--bind' }[mount.kind];
  return [option, mount.from, mount.to];
}

function unshareCommand(ownership: Ownership, request: SandboxRequest): string[] {
  const newRoot = join(request.folders.scratch, 'new-root');
  mkdirSync(newRoot, { recursive: true });
  const mounts = mountsOf(request).flatMap((mount) => [
    mount.kind,
    mount.kind === 'empty' ? '' : mount.from,
    mount.to,
  ]);
  const user = ownership === 'root' ? [] : ['--user', '--map-root-user'];
  return [
    // Without the first, the sandbox would outlive this process.
    ...[program('setpriv'), '--pdeathsig', 'KILL', program('unshare'), ...user],
    ...['--mount', '--pid', '--net', '--ipc', '--uts', '--fork', '--kill-child', '--'],
    ...['/bin/sh', '-c', NEW_ROOT_SCRIPT, 'sh', newRoot, ...mounts, '--'],
    ...dropCapabilities(capabilitiesOf(ownership)),
  ];
}

/** Under fakeroot even root must not read past a file's mode, so that everyone gets the same result. */
function plainCommand(ownership: Ownership): string[] {
  const setpriv = findProgram('setpriv');
  if (process.geteuid?.() !== 0 || setpriv === undefined) return [];
  return dropCapabilities(capabilitiesOf(ownership));
}

function dropCapabilities(kept: readonly string[]): string[] {
  const bounding = ['-all', ...kept.map((name) => `+${name}`)].join(',');
  return [program('setpriv'), '--bounding-set', bounding, '--inh-caps', '-all', '--no-new-privs'];
}

function capabilitiesOf(ownership: Ownership): readonly string[] {
  if (ownership === 'fakeroot') return [];
  return ownership === 'root' ? ROOT_CAPABILITIES : MAPPED_CAPABILITIES;
}

function mountsOf({ folders, base }: SandboxRequest): Mount[] {
  const mounts: Mount[] = [];
  for (const name of SYSTEM_FOLDERS) mounts.push(...mountOf(`/${name}`));
  for (const name of SYSTEM_SETTINGS) mounts.push(...mountOf(`/etc/${name}`));
  for (const [name, text] of accountsOf(base)) {
    const from = join(folders.scratch, name);
    writeFileSync(from, text, { mode: 0o644 });
    mounts.push({ kind: 'read-only', from, to: `/etc/${name}` });
  }
  mounts.push(
    { kind: 'empty', to: '/tmp' },
    { kind: 'empty', to: '/var/tmp' },
    { kind: 'empty', to: INSIDE.home },
  );
  for (const name of ['source', 'root', 'state'] as const) {
    mounts.push({ kind: 'writable', from: folders[name], to: INSIDE[name] });
  }
  return mounts;
}

function mountOf(path: string): Mount[] {
  try {
    const isLink = lstatSync(path).isSymbolicLink();
    return [
      isLink
        ? { kind: 'link', from: readlinkSync(path), to: path }
        : { kind: 'read-only', from: path, to: path },
    ];
  } catch {
    return [];
  }
}

/** The files that give names to users and groups. */
function accountsOf(base: Tree): [name: string, text: string | Buffer][] {
  const own = (path: string, otherwise: string): string | Buffer => {
    const node = nodeAt(base, path);
    return node?.type === 'file' && node.size <= ACCOUNTS_BYTES_MAX
      ? readContent(node.content, node.size)
      : otherwise;
  };
  return [
    ['passwd', own('/etc/passwd', 'root:x:0:0:root:/build:/bin/sh\n')],
    ['group', own('/etc/group', 'root:x:0:\n')],
    ['nsswitch.conf', 'passwd: files\ngroup: files\n'],
  ];
}
