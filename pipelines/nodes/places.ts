import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readableHostError } from '../../images/bytes/host-error.js';
import { hostError, printable, usageError } from '../../images/diagnostic.js';
import { makeFolder } from '../cache/make-folder.js';

/** Name of the cluster where none is given. */
export const DEFAULT_CLUSTER = 'default';

/** What Linux takes for the path of a socket, with the NUL behind it. */
const SOCKET_PATH_BYTES = 108;
/** The longest name of a socket below a cluster's runtime folder. */
const LONGEST_SOCKET = '/uml/node255/mconsole';
/** Names in `~/.ssiuml` that are no clusters'. */
const RESERVED = ['run', 'ssiuml.conf'];

/** Where what belongs to a cluster lies. */
export interface ClusterPlaces {
  readonly name: string;
  /** `~/.ssiuml/NAME`: what stays when the cluster stops: working copy, logs. */
  readonly folder: string;
  /** Held by the cluster's supervisor. */
  readonly lock: string;
  /** What the supervisor says of itself, for the commands. */
  readonly state: string;
  readonly logs: string;
  readonly workingCopy: string;
}

/** `~/.ssiuml` */
export function userFolder(): string {
  return join(homedir(), '.ssiuml');
}

/** Throws a DiagnosticError when a cluster can't have this name. */
export function placesOf(name: string): ClusterPlaces {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/.test(name) || RESERVED.includes(name))
    throw usageError(
      `a cluster can't be called "${printable(name)}"`,
      'Names have at most 32 letters, digits, "_", "-" and ".".',
    );
  const folder = join(userFolder(), name);
  return {
    name,
    folder,
    lock: join(folder, 'lock'),
    state: join(folder, 'state.json'),
    logs: join(folder, 'logs'),
    workingCopy: join(folder, 'root_fs'),
  };
}

/** The log of a node's console. */
export function consoleLogPath({ logs }: ClusterPlaces, node: number | 'lock-server'): string {
  return join(logs, node === 'lock-server' ? 'lock-server.log' : `node${node}.log`);
}

/** Names of the clusters that have a folder. */
export function knownClusters(): string[] {
  let names: string[];
  try {
    names = readdirSync(userFolder());
  } catch {
    return [];
  }
  return names.filter((name) => !RESERVED.includes(name) && existsSync(join(userFolder(), name, 'logs')));
}

/**
 * Makes the folder for sockets of a cluster, and returns its path: short and plain, as it goes into socket addresses
 * and onto the kernel's command line, and nobody else's to look into. The first that will do of
 * `$XDG_RUNTIME_DIR/ssiuml`, `~/.ssiuml/run` and `/tmp/ssiuml-UID`. Throws a DiagnosticError when none will.
 */
export function makeRuntimeFolder(name: string): string {
  const reasons: string[] = [];
  for (const parent of runtimeParents()) {
    const folder = join(parent, name);
    const fault = faultOfRuntimePath(folder);
    if (fault !== undefined) {
      reasons.push(`${folder}: ${fault}`);
      continue;
    }
    try {
      makePrivateFolder(parent);
      makePrivateFolder(folder);
      return folder;
    } catch (error) {
      reasons.push(`${folder}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  throw hostError(
    `there is no folder for the cluster's sockets: ${reasons.join('; ')}`,
    'Set XDG_RUNTIME_DIR to a folder of yours with a short path.',
  );
}

function runtimeParents(): string[] {
  const { XDG_RUNTIME_DIR: given = '' } = process.env;
  return [
    ...(given.startsWith('/') && existsSync(given) ? [join(given, 'ssiuml')] : []),
    join(userFolder(), 'run'),
    `/tmp/ssiuml-${process.geteuid?.() ?? 0}`,
  ];
}

function faultOfRuntimePath(folder: string): string | undefined {
  if (!/^[A-Za-z0-9/_.+-]+$/.test(folder))
    return "the path has characters that mean something on a kernel's command line";
  if (Buffer.byteLength(folder) + LONGEST_SOCKET.length >= SOCKET_PATH_BYTES)
    return 'the path is too long for sockets';
  return undefined;
}

/** A folder of this user's, for this user only. Others could have put one of theirs in its place. */
function makePrivateFolder(path: string): void {
  if (!existsSync(path)) makeFolder(join(path, '..'));
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const status = lstatSync(path);
    if (!status.isDirectory() || status.uid !== process.geteuid?.())
      throw hostError('it is no folder of this user', undefined, { file: path });
    if ((status.mode & 0o077) !== 0) chmodSync(path, 0o700);
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}
