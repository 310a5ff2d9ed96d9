import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex, Readable, Writable } from 'node:stream';
import { hostError } from '../../images/diagnostic.js';
import { deathGuard } from '../death-guard.js';
import { requireProgram } from '../program-folders.js';
import { endGroup, signalGroup } from './process-group.js';

export interface GuestProcessOptions {
  readonly kernel: string;
  readonly commandLine: readonly string[];
  /** Where it runs, and is at home. */
  readonly folder: string;
  /** Folder for its memory. */
  readonly memoryFolder: string;
  /** Descriptor that its processes hold open, so that the lock on the image stays as long as any of them. */
  readonly imageLock: number | undefined;
  /** Says whose it is, for whoever finds it without its supervisor. */
  readonly mark: string;
}

/** How long output is read after the process has ended, in milliseconds. */
const OUTPUT_GRACE = 300;

/** Variable of the environment that holds the mark of a guest's processes. */
export const MARK_VARIABLE = 'SSIUML_CLUSTER';

/**
 * A kernel of User-Mode Linux as a process of the host. It has a process group of its own, as the guest's processes are
 * processes of the host, and what counts is that none of them is left. The group ends with the process that started it,
 * also when that is killed.
 */
export class GuestProcess {
  /** Resolves when the first process has ended, its output has been read and nothing of the group is left. */
  readonly ended: Promise<void>;
  readonly group: number;
  /** What it shows. */
  readonly output: readonly Readable[];
  readonly input: Writable;
  /** The line to the agent and back: two, as User-Mode Linux gets confused with one descriptor for both ways. */
  readonly toAgent: Writable;
  readonly fromAgent: Readable;
  private hasEnded = false;

  private constructor(
    child: ChildProcess,
    private readonly streams: readonly (Readable | Writable)[],
    parts: Pick<GuestProcess, 'group' | 'output' | 'input' | 'toAgent' | 'fromAgent'>,
  ) {
    this.group = parts.group;
    this.output = parts.output;
    this.input = parts.input;
    this.toAgent = parts.toAgent;
    this.fromAgent = parts.fromAgent;
    this.ended = new Promise((resolve) => {
      child.once('exit', () => void this.finish().then(resolve));
    });
  }

  /** Throws a DiagnosticError when it can't be started. */
  static start(options: GuestProcessOptions): GuestProcess {
    const shell = requireProgram('bash');
    const child = spawn(
      shell,
      ['-c', `${deathGuard('KILL')}exec "$@"`, 'guest', options.kernel, ...options.commandLine],
      {
        cwd: options.folder,
        detached: true,
        env: {
          PATH: '/usr/local/bin:/usr/bin:/bin',
          HOME: options.folder,
          TMPDIR: options.memoryFolder,
          [MARK_VARIABLE]: options.mark,
        },
        // 3 is the guard's, 4 and 5 the agent's, 6 the lock.
        stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', options.imageLock ?? 'ignore'],
      },
    );
    const { pid, stdin, stdout, stderr } = child;
    const [guard, toAgent, fromAgent] = child.stdio.slice(3, 6) as (Duplex | null | undefined)[];
    child.on('error', () => {});
    if (pid === undefined || stdin === null || stdout === null || stderr === null)
      throw hostError('a process could not be started', 'Look at ulimit -u and ulimit -n.');
    if (!guard || !toAgent || !fromAgent) throw new Error('a process without its pipes');
    const streams = [stdin, stdout, stderr, guard, toAgent, fromAgent];
    for (const stream of streams) stream.on('error', () => {});
    return new GuestProcess(child, streams, {
      group: pid,
      output: [stdout, stderr],
      input: stdin,
      toAgent,
      fromAgent,
    });
  }

  get runs(): boolean {
    return !this.hasEnded;
  }

  signal(name: NodeJS.Signals): void {
    signalGroup(this.group, name);
  }

  /** Ends it as if its power went. False when something of it stays nevertheless. */
  async kill(): Promise<boolean> {
    if (this.hasEnded) return true;
    const gone = await endGroup(this.group);
    await this.ended;
    return gone;
  }

  private async finish(): Promise<void> {
    // Nothing of a guest may run on: not the guard, nor a process of which the kernel lost sight.
    await endGroup(this.group);
    const [stdout] = this.output;
    if (stdout !== undefined && !stdout.readableEnded)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, OUTPUT_GRACE);
        stdout.once('end', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    this.hasEnded = true;
    for (const stream of this.streams) stream.destroy();
  }
}
