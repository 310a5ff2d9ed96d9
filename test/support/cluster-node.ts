import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { NodeAgent } from '../../pipelines/nodes/agent.js';

export interface NodeOptions {
  readonly number: number;
  /** `umlKernel` of the scratch folder. */
  readonly kernel: string;
  readonly ramdisk: string;
  /** The shared root. */
  readonly root: string;
  /** Further words of the kernel's command line. */
  readonly commandLine: readonly string[];
  /** A folder for the guest's sockets and, without /dev/shm, its memory. */
  readonly scratch: string;
}

/** How a command in a node went. */
interface CommandResult {
  /** Its exit status, or 128 and the number of the signal that ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Multicast address and port of the network between the nodes: another one for each test run. */
const GROUP = '239.192.77.1';
const PORT = 20_000 + (process.pid % 20_000);

/** Whether nodes can reach each other: over multicast of this host. */
export function multicastWorks(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    socket.once('error', () => resolve(false));
    socket.bind(0, () => {
      try {
        socket.addMembership(GROUP);
        resolve(true);
      } catch {
        resolve(false);
      }
      socket.close();
    });
  });
}

/** How long a command in a node may take. */
const COMMAND_MILLISECONDS = 120_000;

const running = new Set<ClusterNode>();
process.on('exit', () => {
  for (const node of running) node.signal('SIGKILL');
});

/** A node of a cluster in User-Mode Linux, booted from a ramdisk. */
export class ClusterNode {
  private console = '';
  private ended = false;
  private readonly child: ChildProcess;
  private readonly folder: string;
  private readonly agent: NodeAgent;
  private notify: () => void = () => {};

  constructor({ number, kernel, ramdisk, root, commandLine, scratch }: NodeOptions) {
    this.folder = mkdtempSync(join(scratch, `node${number}-`));
    this.child = spawn(
      kernel,
      [
        'mem=256M',
        `initrd=${ramdisk}`,
        'rdinit=/init',
        `ubd0c=${root}`,
        `eth0=mcast,fe:fd:0a:4d:00:0${number},${GROUP},${PORT},0`,
        'quiet',
        // As ssi-start has it.
        ...['initcall_blacklist=raid6_select_algo', 'selinux=0', 'audit=0'],
        'con=null',
        'con0=null,fd:1',
        'con1=fd:4,fd:5',
        `uml_dir=${this.folder}`,
        `umid=node${number}`,
        `node=${number}`,
        ...commandLine,
      ],
      {
        cwd: this.folder,
        detached: true,
        env: { ...process.env, HOME: this.folder, TMPDIR: '/dev/shm' },
        stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'pipe', 'pipe'],
      },
    );
    running.add(this);
    // Node's types know five streams only.
    const streams: readonly unknown[] = this.child.stdio;
    const [input, output] = streams.slice(4);
    this.agent = new NodeAgent(`node${number}`, input as Writable, output as Readable);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.console += data.toString('latin1');
        this.notify();
      });
    }
    this.child.once('exit', () => {
      this.ended = true;
      this.agent.close();
      // What the pipe still holds is read first.
      setTimeout(() => this.notify(), 300);
    });
  }

  /** Waits until the console shows something; gives all that it has shown. Throws when it does not, or the node ends. */
  async shows(pattern: RegExp, milliseconds: number): Promise<string> {
    const until = performance.now() + milliseconds;
    while (!pattern.test(this.console)) {
      const left = until - performance.now();
      if (this.ended || left <= 0) {
        const reason = this.ended ? 'ended' : `did not in ${milliseconds} ms`;
        throw new Error(`the node was to show ${pattern}, but ${reason}; its console:\n${this.console}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 500));
        this.notify = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.console;
  }

  /** Runs a script of sh in the node, if the node's root has an agent that listens. */
  async sh(script: string): Promise<CommandResult> {
    if (!(await this.agent.whenThere(30_000))) throw new Error(`no agent in the node:\n${this.console}`);
    const output = { 1: '', 2: '' };
    const command = this.agent.run(['sh', '-c', script], {
      onOutput: (stream, bytes, taken) => {
        output[stream] += bytes.toString();
        taken();
      },
    });
    command.endInput();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no end of: ${script}\n${this.console}`)),
        COMMAND_MILLISECONDS,
      );
    });
    const end = await Promise.race([command.end, late]).finally(() => clearTimeout(timer));
    const status = end.kind === 'exit' ? end.code : 128 + end.number;
    return { status, stdout: output[1], stderr: output[2] };
  }

  /** Waits until the node has gone off by itself. Throws when it does not. */
  async ends(milliseconds: number): Promise<void> {
    for (const until = performance.now() + milliseconds; !this.ended; ) {
      if (performance.now() > until) throw new Error(`the node runs on; its console:\n${this.console}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** To all processes of the guest: they are processes of the host. */
  signal(name: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, name);
    } catch {
      // They are gone.
    }
  }

  /** Ends the node as if its power went. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    while (!this.ended) await new Promise((resolve) => setTimeout(resolve, 50));
    for (const stream of this.child.stdio) stream?.destroy();
    running.delete(this);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
