import { DiagnosticError, printable } from '../../images/diagnostic.js';
import { NODE_FAILED, NODE_LEFT } from '../ramdisk/node-init.js';
import { NodeAgent } from './agent.js';
import { Console } from './console.js';
import type { BoundedLog } from './console-log.js';
import { GuestProcess, type GuestProcessOptions } from './guest-process.js';

/** The console shows a line that begins with this when all of a node's services are up. */
const NODE_READY = 'NODE-READY';

/** What the ramdisk's /init says at a milestone. */
const MILESTONE_STEPS: readonly (readonly [RegExp, Milestone])[] = [
  [/^joined the membership$/, 'joined'],
  [/^dlm_controld up\b/, 'formed'],
  [/^joined the lockspace$/, 'in-lockspace'],
];
/** What /init says of each step. */
const STEP = /^ramdisk\[[\d.]+\]: (.*)$/;

/** How far a node is. Each comes after the ones before it. */
const MILESTONES = [
  'started',
  /** It has found others. */
  'joined',
  /** Its lock manager is up. */
  'formed',
  /** It has locks for the root. */
  'in-lockspace',
  'ready',
] as const;
export type Milestone = (typeof MILESTONES)[number];

/** Why a node is not there any more. */
export type NodeEnd =
  /** Shut down in good order. */
  | 'left'
  /** Its power was cut: ssi-rm. */
  | 'crashed'
  /** Ended because others asked for it. */
  | 'fenced'
  /** It did not come up. */
  | 'failed'
  /** Ended from the host, as it did not shut down in time. */
  | 'killed'
  /** By itself, in the middle of something. */
  | 'died';

export interface NodeOptions extends GuestProcessOptions {
  readonly number: number;
  /** What it is called: `node1`, `lock-server`. */
  readonly name: string;
  readonly log: BoundedLog;
  /** What the console shows when it is up: a root of 2002 shows a prompt only. */
  readonly readyWhen: (line: string) => boolean;
  /** Whether an agent is on the line. */
  readonly hasAgent: boolean;
  /** Whether it has to wait until it may look for others (`mayJoin`). */
  readonly isHeld: boolean;
  /** Gets what the node is at, a line each. */
  readonly onStep: (text: string) => void;
}

/** Whether a console's line says that a node of today is up. */
export function saysReady(line: string): boolean {
  return line.startsWith(NODE_READY);
}

/** A node of a cluster, from the start of its processes to their end. */
export class ClusterNode {
  readonly number: number;
  readonly name: string;
  readonly console: Console;
  readonly agent: NodeAgent | undefined;
  /** Milliseconds since 1970. */
  readonly startedAt = Date.now();
  readyAt: number | undefined;
  /** Whether it was asked to shut down. */
  isLeaving = false;
  private isHeld: boolean;
  /** Resolves when none of its processes is left. */
  readonly ended: Promise<void>;
  private milestone: Milestone = 'started';
  private endedAs: NodeEnd | undefined;
  private failure: string | undefined;
  private hasLeft = false;
  private readonly guest: GuestProcess;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly options: NodeOptions) {
    this.number = options.number;
    this.name = options.name;
    this.isHeld = options.isHeld;
    this.guest = GuestProcess.start(options);
    this.console = new Console(options.log, (line) => this.read(line));
    for (const stream of this.guest.output)
      stream.on('data', (bytes: Buffer) => {
        this.console.show(bytes);
        if (this.milestone !== 'ready' && options.readyWhen(this.console.openLine)) this.reach('ready');
      });
    this.agent = options.hasAgent
      ? new NodeAgent(options.name, this.guest.toAgent, this.guest.fromAgent)
      : undefined;
    this.ended = this.guest.ended.then(() => this.finish());
  }

  get runs(): boolean {
    return this.guest.runs;
  }

  get group(): number {
    return this.guest.group;
  }

  /** Why it ended; undefined while it runs. */
  get end(): NodeEnd | undefined {
    return this.guest.runs ? undefined : (this.endedAs ?? 'died');
  }

  has(milestone: Milestone): boolean {
    return MILESTONES.indexOf(this.milestone) >= MILESTONES.indexOf(milestone);
  }

  /**
   * Waits until the node is so far. Throws a DiagnosticError with the console's last lines when it ends or the time is up
   * before.
   */
  async reaches(milestone: Milestone, milliseconds: number, signal?: AbortSignal): Promise<void> {
    const until = performance.now() + milliseconds;
    for (;;) {
      if (this.has(milestone)) return;
      if (signal?.aborted === true)
        throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
      if (!this.runs) throw this.fault(this.failure ?? reasons[this.end ?? 'died']);
      const left = until - performance.now();
      if (left <= 0) {
        const seconds = Math.round((Date.now() - this.startedAt) / 1000);
        // Whoever waits too, and sees that it was ended for this, says the same.
        this.failure ??= `it is not up after ${seconds} s`;
        throw this.fault(this.failure);
      }
      await this.change(left, signal);
    }
  }

  /** There is a cluster, and it is its turn to join it. */
  mayJoin(): void {
    this.isHeld = false;
  }

  /** Input of the console. */
  type(bytes: Buffer): void {
    this.guest.input.write(bytes);
  }

  signal(name: NodeJS.Signals): void {
    this.guest.signal(name);
  }

  /** Ends all of its processes. False when one can't be ended. */
  async kill(as: NodeEnd): Promise<boolean> {
    if (this.guest.runs) this.endedAs ??= as;
    const gone = await this.guest.kill();
    if (gone) await this.ended;
    return gone;
  }

  /** Waits until the node has ended; false when it has not in time. */
  async endsWithin(milliseconds: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), milliseconds);
    });
    try {
      return await Promise.race([this.ended.then(() => true), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private read(line: string): void {
    const step = STEP.exec(line)?.[1];
    if (step !== undefined) {
      this.options.onStep(printable(step));
      const milestone = MILESTONE_STEPS.find(([text]) => text.test(step))?.[1];
      if (milestone === 'joined' && this.isHeld) {
        this.failure ??= 'its ramdisk does not wait until it may join: build it again';
        void this.kill('failed');
      }
      if (milestone !== undefined) this.reach(milestone);
    } else if (line.startsWith(`${NODE_FAILED} `)) {
      this.failure ??= line.slice(line.indexOf(':') + 1).trim();
    } else if (line.startsWith(NODE_LEFT)) {
      this.hasLeft = true;
    }
    if (this.options.readyWhen(line)) this.reach('ready');
  }

  private reach(milestone: Milestone): void {
    if (this.has(milestone)) return;
    this.milestone = milestone;
    if (milestone === 'ready') this.readyAt = Date.now();
    this.wake();
  }

  private finish(): void {
    this.endedAs ??= this.hasLeft ? 'left' : this.milestone === 'ready' ? 'died' : 'failed';
    this.console.close();
    this.agent?.close();
    this.wake();
  }

  private change(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        this.waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal?.addEventListener('abort', done);
      this.waiting.add(done);
    });
  }

  private wake(): void {
    for (const done of [...this.waiting]) done();
  }

  private fault(reason: string): DiagnosticError {
    return new DiagnosticError({
      kind: 'host',
      message: `${this.name} did not come up: ${reason}`,
      excerpt: this.console.lastLines(),
      hint: `The whole of its console: ssi-log ${this.number}`,
    });
  }
}

const reasons: Record<NodeEnd, string> = {
  left: 'it shut down',
  crashed: 'it was ended by ssi-rm',
  fenced: 'the others had it ended',
  failed: 'it ended',
  killed: 'it was ended',
  died: 'it ended',
};
