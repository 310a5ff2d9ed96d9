import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Diagnostic, DiagnosticError, hostError, usageError } from '../../images/diagnostic.js';
import { removeAll } from '../cache/scratch.js';
import { gatherFaultsOf } from '../gather-faults.js';
import { LOCK_SERVER_READY } from '../ramdisk/linuxrc.js';
import { nodeName } from '../ramdisk/node-network.js';
import type { ClusterListener } from './cluster-events.js';
import { BoundedLog } from './console-log.js';
import { type FencedCluster, Fencer } from './fencer.js';
import { hold, joinInTurn } from './joining.js';
import { gfs2NodeCommandLine, lockServerCommandLine, openGfsNodeCommandLine } from './kernel-command-line.js';
import { findMemoryFolder, memoryHost } from './memory-folder.js';
import { lostFramesNote, NetworkSwitch } from './network-switch.js';
import { ClusterNode, saysReady } from './node.js';
import { type ClusterPlaces, consoleLogPath } from './places.js';
import type { PreparedCluster } from './prepared-cluster.js';
import { type LeaveOptions, type LeaveResult, leave } from './shutdown.js';

export interface StartOptions {
  readonly signal: AbortSignal;
  readonly listener: ClusterListener;
  /** How long a node may take to be ready. */
  readonly milliseconds: number;
}

/** How long it may take until those up have noticed that a node is dead, in milliseconds. */
const BURIAL_MILLISECONDS = 15_000;
/** How long a node that is ready may take until it takes commands, in milliseconds. */
const AGENT_MILLISECONDS = 10_000;
const POLL_MILLISECONDS = 20;
/** Number of the lock server of OpenGFS, its name, and the last byte of its network card's address. */
const LOCK_SERVER = 0;
const LOCK_SERVER_NAME = 'lock-server';
const LOCK_SERVER_CARD = 0xfe;

/**
 * The nodes of a running cluster.
 *
 * Two nodes that both take themselves for the first one share a disk and know nothing of each other, which destroys it. So
 * it is decided here, and nowhere else, which node forms the cluster (`cluster=new`): only when no process of any node is
 * left. All others join. They are started at once, to use the time, but look for others only when the first one has locks for the
 * root, one after the other, and their lock managers start when they see it among the members (`joinInTurn`).
 */
export class Cluster implements FencedCluster {
  private readonly nodes = new Map<number, ClusterNode>();
  /** Of the last node of each number. */
  private readonly past = new Map<number, ClusterNode>();
  /** Nodes that are dead, and those that are up have not noticed yet. */
  private readonly unburied = new Set<number>();
  /** Whether a node that had joined went otherwise than in good order. */
  hasCrashed = false;
  private readonly fencer: Fencer;
  private network: NetworkSwitch | undefined;
  private networkDied = false;

  constructor(
    private readonly places: ClusterPlaces,
    private readonly runtime: string,
    readonly prepared: PreparedCluster,
  ) {
    this.fencer = new Fencer(join(runtime, 'host'), this);
  }

  /** The nodes, and those that are no more, by number; without the lock server. */
  get all(): ClusterNode[] {
    return [...new Map([...this.past, ...this.nodes]).values()]
      .filter(({ number }) => number !== LOCK_SERVER)
      .sort((a, b) => a.number - b.number);
  }

  /** Those of which a process runs. */
  get running(): ClusterNode[] {
    return this.all.filter(({ runs }) => runs);
  }

  get lockServer(): ClusterNode | undefined {
    return this.nodes.get(LOCK_SERVER);
  }

  get isSwitchDead(): boolean {
    return this.networkDied;
  }

  get switchSocket(): string {
    return join(this.runtime, 'switch');
  }

  node(number: number): ClusterNode | undefined {
    return this.nodes.get(number);
  }

