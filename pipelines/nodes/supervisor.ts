import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { readableHostError } from '../../images/bytes/host-error.js';
import { Pace } from '../../images/bytes/pace.js';
import { type Diagnostic, DiagnosticError, hostError, usageError } from '../../images/diagnostic.js';
import { type Lock, tryLock } from '../cache/lock.js';
import { removeAll } from '../cache/scratch.js';
import { nodeName } from '../ramdisk/node-network.js';
import { Cluster } from './cluster.js';
import type { ClusterListener } from './cluster-events.js';
import { clusterStatus } from './cluster-status.js';
import { attachConsole, runInNode } from './connections.js';
import { CONTROL_VERSION, type Reply, type Request, type Result, requestSchema } from './control-messages.js';
import { encodeMessage, type Frame, framesOf } from './frames.js';
import { endLeftovers } from './leftovers.js';
import { type ClusterPlaces, makeRuntimeFolder } from './places.js';
import { prepareCluster } from './prepared-cluster.js';
import { settleRoot } from './settle-root.js';
import type { SupervisorState } from './supervisor-state.js';

/** How long a supervisor waits for the command that started it, in milliseconds. */
const UNUSED_MILLISECONDS = 10_000;

/** How long a command may take to hang up, in milliseconds. */
const HANG_UP_MILLISECONDS = 2000;
/** How long nodes may take to shut down when the host does, in milliseconds. */
const SHUT_DOWN_MILLISECONDS = 10_000;

/** A command's connection, once it has said what it wants. */
export interface Connection {
  readonly socket: Socket;
  /** What comes after the request. */
  readonly frames: AsyncGenerator<Frame>;
  /** Aborted when the command is gone. */
  readonly gone: AbortSignal;
}

/**
 * The process that has a cluster: its nodes, their consoles, their network, and the fencing. Commands come and go; what
 * they ask for goes through here, one start after the other. When it ends, however it does, all of it ends: the nodes have
 * pipes that tell them.
 */
export class Supervisor {
  private cluster: Cluster | undefined;
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  /** Starts that run or wait. */
  private queue: Promise<unknown> = Promise.resolve();
  private waiting = 0;
  private readonly stopping = new AbortController();
  private hasStopped = false;

  private constructor(
    private readonly places: ClusterPlaces,
    private readonly lock: Lock,
    private readonly runtime: string,
    private readonly onEnd: () => void,
  ) {}

