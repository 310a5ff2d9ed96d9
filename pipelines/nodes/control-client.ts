import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readableHostError } from '../../images/bytes/host-error.js';
import { DiagnosticError, hostError, usageError } from '../../images/diagnostic.js';
import type { ClusterListener } from './cluster-events.js';
import { CONTROL_VERSION, type Reply, type Request, type Result } from './control-messages.js';
import { encodeFrame, encodeMessage, framesOf } from './frames.js';
import { type ClusterPlaces, DEFAULT_CLUSTER, knownClusters, placesOf } from './places.js';
import { isSupervised, supervisorState } from './supervisor-state.js';

/** How long a supervisor may take to be there, in milliseconds. */
const START_MILLISECONDS = 20_000;
const POLL_MILLISECONDS = 20;

export interface RequestOptions {
  readonly listener?: ClusterListener;
  /** Ends the connection: what the request began is undone. */
  readonly signal?: AbortSignal;
  readonly onOutput?: (stream: 'output' | 'error-output', bytes: Buffer) => void | Promise<void>;
  /** Called when a console is attached, or a command runs: from then on there may be input. */
  readonly onAttached?: () => void;
}

/** A command's connection to a cluster. */
export class ClusterConnection {
  private constructor(private readonly socket: Socket) {}

  /** Connects to a cluster that runs; undefined when it does not. */
  static async open(places: ClusterPlaces): Promise<ClusterConnection | undefined> {
    // Between taking the cluster and being there a supervisor needs a moment.
    const until = performance.now() + START_MILLISECONDS;
    while (isSupervised(places)) {
      const state = supervisorState(places);
      const socket = state === undefined ? undefined : await connected(state.socket);
      if (socket !== undefined && state !== undefined) {
        if (state.version === CONTROL_VERSION) return new ClusterConnection(socket);
        socket.destroy();
        throw hostError(
          `the cluster ${places.name} was started by another version of this program`,
          'Stop it with that version.',
        );
      }
      if (performance.now() > until)
        throw hostError(
          `the cluster ${places.name} does not answer`,
          state === undefined
            ? undefined
            : `Its supervisor is process ${state.pid}: when that is killed, its nodes end, and the next command cleans up.`,
        );
      await sleep(POLL_MILLISECONDS);
    }
    return undefined;
  }

  /** Asks for something and waits for the answer. Throws the DiagnosticError that the cluster answers with. */
  async request(request: Request, options: RequestOptions = {}): Promise<Result> {
    const { signal } = options;
    const { socket } = this;
    const abort = (): void => void socket.destroy();
    signal?.addEventListener('abort', abort);
    if (signal?.aborted === true) abort();
    socket.write(encodeMessage(request));
    let attached: Result | undefined;
    try {
      for await (const { type, payload } of framesOf(socket)) {
        if (type === 'output' || type === 'error-output') await options.onOutput?.(type, payload);
        if (type !== 'message') continue;
        const reply = JSON.parse(payload.toString('utf8')) as Reply;
        if (reply.type === 'event') options.listener?.(reply.event);
        else if (reply.type === 'failed') throw new DiagnosticError(reply.diagnostics);
        else if (reply.result.kind === 'attached') {
          attached = reply.result;
          options.onAttached?.();
        } else return reply.result;
      }
    } catch (error) {
      if (error instanceof DiagnosticError) throw error;
      if (signal?.aborted !== true)
        throw hostError(`the connection to the cluster broke: ${(error as Error).message}`);
    } finally {
      signal?.removeEventListener('abort', abort);
      socket.destroy();
    }
    if (attached !== undefined) return attached;
    if (signal?.aborted === true) throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
    throw hostError('the cluster has ended meanwhile');
  }

  /** Gives standard input, and waits while the other side is slower; no bytes: its end. */
  async input(bytes: Buffer): Promise<void> {
    if (this.socket.destroyed) return;
    if (!this.socket.write(encodeFrame('input', bytes)))
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.socket.off('drain', done);
          this.socket.off('close', done);
          resolve();
        };
        this.socket.once('drain', done);
        this.socket.once('close', done);
      });
  }

  signal(name: string): void {
    if (!this.socket.destroyed) this.socket.write(encodeMessage({ type: 'signal', name }));
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Connects to a cluster, and starts its supervisor first where it has none: `program` is what Node runs for that. */
export async function connectOrLaunch(places: ClusterPlaces, program: string): Promise<ClusterConnection> {
  const until = performance.now() + START_MILLISECONDS;
  for (;;) {
    const connection = await ClusterConnection.open(places);
    if (connection !== undefined) return connection;
    await launch(places, program);
    if (performance.now() > until) throw hostError(`the cluster ${places.name} does not come up`);
  }
}

/**
 * The places of the cluster that a command without a name means: the only one that runs, or the only one there is, or else
 * the default one. Throws a DiagnosticError when several run.
 */
export function placesMeant(name: string | undefined): ClusterPlaces {
  if (name !== undefined) return placesOf(name);
  const known = knownClusters();
  const running = known.filter((each) => isSupervised(placesOf(each)));
  if (running.length > 1)
    throw usageError(`several clusters are running: ${running.join(', ')}`, 'Say which: --name NAME.');
  const [only = DEFAULT_CLUSTER] = running.length === 1 ? running : known.length === 1 ? known : [];
  return placesOf(only);
}

async function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.on('error', () => {});
      resolve(socket);
    });
    socket.once('error', () => resolve(undefined));
  });
}

/** Starts a supervisor, and waits until it is there, or has seen that another one is. Throws what it failed with. */
async function launch(places: ClusterPlaces, program: string): Promise<void> {
  let log: number;
  try {
    mkdirSync(places.logs, { recursive: true, mode: 0o700 });
    log = openSync(join(places.logs, 'supervisor.log'), 'a', 0o600);
  } catch (cause) {
    throw readableHostError(cause, places.logs);
  }
  const child = spawn(process.execPath, [program, places.name], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  let said = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    said += chunk.toString('utf8');
    if (said.includes('\n')) break;
  }
  child.unref();
  let answer: Reply | undefined;
  try {
    answer = JSON.parse(said) as Reply;
  } catch {
    throw hostError('the supervisor does not start', `Its log: ${join(places.logs, 'supervisor.log')}`);
  }
  if (answer.type === 'failed') throw new DiagnosticError(answer.diagnostics);
}
