import { DiagnosticError, hostError } from '../../images/diagnostic.js';
import type { CommandEnd } from './agent.js';
import { requestSchema } from './control-messages.js';
import { encodeFrame, encodeMessage, type Frame, type FrameType } from './frames.js';
import type { ClusterNode } from './node.js';
import type { Connection } from './supervisor.js';

/** What may wait for a reader that is slower than a console, in bytes. */
const UNREAD_BYTES_MAX = 1024 * 1024;
/** How long a node's agent may take to be there, in milliseconds. */
const AGENT_MILLISECONDS = 5000;

/**
 * Runs a command in a node for a connection: standard input comes as frames, output goes as frames. When the connection
 * breaks the command is hung up on.
 */
export async function runInNode(
  node: ClusterNode,
  command: readonly string[],
  { socket, frames, gone }: Connection,
): Promise<CommandEnd> {
  const { agent } = node;
  if (agent === undefined)
    throw hostError(`${node.name} takes no commands: its root has no agent`, 'Use its console: ssi-console.');
  await agent.whenThere(AGENT_MILLISECONDS);
  const window = new Window();
  const running = agent.run(command, {
    onOutput: (stream, bytes, taken) => {
      if (socket.destroyed) taken();
      else socket.write(encodeFrame(stream === 1 ? 'output' : 'error-output', bytes), () => taken());
    },
    onTaken: (bytes) => window.free(bytes),
  });
  const hangUp = (): void => {
    running.signal('HUP');
    setTimeout(() => running.signal('KILL'), 1000).unref();
  };
  gone.addEventListener('abort', hangUp);
  // From now on it takes input.
  socket.write(encodeMessage({ type: 'done', result: { kind: 'attached' } }));
  const feeding = (async () => {
    for await (const frame of frames) {
      if (frame.type === 'message') {
        const request = requestSchema.safeParse(parsed(frame));
        if (request.data?.type === 'signal') running.signal(request.data.name);
      } else if (frame.type === 'input') {
        if (frame.payload.length === 0) running.endInput();
        else await window.pass(frame.payload, (piece) => running.input(piece));
      }
    }
  })();
  feeding.catch(() => socket.destroy());
  try {
    return await running.end;
  } finally {
    gone.removeEventListener('abort', hangUp);
    window.close();
  }
}

/** Hands a node's console to a connection until either ends. */
export async function attachConsole(node: ClusterNode, { socket, frames, gone }: Connection): Promise<void> {
  const write = (type: FrameType, bytes: Buffer): void => {
    if (socket.destroyed || socket.writableEnded) return;
    if (socket.writableLength > UNREAD_BYTES_MAX) socket.destroy();
    else socket.write(encodeFrame(type, bytes));
  };
  // What it showed before comes first: so whoever attaches still sees how to detach.
  const detach = node.console.attach((bytes) => write('output', bytes));
  socket.write(encodeMessage({ type: 'done', result: { kind: 'attached' } }));
  const typing = (async () => {
    for await (const { type, payload } of frames)
      if (type === 'input' && payload.length > 0) node.type(payload);
  })();
  typing.catch(() => socket.destroy());
  try {
    await Promise.race([node.ended, typing.catch(() => {}), aborted(gone)]);
  } finally {
    detach();
  }
}

/** Counts what is under way, so that no more is than may be. */
class Window {
  private left = 65_536;
  private wake: () => void = () => {};
  private isOver = false;

  free(bytes: number): void {
    this.left += bytes;
    this.wake();
  }

  async pass(bytes: Buffer, send: (piece: Buffer) => void): Promise<void> {
    for (let offset = 0; offset < bytes.length && !this.isOver; ) {
      if (this.left <= 0) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        continue;
      }
      const piece = bytes.subarray(offset, offset + this.left);
      this.left -= piece.length;
      offset += piece.length;
      send(piece);
    }
  }

  close(): void {
    this.isOver = true;
    this.wake();
  }
}

function parsed({ payload }: Frame): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    throw new DiagnosticError({ kind: 'usage', message: 'no message' });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}