  /** Throws a DiagnosticError when there can be no such nodes. */
  checkNumbers(numbers: readonly number[]): void {
    const most = this.prepared.image.journals;
    const wrong = numbers.find((number) => number < 1 || number > most);
    if (wrong === undefined) return;
    throw usageError(
      `there is no node ${wrong}: the root ${this.prepared.root} has ${most} ${most === 1 ? 'journal' : 'journals'}, one for each node`,
      `Nodes have the numbers 1 to ${most}.`,
    );
  }

  /**
   * Starts nodes, all but those that are up, and waits until they are ready. Throws a DiagnosticError when one is not;
   * those that are stay up then. On an abort all that were started by this are ended.
   */
  async start(numbers: readonly number[], options: StartOptions): Promise<void> {
    this.checkNumbers(numbers);
    const wanted = [...new Set(numbers)].filter((number) => !this.isAlive(number)).sort((a, b) => a - b);
    if (wanted.length === 0) return;
    this.checkRoom(wanted.length);
    await this.startSwitch();
    const started: ClusterNode[] = [];
    const names = wanted.map(nodeName);
    if (this.prepared.image.kind === 'opengfs' && this.lockServer?.runs !== true)
      names.unshift(LOCK_SERVER_NAME);
    options.listener({ type: 'begin', work: 'start', nodes: names });
    try {
      if (this.prepared.image.kind === 'opengfs') await this.startOpenGfs(wanted, started, options);
      else await this.startGfs2(wanted, started, options);
    } catch (error) {
      if (options.signal.aborted) {
        await Promise.all(started.map((node) => node.kill('killed')));
        throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
      }
      throw error;
    }
  }

  /** Ends nodes as if their power went. Throws a DiagnosticError that names those that are not there, after all others. */
  async crash(numbers: readonly number[]): Promise<void> {
    this.checkNumbers(numbers);
    const faults: Diagnostic[] = [];
    await Promise.all(
      [...new Set(numbers)].map(async (number) => {
        const node = this.nodes.get(number);
        if (node?.runs !== true)
          faults.push({
            kind: 'host',
            message: `${nodeName(number)} is not up`,
            hint: 'ssi-status shows what is.',
          });
        else if (!(await node.kill('crashed')))
          faults.push({ kind: 'host', message: `${node.name}: one of its processes can't be ended` });
      }),
    );
    if (faults.length > 0) throw new DiagnosticError(faults);
  }

  /** Shuts all nodes down, the first one last, and the switch. */
  async stop(options: LeaveOptions, listener: ClusterListener): Promise<LeaveResult[]> {
    listener({ type: 'begin', work: 'stop', nodes: this.running.map(({ name }) => name) });
    const results = await leave(this.running, options, listener);
    await this.lockServer?.kill('killed');
    this.fencer.stop();
    await this.network?.stop();
    return results;
  }

  isAlive(number: number): boolean {
    return this.nodes.get(number)?.runs === true;
  }

  async fence(number: number): Promise<boolean> {
    const node = this.nodes.get(number);
    // One that died before: those up have noticed it now. Who has not joined yet is nobody's to miss: it is his
    // predecessor that is meant.
    if (node?.runs !== true || !node.has('joined')) return true;
    return node.kill('fenced');
  }

  isBuried(number: number): void {
    this.unburied.delete(number);
  }

