import { $, quote } from 'zx/core';
import { DiagnosticError } from '../../images/diagnostic.js';
import { deathGuard } from '../death-guard.js';
import { requireProgram } from '../program-folders.js';

/** How long output may stay open after its program has ended, in milliseconds. */
const OUTPUT_GRACE = 2000;

/** What a timer can wait for, in milliseconds: beyond, it would not wait at all. */
const TIMER_MAX = 2 ** 31 - 1;

export interface ProgramOptions {
  readonly cwd: string;
  /** All of the program's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly timeLimit: number;
  readonly signal?: AbortSignal | undefined;
  /** Gets standard output and standard error together, in the order they were written. */
  readonly onOutput?: (chunk: Buffer) => void;
  /** Called when the program has ended, however it did: ends what it may have left running. */
  readonly onEnd?: () => void;
  /** The same as text for bash, for when this process is killed before the program has ended. */
  readonly onDeath?: string;
}

/** How a program ended. */
export type ProgramEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'time limit' };

/** What zx would keep of the output: nothing, as there may be any amount of it. */
class Discarded extends Array<string | Buffer> {
  override push(): number {
    return 0;
  }
}

/**
 * Runs a program to its end in a process group of its own, with nothing to read. After the time limit, on an abort,
 * and when this process ends, be it by SIGKILL, the whole group is killed. Throws a DiagnosticError of kind
 * `interrupted` on an abort.
 */
export async function runProgram(command: readonly string[], options: ProgramOptions): Promise<ProgramEnd> {
  const { signal, onOutput, onEnd } = options;
  if (signal?.aborted === true) throw interrupted();
  const running = start(command, options);
  let end: 'time limit' | 'interrupted' | undefined;
  let fault: unknown;
  const kill = (): void => killGroup(running.child?.pid);
  const onAbort = (): void => {
    end ??= 'interrupted';
    kill();
  };
  const timer = setTimeout(
    () => {
      end ??= 'time limit';
      kill();
    },
    Math.min(options.timeLimit * 1000, TIMER_MAX),
  );
  running.child?.stdout?.on('data', (chunk: Buffer) => {
    if (fault !== undefined) return;
    try {
      onOutput?.(chunk);
    } catch (cause) {
      fault = cause;
      kill();
    }
  });
  running.child?.once('exit', () => {
    // What the program left in its group, and whoever else holds its output, ends with it.
    kill();
    onEnd?.();
    setTimeout(() => running.child?.stdout?.destroy(), OUTPUT_GRACE).unref();
  });
  signal?.addEventListener('abort', onAbort);
  process.once('exit', kill);
  try {
    const { exitCode, signal: killedBy } = await running;
    if (end === 'interrupted') throw interrupted();
    if (fault !== undefined) throw fault;
    if (end === 'time limit') return { kind: end };
    return killedBy === null ? { kind: 'exit', code: exitCode ?? -1 } : { kind: 'signal', signal: killedBy };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    process.removeListener('exit', kill);
  }
}

function start(command: readonly string[], { cwd, environment, onDeath }: ProgramOptions) {
  const shell = requireProgram('bash');
  const store = { stdout: new Discarded(), stderr: new Discarded(), stdall: new Discarded() };
  // Everything is said here: zx takes defaults from the environment (ZX_SHELL, ZX_PREFIX, …).
  const settings = {
    shell,
    quote,
    prefix: deathGuard('KILL', onDeath),
    postfix: '',
    preferLocal: false,
    verbose: false,
    quiet: true,
  };
  const stdio: ['ignore', 'pipe', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe', 'pipe'];
  const process = { cwd, env: { ...environment }, stdio, detached: true, nothrow: true, store };
  return $({ ...settings, ...process })`exec ${command} 2>&1`;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

function interrupted(): DiagnosticError {
  return new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
}
