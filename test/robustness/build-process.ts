import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { BuildEvent } from '../../pipelines/engine/events.js';

const program = fileURLToPath(new URL('../../scripts/ssi-image.js', import.meta.url));

/** A build that takes longer than this hangs, in milliseconds. */
const HANG_MILLISECONDS = 120_000;

/** How a build ended. */
export interface BuildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Events, of a build with `--json`. */
  readonly events: readonly BuildEvent[];
  /** Lines on standard error that are no events. */
  readonly messages: readonly string[];
  readonly milliseconds: number;
}

export interface BuildStart {
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  /** File for its standard error. */
  readonly log: string;
  /** Options of node. */
  readonly node?: readonly string[];
  /** A command that runs the command which follows. */
  readonly wrapper?: readonly string[];
}

const running = new Set<BuildProcess>();

/** Ends all builds that run: for a program that ends before they do. */
export function killBuilds(): void {
  for (const build of running) build.kill('SIGKILL');
}

/** `ssi-image build` as a process, in a process group of its own. */
export class BuildProcess {
  readonly ended: Promise<BuildEnd>;
  private readonly child: ChildProcess;
  private readonly started = performance.now();
  private readonly log: string;
  private isOver = false;

  constructor(start: BuildStart) {
    const [command = '', ...rest] = [
      ...(start.wrapper ?? []),
      ...[process.execPath, ...(start.node ?? []), program, 'build', ...start.arguments],
    ];
    // Into a file: nobody has to read while the build runs, and what was printed before a kill is there.
    this.log = start.log;
    const log = openSync(start.log, 'w');
    this.child = spawn(command, rest, {
      cwd: start.folder,
      env: { ...start.environment },
      stdio: ['ignore', 'ignore', log],
      detached: true,
    });
    closeSync(log);
    running.add(this);
    this.ended = new Promise((resolve, reject) => {
      const tooLong = setTimeout(() => {
        this.kill('SIGKILL');
        reject(new Error(`a build hangs: ${rest.join(' ')}`));
      }, HANG_MILLISECONDS);
      this.child.on('error', reject);
      this.child.on('exit', (code, signal) => {
        clearTimeout(tooLong);
        this.isOver = true;
        running.delete(this);
        resolve({ code, signal, milliseconds: performance.now() - this.started, ...readLog(start.log) });
      });
    });
  }

  /** What it has printed by now. */
  printed(): string {
    return readFileSync(this.log, 'utf8');
  }

  /** The process that runs, or the whole group, as Ctrl-C on a terminal does. Nothing happens to one that has ended. */
  kill(signal: NodeJS.Signals, whom: 'process' | 'group' = 'process'): void {
    const { pid } = this.child;
    if (this.isOver || pid === undefined) return;
    try {
      process.kill(whom === 'group' ? -pid : pid, signal);
    } catch {
      // It has ended, and we are not told yet.
    }
  }

  /** Sends a signal after some milliseconds, if the build runs by then. */
  async killAfter(milliseconds: number, signal: NodeJS.Signals, whom?: 'process' | 'group'): Promise<void> {
    await Promise.race([sleep(milliseconds), this.ended]);
    this.kill(signal, whom);
  }
}

function readLog(path: string): Pick<BuildEnd, 'events' | 'messages'> {
  const events: BuildEvent[] = [];
  const messages: string[] = [];
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line === '') continue;
    const event = line.startsWith('{"') ? eventIn(line) : undefined;
    if (event === undefined) messages.push(line);
    else events.push(event);
  }
  return { events, messages };
}

/** Undefined for a line that is none, or that a kill cut off. */
function eventIn(line: string): BuildEvent | undefined {
  try {
    return JSON.parse(line) as BuildEvent;
  } catch {
    return undefined;
  }
}