  private async startGfs2(
    wanted: readonly number[],
    started: ClusterNode[],
    options: StartOptions,
  ): Promise<void> {
    const note = lostFramesNote(this.running.length + wanted.length);
    if (note !== undefined) options.listener({ type: 'note', ...note });
    // Who is about to go is no help to those that come.
    await Promise.all(this.running.filter(({ isLeaving }) => isLeaving).map(({ ended }) => ended));
    await Promise.all(wanted.map((number) => this.whenBuried(number, options.signal)));
    options.signal.throwIfAborted();
    const members = this.running.filter((node) => node.has('formed')).map(({ number }) => number);
    // Whoever is still on its way was started by a command that has failed.
    const isFirst = this.running.length === 0;
    const [first, ...others] = wanted;
    if (first === undefined) return;
    const joiners = isFirst ? others : wanted;
    const meet = isFirst ? [first] : members;
    const isAlone = joiners.length === 1;
    const founder = isFirst ? this.startNode(first, undefined, started, options) : undefined;
    const joining = joiners.map((number) => this.startNode(number, { meet, isAlone }, started, options));
    const nodes = founder === undefined ? joining : [founder, ...joining];
    const ready = nodes.map((node) => this.whenReady(node, options));
    // What goes wrong is told at the end.
    for (const each of ready) each.catch(() => {});
    void founder?.ended.then(async () => {
      // Nobody is left whom they could join.
      if (!joining.some((node) => node.has('formed')))
        await Promise.all(joining.map((node) => node.kill('failed')));
    });
    try {
      await joinInTurn({ ...options, founder, joining, folderOf: this.hostFolderOf });
    } catch (error) {
      // There is nothing that they could join.
      await Promise.all(joining.map((node) => node.kill('failed')));
      await Promise.allSettled(ready);
      throw error;
    }
    await gatherFaultsOf(ready);
  }

  /** 2.4: the nodes find each other by themselves, once the lock server is up. */
  private async startOpenGfs(
    wanted: readonly number[],
    started: ClusterNode[],
    options: StartOptions,
  ): Promise<void> {
    if (this.lockServer?.runs !== true) {
      const server = this.startLockServer(started, options);
      await this.whenReady(server, options);
    }
    const nodes = wanted.map((number) => this.startOpenGfsNode(number, started, options));
    await gatherFaultsOf(nodes.map((node) => this.whenReady(node, options)));
  }

  private startNode(
    number: number,
    /** Whom it joins, and whether no other does so at the same time; undefined for one that forms the cluster. */
    joins: { readonly meet: readonly number[]; readonly isAlone: boolean } | undefined,
    started: ClusterNode[],
    options: StartOptions,
  ): ClusterNode {
    const hostFolder = this.fencer.open(number);
    if (joins !== undefined) hold(hostFolder, joins.isAlone);
    const name = nodeName(number);
    const { links } = this.prepared;
    const commandLine = gfs2NodeCommandLine({
      ...this.guestWords(name, number),
      number,
      ramdisk: links.ramdisk,
      root: links.root,
      cluster: joins === undefined ? 'new' : 'join',
      meet: joins?.meet ?? [],
      hostFolder,
    });
    return this.launch(
      { number, name, commandLine, readyWhen: saysReady, hasAgent: true, isHeld: joins !== undefined },
      started,
      options,
    );
  }

  private startOpenGfsNode(number: number, started: ClusterNode[], options: StartOptions): ClusterNode {
    const name = nodeName(number);
    const { links } = this.prepared;
    const commandLine = openGfsNodeCommandLine({
      ...this.guestWords(name, number),
      number,
      ramdisk: links.ramdisk,
      root: links.root,
      lockTable: links.lockTable,
    });
    // A root of 2002 only shows a prompt.
    const readyWhen = (line: string): boolean => saysReady(line) || /\blogin: ?$/.test(line);
    return this.launch(
      { number, name, commandLine, readyWhen, hasAgent: false, isHeld: false },
      started,
      options,
    );
  }

  private startLockServer(started: ClusterNode[], options: StartOptions): ClusterNode {
    const name = LOCK_SERVER_NAME;
    const commandLine = lockServerCommandLine({
      ...this.guestWords(name, LOCK_SERVER_CARD),
      ramdisk: this.prepared.links.lockServerRamdisk,
    });
    const readyWhen = (line: string): boolean => line.startsWith(LOCK_SERVER_READY);
    return this.launch(
      { number: LOCK_SERVER, name, commandLine, readyWhen, hasAgent: false, isHeld: false },
      started,
      options,
    );
  }

  private guestWords(name: string, card: number) {
    const { memoryMiB, append } = this.prepared.settings;
    const umlFolder = join(this.runtime, 'uml');
    return { name, memoryMiB, append, switchSocket: this.switchSocket, card, umlFolder };
  }

