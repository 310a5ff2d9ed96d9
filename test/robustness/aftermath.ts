import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectThat } from './scenario.js';

/** How long processes may take to notice that the one that started them is gone, in milliseconds. */
const GRACE_MILLISECONDS = 5000;
const POLL_MILLISECONDS = 20;

/** A process that has something to do with a folder. */
interface Involved {
  readonly pid: number;
  readonly command: string;
}

/**
 * Processes that were started for a folder, work in it or have one of its files open: its path is in their command,
 * environment, folder or open files. What runs in a sandbox is found by the sandbox's own process.
 */
export function processesOf(folder: string): Involved[] {
  const found: Involved[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = textOf(`/proc/${name}/cmdline`);
    // Empty for what is dead and not yet waited for.
    if (command === '') continue;
    const traces = [
      command,
      textOf(`/proc/${name}/environ`),
      linkOf(`/proc/${name}/cwd`),
      ...openFilesOf(name),
    ];
    if (traces.some((trace) => trace.includes(`${folder}/`) || trace.endsWith(folder)))
      found.push({ pid, command: command.replaceAll('\0', ' ').trim() });
  }
  return found;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function openFilesOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((name) => linkOf(`/proc/${pid}/fd/${name}`));
  } catch {
    return [];
  }
}

/** Waits until no process has to do with the folder any more. Kills what stays, and throws a TrialFault then. */
export async function expectNoProcesses(folder: string): Promise<void> {
  const end = performance.now() + GRACE_MILLISECONDS;
  for (;;) {
    const found = processesOf(folder);
    if (found.length === 0) return;
    if (performance.now() > end) {
      for (const { pid } of found) process.kill(pid, 'SIGKILL');
      const list = found.map(({ pid, command }) => `${pid} ${command.slice(0, 200)}`).join('; ');
      expectThat(false, `still running: ${list}`);
    }
    await sleep(POLL_MILLISECONDS);
  }
}

/** Names that a cache's folder may hold. */
const CACHE_NAMES = ['ac', 'bad', 'cas', 'downloads', 'files.json', 'locks', 'logs', 'tmp'];

/** What builds left in a cache that they should not have: temporary files, locks, names that mean nothing. */
export function leftoversInCache(cache: string): string[] {
  const names = namesIn(cache);
  return [
    ...names.filter((name) => !CACHE_NAMES.includes(name)),
    ...['tmp', 'locks'].flatMap((name) => namesIn(join(cache, name)).map((file) => `${name}/${file}`)),
  ].map((name) => `${cache}/${name}`);
}

/** What lies in a folder besides the names that may. */
export function leftoversBeside(folder: string, allowed: readonly string[]): string[] {
  return namesIn(folder)
    .filter((name) => !allowed.includes(name))
    .map((name) => `${folder}/${name}`);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
