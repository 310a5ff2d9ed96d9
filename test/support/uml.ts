import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type InitramfsContents, RESULT_MARKER, writeInitramfs } from './initramfs.js';
import { umlKernel } from './uml-kernel.js';

/** The outside programs that every run of User-Mode Linux needs, for `testWith`. */
export const UML_TOOLS: readonly string[] = ['linux.uml', 'busybox', 'ldd'];

export interface UmlOptions extends InitramfsContents {
  /** Disks `/dev/ubda`, `/dev/ubdb`, …: at most eight. */
  readonly disks: readonly { readonly path: string; readonly readOnly: boolean }[];
  /** A folder for the kernel, its sockets and the initramfs; what is made in it is removed again. */
  readonly scratch: string;
  /** Milliseconds until everything is killed. */
  readonly timeout: number;
  /** Memory of the guest in MiB. */
  readonly memory?: number;
}

const running = new Set<ChildProcess>();
// A worker that ends early must not leave guests behind.
process.on('exit', () => {
  for (const child of running) killGroup(child);
});

/**
 * Boots linux.uml, runs a script as its only process and returns what the console showed. Throws, with the console
 * in the message, when the script fails, the kernel stops without running it to its end, or the time is up.
 */
export async function runUml(options: UmlOptions): Promise<string> {
  const folder = mkdtempSync(join(options.scratch, 'uml-'));
  try {
    const initramfs = join(folder, 'initramfs');
    writeInitramfs(initramfs, options);
    const memory = options.memory ?? 512;
    const disks = options.disks.map((disk, index) => `ubd${index}${disk.readOnly ? 'r' : ''}=${disk.path}`);
    const child = spawn(
      umlKernel(folder),
      [
        `mem=${memory}M`,
        `initrd=${initramfs}`,
        'rdinit=/init',
        'quiet',
        'con=null',
        'con0=null,fd:1',
        `uml_dir=${folder}`,
        'umid=guest',
        ...disks,
      ],
      {
        cwd: folder,
        detached: true, // a process group of its own, so that all of it can be killed
        env: { ...process.env, HOME: folder, TMPDIR: memoryFolder(memory, folder) },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const output = await outputOf(child, options.timeout);
    const status = new RegExp(`^${RESULT_MARKER} (.*?)\\r?$`, 'm').exec(output)?.[1];
    if (status === '0') return output;
    const reason = status === undefined ? 'ended without a result' : `failed (${status})`;
    throw new Error(`the script in linux.uml ${reason}; the console showed:\n${output}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Collects what a guest prints until it is gone. Kills its process group at the end, whatever the end is. */
async function outputOf(child: ChildProcess, timeout: number): Promise<string> {
  running.add(child);
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
  let timer: NodeJS.Timeout | undefined;
  try {
    const ended = new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      // Not 'close': helper processes of the kernel may hold the pipe open after it is gone.
      child.once('exit', () => resolve());
    });
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const console = Buffer.concat(chunks).toString('latin1');
        reject(new Error(`linux.uml was stopped after ${timeout} ms; the console showed:\n${console}`));
      }, timeout);
    });
    await Promise.race([ended, late]);
    await drained(child);
    return Buffer.concat(chunks).toString('latin1');
  } finally {
    clearTimeout(timer);
    killGroup(child);
    running.delete(child);
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

/** Waits until the last output has been read, but not for a helper process that keeps the pipe open. */
async function drained(child: ChildProcess): Promise<void> {
  if (child.stdout === null || child.stdout.closed) return;
  const stdout = child.stdout;
  await Promise.race([
    new Promise<void>((resolve) => stdout.once('close', () => resolve())),
    new Promise<void>((resolve) => setTimeout(resolve, 500)),
  ]);
}

/** Guest processes are processes of the host: killing the first of the group only would leave them running. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is gone.
  }
}

/** A folder for the guest's memory, a file that is mapped executable: with enough space, and not mounted noexec. */
function memoryFolder(memory: number, fallback: string): string {
  const shared = '/dev/shm';
  try {
    accessSync(shared, constants.W_OK);
    const { bavail, bsize } = statfsSync(shared);
    const mount = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .find(([, place]) => place === shared);
    const executable = mount === undefined || !(mount[3] ?? '').split(',').includes('noexec');
    if (executable && bavail * bsize > (memory + 64) * 1024 * 1024) return shared;
  } catch {
    // No such folder, or not for this user.
  }
  return fallback;
}
