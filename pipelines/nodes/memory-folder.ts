import { createHash } from 'node:crypto';
import { accessSync, constants, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostError } from '../../images/diagnostic.js';
import { removeAll } from '../cache/scratch.js';

const MIB = 1024 * 1024;
/** What a node needs beside its memory: processes of the host, MiB. */
const OVERHEAD_MIB = 16;

/** What is looked at to find a folder; tests have their own. */
export interface MemoryHost {
  /** Folders, the best first. */
  readonly folders: readonly string[];
  /** The text of /proc/self/mounts. */
  readonly mounts: string;
  /** The text of /proc/meminfo. */
  readonly meminfo: string;
}

/**
 * Finds a folder for the memory of nodes: User-Mode Linux maps it from files there, and runs code in it. So the folder
 * must not be mounted noexec, and have room for all of it: the guests would be killed in the middle of something else,
 * once a full disk can't give them what they were promised. Throws a DiagnosticError when there is none.
 */
export function findMemoryFolder(
  nodes: number,
  memoryMiB: number,
  host: MemoryHost = memoryHost(memoryFolders()),
): string {
  const wanted = nodes * (memoryMiB + OVERHEAD_MIB) * MIB;
  checkMemory(wanted, nodes, memoryMiB, host.meminfo);
  const reasons: string[] = [];
  for (const folder of host.folders) {
    const fault = faultOf(folder, wanted, host.mounts);
    if (fault === undefined) return folder;
    reasons.push(`${folder}: ${fault}`);
  }
  throw hostError(
    `there is no folder for the memory of ${nodes} ${nodes === 1 ? 'node' : 'nodes'}: ${reasons.join('; ')}`,
    'Set TMPDIR to a folder with room that is not mounted noexec, or give the nodes less with --mem.',
  );
}

/** This host, with these folders to choose from. */
export function memoryHost(folders: readonly string[]): MemoryHost {
  return { folders, mounts: textOf('/proc/self/mounts'), meminfo: textOf('/proc/meminfo') };
}

/** How the names of a cluster's memory folders begin: `folder` is its own. */
export function memoryPrefix(folder: string): string {
  return `ssiuml-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}-`;
}

/** Removes the memory folders of a cluster that is no more. */
export function removeMemoryFolders(folder: string): void {
  const prefix = memoryPrefix(folder);
  for (const parent of memoryFolders()) {
    let names: string[];
    try {
      names = readdirSync(parent);
    } catch {
      continue;
    }
    for (const name of names) if (name.startsWith(prefix)) removeAll(join(parent, name));
  }
}

/** The host's memory first: what lies on a disk is written there. */
function memoryFolders(): string[] {
  const { TMPDIR: given } = process.env;
  const folders = ['/dev/shm', ...(given === undefined || given === '' ? [] : [given]), tmpdir(), '/var/tmp'];
  return [...new Set(folders)];
}

function faultOf(folder: string, wanted: number, mounts: string): string | undefined {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch {
    return 'it is not there, or not for this user';
  }
  if (optionsOf(folder, mounts).includes('noexec')) return 'it is mounted noexec';
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < wanted)
    return `only ${Math.floor((bavail * bsize) / MIB)} MiB of ${Math.ceil(wanted / MIB)} are free`;
  return undefined;
}

/** The options of the mount that a folder lies in. */
function optionsOf(folder: string, mounts: string): string[] {
  let best = '';
  let options = '';
  for (const line of mounts.split('\n')) {
    const [, encoded = '', , found = ''] = line.split(' ');
    // Blanks are written \040.
    const place = encoded.replace(/\\([0-7]{3})/g, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 8)),
    );
    const within = place === '/' || folder === place || folder.startsWith(`${place}/`);
    // Of two mounts at one place the later one covers the other.
    if (place === '' || !within || place.length < best.length) continue;
    best = place;
    options = found;
  }
  return options.split(',');
}

function checkMemory(wanted: number, nodes: number, memoryMiB: number, meminfo: string): void {
  const kibibytes = (name: string): number | undefined => {
    const text = new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(meminfo)?.[1];
    return text === undefined ? undefined : Number(text);
  };
  const available = kibibytes('MemAvailable');
  if (available === undefined) return;
  const bytes = (available + (kibibytes('SwapFree') ?? 0)) * 1024;
  if (bytes >= wanted) return;
  throw hostError(
    `${nodes} ${nodes === 1 ? 'node' : 'nodes'} of ${memoryMiB} MiB need ${Math.ceil(wanted / MIB)} MiB of memory, and this host has ${Math.floor(bytes / MIB)} MiB left`,
    'Start fewer nodes, or give them less with --mem.',
  );
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