  private launch(
    what: Pick<ClusterNode, 'number' | 'name'> & {
      commandLine: readonly string[];
      readyWhen: (line: string) => boolean;
      hasAgent: boolean;
      isHeld: boolean;
    },
    started: ClusterNode[],
    { listener, signal }: StartOptions,
  ): ClusterNode {
    signal.throwIfAborted();
    const { number, name } = what;
    const folder = join(this.runtime, name);
    removeAll(folder);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    mkdirSync(join(this.runtime, 'uml'), { recursive: true, mode: 0o700 });
    const node = new ClusterNode({
      ...what,
      kernel: this.prepared.kernel,
      folder,
      memoryFolder: this.prepared.memoryFolder,
      imageLock: this.prepared.lock.descriptor,
      mark: this.places.folder,
      log: new BoundedLog(consoleLogPath(this.places, number === LOCK_SERVER ? 'lock-server' : number)),
      onStep: (text) => listener({ type: 'node-step', node: name, text }),
    });
    this.nodes.set(number, node);
    started.push(node);
    listener({ type: 'node-start', node: name });
    void node.ended.then(() => this.bury(node, folder));
    return node;
  }

  /** What has to be done when a node has ended. */
  private bury(node: ClusterNode, folder: string): void {
    const { number } = node;
    if (this.nodes.get(number) === node) {
      this.nodes.delete(number);
      this.past.set(number, node);
      this.fencer.close(number);
    }
    removeAll(folder);
    removeAll(join(this.runtime, 'uml', node.name));
    if (node.end !== 'left' && node.has('joined')) this.hasCrashed = true;
    const others = this.running.some((other) => other.has('formed'));
    if (node.end !== 'left' && node.has('joined') && others) this.unburied.add(number);
    if (!others) this.unburied.clear();
  }

  /** A node that came back before the others know that it was gone would take part with what is left of its past. */
  private async whenBuried(number: number, signal: AbortSignal): Promise<void> {
    const until = performance.now() + BURIAL_MILLISECONDS;
    while (this.unburied.has(number) && performance.now() < until && !signal.aborted)
      await sleep(POLL_MILLISECONDS);
    this.unburied.delete(number);
  }

  private readonly hostFolderOf = ({ number }: ClusterNode): string =>
    join(this.runtime, 'host', `${number}`);

  private async whenReady(
    node: ClusterNode,
    { listener, milliseconds, signal }: StartOptions,
  ): Promise<void> {
    const { name } = node;
    try {
      await node.reaches('ready', milliseconds, signal);
      const takesCommands =
        (await node.agent?.whenThere(Math.min(AGENT_MILLISECONDS, milliseconds), signal)) ?? true;
      if (!takesCommands && !signal.aborted)
        listener({
          type: 'note',
          message: `${name} is up, but takes no commands: its agent does not answer`,
        });
      signal.throwIfAborted();
    } catch (error) {
      listener({ type: 'node-failed', node: name });
      await node.kill('failed');
      throw error;
    }
    listener({ type: 'node-ready', node: name, milliseconds: Date.now() - node.startedAt });
  }

  private async startSwitch(): Promise<void> {
    if (this.networkDied && this.running.length > 0)
      throw hostError(
        "the cluster's network switch has ended, and nodes that are up have no way to another one",
        'Stop the cluster and start it again: ssi-stop, ssi-start.',
      );
    if (this.network?.runs === true) return;
    this.networkDied = false;
    this.network = await NetworkSwitch.start(
      this.switchSocket,
      this.places.folder,
      new BoundedLog(join(this.places.logs, 'switch.log')),
      () => {
        this.networkDied = true;
      },
    );
  }

  /** Throws a DiagnosticError when this host has no memory for so many more. */
  private checkRoom(more: number): void {
    const { memoryFolder, settings } = this.prepared;
    findMemoryFolder(more, settings.memoryMiB, memoryHost([memoryFolder]));
  }
}
