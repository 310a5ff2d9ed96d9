import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostError } from '../../images/diagnostic.js';
import { deathGuard } from '../death-guard.js';
import { findProgram, requireProgram } from '../program-folders.js';
import type { BoundedLog } from './console-log.js';
import { MARK_VARIABLE } from './guest-process.js';
import { endGroup } from './process-group.js';

/** How long the switch may take to be there, in milliseconds. */
const START_MILLISECONDS = 5000;
const POLL_MILLISECONDS = 10;

/** How many datagrams wait at a socket of this host before the next is lost. */
const QUEUE_LENGTH = '/proc/sys/net/unix/max_dgram_qlen';
/** Nodes that get along with the ten of most hosts: six take 9 s to start then, and 6 with 512. */
const NODES_WITH_SHORT_QUEUES = 4;
const QUEUE_LENGTH_ENOUGH = 64;
const QUEUE_LENGTH_GOOD = 512;

/** What to tell whoever starts so many nodes, if this host loses frames between them; `file` holds the length of its queues. */
export function lostFramesNote(
  nodes: number,
  file = QUEUE_LENGTH,
): { message: string; hint: string } | undefined {
  if (nodes <= NODES_WITH_SHORT_QUEUES) return undefined;
  const length = queueLength(file);
  if (length === undefined || length >= QUEUE_LENGTH_ENOUGH) return undefined;
  return {
    message: `with ${nodes} nodes frames between them get lost, and they take longer to start: a socket of this host takes ${length} at a time`,
    hint: `As root, before a cluster starts: sysctl net.unix.max_dgram_qlen=${QUEUE_LENGTH_GOOD}`,
  };
}

/** Undefined where the host does not tell. */
function queueLength(file: string): number | undefined {
  try {
    const text = readFileSync(file, 'latin1').trim();
    return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/** The network between the nodes: uml_switch, which ends with the process that started it. */
export class NetworkSwitch {
  private isOver = false;

  private constructor(
    private readonly child: ChildProcess,
    readonly socket: string,
    private readonly log: BoundedLog,
  ) {
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (bytes: Buffer) => log.append(bytes));
    for (const stream of child.stdio) stream?.on('error', () => {});
  }

  /**
   * Starts the switch at `socket`. `mark` says whose it is (GuestProcess); `onDeath` is called when it ends without being asked to: the nodes then hear nothing of
   * each other any more, and have no way to another switch. Throws a DiagnosticError when it does not come up.
   */
  static async start(
    socket: string,
    mark: string,
    log: BoundedLog,
    onDeath: () => void,
  ): Promise<NetworkSwitch> {
    const program = findProgram('uml_switch');
    if (program === undefined)
      throw hostError(
        'the program uml_switch is missing: it is the network between the nodes',
        'Install it (Debian package uml-utilities).',
      );
    rmSync(socket, { force: true });
    const shell = requireProgram('bash');
    const child = spawn(shell, ['-c', `${deathGuard('KILL')}exec "$@"`, 'switch', program, '-unix', socket], {
      cwd: '/',
      // A group of its own: Ctrl-C in a terminal is not for it.
      detached: true,
      env: { PATH: '/usr/bin:/bin', [MARK_VARIABLE]: mark },
      // 3 is the guard's.
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    const network = new NetworkSwitch(child, socket, log);
    let isUp = false;
    const ended = new Promise<'ended'>((resolve) => {
      child.once('error', () => resolve('ended'));
      child.once('exit', () => resolve('ended'));
    });
    void ended.then(() => {
      const wanted = network.isOver;
      network.isOver = true;
      if (isUp && !wanted) onDeath();
    });
    const until = performance.now() + START_MILLISECONDS;
    while (!existsSync(socket) && !network.isOver && performance.now() < until)
      await sleep(POLL_MILLISECONDS);
    isUp = !network.isOver && existsSync(socket);
    if (isUp) return network;
    await network.stop();
    throw hostError('the network switch does not come up', 'Its log is switch.log in the folder of logs.', {
      file: socket,
    });
  }

  get runs(): boolean {
    return !this.isOver;
  }

  async stop(): Promise<void> {
    this.isOver = true;
    if (this.child.pid !== undefined) await endGroup(this.child.pid);
    for (const stream of this.child.stdio) stream?.destroy();
    rmSync(this.socket, { force: true });
    this.log.close();
  }
}