  /**
   * Takes a cluster over: its lock, what a dead supervisor left of it, and its socket. Undefined when another one has
   * it. `onEnd` is called when there is nothing left to do. Throws a DiagnosticError when it can't.
   */
  static async open(places: ClusterPlaces, onEnd: () => void): Promise<Supervisor | undefined> {
    try {
      mkdirSync(places.logs, { recursive: true, mode: 0o700 });
      chmodSync(places.folder, 0o700);
    } catch (cause) {
      throw readableHostError(cause, places.folder);
    }
    const lock = tryLock(places.lock);
    if (!('release' in lock)) return undefined;
    try {
      await endLeftovers(places);
      const runtime = makeRuntimeFolder(places.name);
      const supervisor = new Supervisor(places, lock, runtime, onEnd);
      await supervisor.listen();
      return supervisor;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Shuts all nodes down, as far as that goes in short time, and ends: the host wants it. */
  async shutDown(): Promise<void> {
    await this.stop({ now: false, milliseconds: SHUT_DOWN_MILLISECONDS }, () => {});
    this.end();
  }

  private async listen(): Promise<void> {
    const path = join(this.runtime, 'control');
    rmSync(path, { force: true });
    const server = createServer((socket) => void this.serve(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(hostError(`the control socket: ${cause.message}`, undefined, { file: path })),
      );
      server.listen(path, resolve);
    });
    this.server = server;
    this.writeState();
    setTimeout(() => this.endWhenIdle(), UNUSED_MILLISECONDS).unref();
  }

  /** Tells the commands where it is, and who comes after it what there is to clean up. */
  private writeState(): void {
    const state: SupervisorState = {
      version: CONTROL_VERSION,
      pid: process.pid,
      runtime: this.runtime,
      socket: join(this.runtime, 'control'),
    };
    const temporary = `${this.places.state}.new`;
    writeFileSync(temporary, `${JSON.stringify(state)}\n`, { mode: 0o600 });
    renameSync(temporary, this.places.state);
  }

  private async serve(socket: Socket): Promise<void> {
    this.sockets.add(socket);
    const gone = new AbortController();
    socket.on('error', () => {});
    socket.once('close', () => {
      this.sockets.delete(socket);
      gone.abort();
    });
    const frames = framesOf(socket);
    let reply: Reply;
    try {
      const first = await frames.next();
      if (first.done === true) return;
      const request = requestOf(first.value);
      const listener: ClusterListener = (event) => send(socket, { type: 'event', event });
      const result = await this.carryOut(request, { socket, frames, gone: gone.signal }, listener);
      reply = { type: 'done', result };
    } catch (error) {
      reply = { type: 'failed', diagnostics: diagnosticsOf(error) };
    }
    await answerLast(socket, reply);
    this.sockets.delete(socket);
    this.endWhenIdle();
  }

  private async carryOut(
    request: Request,
    connection: Connection,
    listener: ClusterListener,
  ): Promise<Result> {
    switch (request.type) {
      case 'start':
        return this.inTurn(connection, (signal) => this.start(request, signal, listener));
      case 'add':
        return this.inTurn(connection, (signal) =>
          this.add(request.nodes, request.milliseconds, signal, listener),
        );
      case 'crash':
        await this.existing().crash(request.nodes);
        return { kind: 'nothing' };
      case 'stop':
        return this.stop(request, listener);
      case 'status':
        // One that has just ended, or not begun, is nothing to complain of.
        if (this.cluster === undefined) return { kind: 'nothing' };
        return {
          kind: 'status',
          status: await clusterStatus(this.cluster, this.places.name, this.places.logs),
        };
      case 'hold':
        return this.hold(connection);
      case 'run':
        return { kind: 'ended', end: await runInNode(this.node(request.node), request.command, connection) };
      case 'console':
        await attachConsole(this.node(request.node), connection);
        return { kind: 'nothing' };
      case 'signal':
        throw usageError('a signal for no command');
    }
  }

  /** Starts go one after the other: what is first decides what the next one has to do. */
  private async inTurn<T>(connection: Connection, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const signal = AbortSignal.any([connection.gone, this.stopping.signal]);
    // Who goes while it runs wants it undone; what it says meanwhile is of no interest.
    void drain(connection.frames);
    this.waiting += 1;
    const turn = this.queue.then(() => {
      if (signal.aborted) throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
      return work(signal);
    });
    this.queue = turn.catch(() => {});
    try {
      return await turn;
    } catch (error) {
      if (this.stopping.signal.aborted)
        throw hostError('the cluster was stopped meanwhile', 'Start it again: ssi-start.');
      throw error;
    } finally {
      this.waiting -= 1;
    }
  }

  private async start(
    request: Request & { type: 'start' },
    signal: AbortSignal,
    listener: ClusterListener,
  ): Promise<Result> {
    const { settings, count, fresh, milliseconds } = request;
    const { cluster } = this;
    if (cluster === undefined) {
      const options = { fresh, pace: new Pace(signal), listener, nodes: count };
      const prepared = await prepareCluster(settings, this.places, this.runtime, options);
      this.cluster = new Cluster(this.places, this.runtime, prepared);
    } else {
      if (fresh)
        throw usageError(
          `the cluster ${this.places.name} is running`,
          'Stop it first: ssi-stop. Then ssi-start --fresh.',
        );
      if (JSON.stringify(cluster.prepared.settings) !== JSON.stringify(settings))
        throw usageError(
          `the cluster ${this.places.name} is running with other settings`,
          'Stop it first: ssi-stop. Or start another one: ssi-start --name NAME.',
        );
    }
    const nodes = Array.from({ length: count }, (_, index) => index + 1);
    return this.add(nodes, milliseconds, signal, listener);
  }

  private async add(
    nodes: readonly number[],
    milliseconds: number,
    signal: AbortSignal,
    listener: ClusterListener,
  ): Promise<Result> {
    const cluster = this.existing();
    const before = new Set(cluster.running.map(({ number }) => number));
    try {
      await cluster.start(nodes, { signal, milliseconds, listener });
    } finally {
      // A cluster of which nothing came up is none.
      if (
        cluster.running.length === 0 &&
        cluster.all.every(({ end }) => end === 'failed' || end === 'killed')
      ) {
        await this.release(cluster);
      }
    }
    const up = cluster.running.map(({ number }) => number);
    return { kind: 'nodes', up, started: up.filter((number) => !before.has(number)) };
  }

  private async stop(
    { now, milliseconds }: { readonly now: boolean; readonly milliseconds: number },
    listener: ClusterListener,
  ): Promise<Result> {
    // Starts that run are given up first.
    this.stopping.abort();
    await this.queue;
    const { cluster } = this;
    const options = { now, milliseconds, umlFolder: join(this.runtime, 'uml') };
    const nodes = (await cluster?.stop(options, listener)) ?? [];
    if (cluster !== undefined) {
      // Of one that was killed the journal waits for the next mount.
      if (nodes.length > 0 && nodes.every(({ end }) => end === 'left'))
        await settleRoot(cluster.prepared, cluster.hasCrashed, new Pace(), listener);
      await this.release(cluster);
    }
    this.hasStopped = true;
    return { kind: 'stopped', nodes };
  }

  /** Ends all at once when whoever the cluster is for is gone, and has not let go of it. */
  private async hold({ socket, frames }: Connection): Promise<Result> {
    socket.write(encodeMessage({ type: 'done', result: { kind: 'attached' } } satisfies Reply));
    try {
      for await (const { type, payload } of frames)
        if (type === 'input' && payload.length === 0) return { kind: 'nothing' };
    } catch {
      // It broke.
    }
    await this.stop({ now: true, milliseconds: 0 }, () => {});
    this.end();
    return { kind: 'nothing' };
  }

  private async release(cluster: Cluster): Promise<void> {
    await cluster.stop({ now: true, milliseconds: 0, umlFolder: '' }, () => {});
    // Two who stop it at the same time come here both.
    if (this.cluster !== cluster) return;
    this.cluster = undefined;
    cluster.prepared.release();
  }

  private existing(): Cluster {
    if (this.cluster !== undefined) return this.cluster;
    throw hostError(`the cluster ${this.places.name} is not running`, 'Start it: ssi-start.');
  }

  private node(number: number) {
    const cluster = this.existing();
    cluster.checkNumbers([number]);
    const node = cluster.node(number);
    if (node?.runs === true) return node;
    throw hostError(`${nodeName(number)} is not up`, `Start it: ssi-add ${number}.`);
  }

  private endWhenIdle(): void {
    if (this.cluster === undefined && this.waiting === 0 && (this.hasStopped || this.sockets.size === 0))
      this.end();
  }

  private end(): void {
    if (this.server === undefined) return;
    this.server.close();
    this.server = undefined;
    rmSync(this.places.state, { force: true });
    removeAll(this.runtime);
    this.lock.release();
    for (const socket of this.sockets) socket.destroySoon();
    this.onEnd();
  }
}

function requestOf({ type, payload }: Frame): Request {
  let content: unknown;
  try {
    content = type === 'message' ? JSON.parse(payload.toString('utf8')) : undefined;
  } catch {
    content = undefined;
  }
  const parsed = requestSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw usageError(
    'the cluster does not understand this command',
    'Stop it with the version that started it.',
  );
}

function diagnosticsOf(error: unknown): readonly Diagnostic[] {
  if (error instanceof DiagnosticError) return error.diagnostics;
  if (error instanceof Error && error.name === 'AbortError')
    return [{ kind: 'interrupted', message: 'interrupted' }];
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return [{ kind: 'host', message: 'internal error in the supervisor', excerpt: text.split('\n') }];
}

/** A reader that is too slow for what happens is none. */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024;

function send(socket: Socket, reply: Reply): void {
  if (socket.destroyed || socket.writableEnded) return;
  if (socket.writableLength > UNSENT_BYTES_MAX) socket.destroy();
  else socket.write(encodeMessage(reply));
}

/** The command hangs up when it has read the answer: to a closed socket it might still be writing, and so never read it. */
async function answerLast(socket: Socket, reply: Reply): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, HANG_UP_MILLISECONDS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.write(encodeMessage(reply));
  });
  socket.destroy();
}

async function drain(frames: AsyncGenerator<Frame>): Promise<void> {
  try {
    for await (const _ of frames);
  } catch {
    // What comes is no frame, or the connection broke.
  }
}
