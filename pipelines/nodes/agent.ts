import type { Readable, Writable } from 'node:stream';
import { hostError, usageError } from '../../images/diagnostic.js';
import {
  type AgentFrame,
  AgentFrameReader,
  ARGUMENTS_BYTES_MAX,
  encodeAgentFrame,
  LINE_BYTES_MAX,
  type RequestType,
  SENT_PAYLOAD_BYTES_MAX,
  WINDOW_BYTES,
} from './agent-frames.js';

/** How a command in a node ended. */
export type CommandEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly number: number };

/** What comes of a command. */
export interface CommandListener {
  /** Standard output (1) or error (2). Call `taken` when it is done with: the command gets no further ahead. */
  onOutput(stream: 1 | 2, bytes: Buffer, taken: () => void): void;
  /** So many bytes of standard input have gone to the command. */
  onTaken?(bytes: number): void;
}

/** A command that runs in a node. */
export interface RunningCommand {
  /** Rejects with a DiagnosticError when it can't be run, or the node or its agent ends first. */
  readonly end: Promise<CommandEnd>;
  /** Gives it standard input: at most WINDOW_BYTES more than were taken. */
  input(bytes: Buffer): void;
  endInput(): void;
  /** Sends a signal such as `TERM` to all of its processes. */
  signal(name: string): void;
}

interface Command {
  readonly listener: CommandListener;
  readonly resolve: (end: CommandEnd) => void;
  readonly reject: (error: Error) => void;
}

const PROTOCOL_VERSION = 1;
const COMMANDS_MAX = 0xffff;

/** The host's end of the line to a node's agent. */
export class NodeAgent {
  private readonly reader = new AgentFrameReader();
  private readonly commands = new Map<number, Command>();
  private readonly waiting = new Set<() => void>();
  /** Frames that wait for their place on the line, and bytes on it that were not read yet. */
  private readonly unsent: Buffer[] = [];
  private underWay = 0;
  private last = 0;
  private process: string | undefined;
  private isOver = false;

  /** `name` is the node's, for messages. */
  constructor(
    private readonly name: string,
    private readonly toNode: Writable,
    private readonly fromNode: Readable,
  ) {
    fromNode.on('data', (bytes: Buffer) => {
      for (const frame of this.reader.read(bytes)) this.receive(frame);
    });
    for (const stream of [toNode, fromNode]) stream.on('error', () => {});
  }

  /** Whether the agent has said that it is there. */
  get isThere(): boolean {
    return this.process !== undefined && !this.isOver;
  }

  /** Waits until the agent is there; false when it is not in time, or the signal ends it. */
  async whenThere(milliseconds: number, signal?: AbortSignal): Promise<boolean> {
    if (this.isThere || this.isOver || signal?.aborted === true) return this.isThere;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        this.waiting.delete(done);
        resolve(this.isThere);
      };
      const timer = setTimeout(done, milliseconds);
      signal?.addEventListener('abort', done);
      this.waiting.add(done);
    });
  }

  /** Starts a program in the node, with its arguments. Throws a DiagnosticError when that can't be. */
  run(command: readonly string[], listener: CommandListener): RunningCommand {
    if (!this.isThere)
      throw hostError(
        `${this.name} takes no commands: its agent does not answer`,
        `Look at its console: ssi-console, ssi-log.`,
      );
    const text = Buffer.from(command.join('\0'));
    if (text.length > ARGUMENTS_BYTES_MAX) throw usageError('the command is too long');
    if (command.some((word) => word.includes('\0'))) throw usageError('a NUL character in a command');
    const number = this.freeNumber();
    let settle: Pick<Command, 'resolve' | 'reject'> | undefined;
    const end = new Promise<CommandEnd>((resolve, reject) => {
      settle = { resolve, reject };
    });
    // Somebody else may look at it later than it fails.
    end.catch(() => {});
    if (settle !== undefined) this.commands.set(number, { listener, ...settle });
    let offset = 0;
    for (; text.length - offset > SENT_PAYLOAD_BYTES_MAX; offset += SENT_PAYLOAD_BYTES_MAX)
      this.send('A', number, text.subarray(offset, offset + SENT_PAYLOAD_BYTES_MAX));
    this.send('R', number, text.subarray(offset));
    const send = (type: RequestType, payload: Buffer): void => {
      if (this.commands.has(number)) this.send(type, number, payload);
    };
    return {
      end,
      input: (bytes) => {
        for (let start = 0; start < bytes.length; start += SENT_PAYLOAD_BYTES_MAX)
          send('I', bytes.subarray(start, start + SENT_PAYLOAD_BYTES_MAX));
      },
      endInput: () => send('I', Buffer.alloc(0)),
      signal: (name) => send('K', Buffer.from(name)),
    };
  }

  /** The node has ended: so have all commands. */
  close(): void {
    this.isOver = true;
    this.failAll('the node ended');
    this.toNode.destroy();
    this.fromNode.destroy();
    this.wake();
  }

  private receive({ type, command: number, payload }: AgentFrame): void {
    const command = this.commands.get(number);
    switch (type) {
      case 'H':
        this.greet(payload.toString('latin1'));
        return;
      case 'L':
        if (payload.length === 4) this.underWay = Math.max(0, this.underWay - payload.readUInt32BE());
        this.flush();
        return;
      case '1':
      case '2':
        command?.listener.onOutput(type === '1' ? 1 : 2, payload, () => {
          if (this.commands.has(number)) this.send('W', number, uint32(payload.length));
        });
        return;
      case 'C':
        if (payload.length === 4) command?.listener.onTaken?.(Math.min(payload.readUInt32BE(), WINDOW_BYTES));
        return;
      case 'X':
        if (command === undefined) return;
        this.commands.delete(number);
        this.finish(command, payload.toString('utf8'));
        return;
      default:
    }
  }

  /** `VERSION PROCESS` of an agent that has just started, and its answer when asked. */
  private greet(text: string): void {
    const [version = '', process = ''] = text.split(' ');
    if (version !== `${PROTOCOL_VERSION}`) return;
    if (this.process !== undefined && this.process !== process)
      this.failAll("the node's agent was started again");
    if (this.process !== process) {
      // What the last one was sent is lost.
      this.unsent.length = 0;
      this.underWay = 0;
    }
    this.process = process;
    this.wake();
  }

  private finish({ resolve, reject }: Command, text: string): void {
    const [, kind, number = ''] = /^(exit|signal) (\d{1,3})$/.exec(text) ?? [];
    if (kind === 'exit') resolve({ kind, code: Number(number) });
    else if (kind === 'signal') resolve({ kind, number: Number(number) });
    else reject(hostError(`${this.name}: ${text.replace(/^error /, '')}`));
  }

  private failAll(reason: string): void {
    for (const { reject } of this.commands.values()) reject(hostError(`${this.name}: ${reason}`));
    this.commands.clear();
  }

  private wake(): void {
    for (const done of [...this.waiting]) done();
  }

  private freeNumber(): number {
    do this.last = (this.last % COMMANDS_MAX) + 1;
    while (this.commands.has(this.last));
    return this.last;
  }

  private send(type: RequestType, command: number, payload: Buffer): void {
    this.unsent.push(encodeAgentFrame(type, command, payload));
    this.flush();
  }

  /** Sends what the line takes at the moment. */
  private flush(): void {
    while (!this.toNode.destroyed) {
      const [frame] = this.unsent;
      if (frame === undefined || this.underWay + frame.length > LINE_BYTES_MAX) return;
      this.unsent.shift();
      this.underWay += frame.length;
      this.toNode.write(frame);
    }
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
