import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compiledInto } from './compiled.js';
import { processesWith, type StartedProgram, startProgram } from './processes.js';
import type { CommandResult } from './ssi-image.js';

const COMMANDS = ['start', 'add', 'rm', 'stop', 'status', 'exec', 'log', 'console'] as const;
export type ClusterCommand = (typeof COMMANDS)[number];

export interface ClusterCommandOptions {
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** The commands of clusters, as a user with a home folder of its own would run them. */
export class ClusterCommands {
  private readonly programs: string;

  constructor(readonly home: string) {
    const [first = '', ...others] = ['supervisor', ...COMMANDS].map((name) => `scripts/ssi-${name}.ts`);
    const folder = mkdtempSync(join(dirname(home), 'programs-'));
    this.programs = dirname(compiledInto(folder, first, ...others));
  }

  /** Runs a command to its end. */
  run(command: ClusterCommand, args: readonly string[], options: ClusterCommandOptions = {}): CommandResult {
    const { status, stdout, stderr, error } = spawnSync(process.execPath, [this.program(command), ...args], {
      encoding: 'utf8',
      timeout: 300_000,
      maxBuffer: 64 * 1024 * 1024,
      input: options.input ?? '',
      cwd: options.cwd ?? this.home,
      env: this.environment(options.env),
    });
    if (error !== undefined) throw error;
    return { status, stdout, stderr };
  }

  /** Runs a command that has to succeed; its standard output. */
  output(command: ClusterCommand, ...args: string[]): string {
    const { status, stdout, stderr } = this.run(command, args);
    if (status !== 0)
      throw new Error(`ssi-${command} ${args.join(' ')} exited with ${status}:\n${stderr}${stdout}`);
    return stdout;
  }

  /** Starts a command that goes on meanwhile. */
  start(command: ClusterCommand, args: readonly string[]): StartedProgram {
    return startProgram([this.program(command), ...args], { cwd: this.home, env: this.environment() });
  }

  /** Processes of this home's clusters that run: guests, switches, supervisors. */
  processes(): number[] {
    return processesWith([`\0HOME=${this.home}`, `=${this.home}/.ssiuml/`]);
  }

  /** Waits until no process of the clusters is left, which they have to see to themselves; kills what stays. */
  async whenAllGone(milliseconds = 20_000): Promise<number[]> {
    const until = performance.now() + milliseconds;
    while (this.processes().length > 0 && performance.now() < until) await sleep(50);
    const left = this.processes();
    this.killAll();
    return left;
  }

  /** For the end of a test that failed. */
  killAll(): void {
    for (const pid of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
  }

  /** What a folder below the home holds; nothing when there is none. */
  names(...path: string[]): string[] {
    try {
      return readdirSync(join(this.home, ...path)).sort();
    } catch {
      return [];
    }
  }

  private program(command: ClusterCommand): string {
    return join(this.programs, `ssi-${command}.js`);
  }

  private environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const { XDG_RUNTIME_DIR: _, ...own } = process.env;
    return { ...own, HOME: this.home, NO_COLOR: '1', TERM: 'dumb', ...more };
  }
}
