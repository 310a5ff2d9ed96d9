import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { CommandResult } from './ssi-image.js';

/** Processes that run, with one of these texts in their environment, each variable of which has a NUL before and after it. */
export function processesWith(marks: readonly string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const environment = `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`;
        const isDead = /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
        return !isDead && marks.some((mark) => environment.includes(mark));
      } catch {
        // It has ended just now.
        return false;
      }
    });
}

/** A program of Node that goes on meanwhile. */
export interface StartedProgram {
  readonly child: ChildProcess;
  readonly end: Promise<CommandResult>;
  /** What it has written to standard output by now. */
  said(): string;
}

/** Starts a program of Node with nothing on its standard input. */
export function startProgram(
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): StartedProgram {
  const child = spawn(process.execPath, [...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (bytes: Buffer) => {
      output[name] += bytes.toString('utf8');
    });
  const end = new Promise<CommandResult>((resolve) => {
    child.once('close', (status) => resolve({ status, ...output }));
  });
  return { child, end, said: () => output.stdout };
}
