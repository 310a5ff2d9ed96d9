import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readableHostError } from '../../images/bytes/host-error.js';
import { DiagnosticError, hostError } from '../../images/diagnostic.js';
import { identityIn, mayBeAlive, nameOf, thisProcess } from '../cache/process-identity.js';
import { removeAll } from '../cache/scratch.js';
import type { ClusterListener } from '../nodes/cluster-events.js';
import type { ClusterSettings } from '../nodes/cluster-settings.js';
import type { ClusterStatus } from '../nodes/cluster-status.js';
import { ClusterConnection, connectOrLaunch } from '../nodes/control-client.js';
import type { Request, Result } from '../nodes/control-messages.js';
import { clearLeftovers } from '../nodes/leftovers.js';
import { type ClusterPlaces, knownClusters, placesOf } from '../nodes/places.js';
import type { LeaveResult } from '../nodes/shutdown.js';
import { isSupervised, supervisorState } from '../nodes/supervisor-state.js';

/** File in a test cluster's folder that says whose it is. */
const OWNER = 'test-run';
/** Letters of a recipe's name in the name of its cluster, which may have 32. */
const NAME_LETTERS = 18;
/** How long a supervisor may take to answer, and to end, in milliseconds. */
const ANSWER_MILLISECONDS = 30_000;
const END_MILLISECONDS = 10_000;
const POLL_MILLISECONDS = 20;

/**
 * A cluster for tests: its name and its folder are its own, and both are gone when it is. It ends with the process that
 * opened it, also when that is killed; then its folder goes when the next one is opened.
 */
export class TestCluster {
  private constructor(
    readonly places: ClusterPlaces,
    private readonly holder: ClusterConnection,
  ) {}

  /** `supervisor` is the program that Node runs for one. Throws a DiagnosticError when there can be none. */
  static async open(recipe: string, supervisor: string): Promise<TestCluster> {
    await removeAbandoned();
    const random = randomBytes(4).toString('hex');
    const places = placesOf(`test-${recipe.slice(0, NAME_LETTERS)}-${random}`);
    try {
      mkdirSync(places.folder, { recursive: true, mode: 0o700 });
      writeFileSync(join(places.folder, OWNER), nameOf(thisProcess));
    } catch (cause) {
      throw readableHostError(cause, places.folder);
    }
    try {
      const holder = await connectOrLaunch(places, supervisor);
      await new Promise<void>((resolve, reject) => {
        // It lasts until the cluster ends, however it does.
        holder.request({ type: 'hold' }, { onAttached: resolve }).then(() => {}, reject);
      });
      return new TestCluster(places, holder);
    } catch (error) {
      await remove(places);
      throw error;
    }
  }

  /** Starts nodes 1 to `count` on a working copy. Throws a DiagnosticError when one does not come up. */
  async start(
    settings: ClusterSettings,
    count: number,
    milliseconds: number,
    { listener, signal }: { listener: ClusterListener; signal: AbortSignal },
  ): Promise<void> {
    const own = { ...settings, append: [...settings.append] };
    await this.request(
      { type: 'start', count, settings: own, fresh: true, milliseconds },
      { listener, signal },
    );
  }

  async status(signal: AbortSignal): Promise<ClusterStatus | undefined> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MILLISECONDS)]);
    const result = await this.request({ type: 'status' }, { signal: limit });
    return result.kind === 'status' ? result.status : undefined;
  }

  /** Shuts all nodes down, each within some time. What they have written is still there then. */
  async stop(
    milliseconds: number,
    { listener, signal }: { listener: ClusterListener; signal: AbortSignal },
  ): Promise<readonly LeaveResult[]> {
    // The first node goes when the others are gone.
    const limit = AbortSignal.timeout(2 * milliseconds + ANSWER_MILLISECONDS);
    const result = await this.request(
      { type: 'stop', now: false, milliseconds },
      { listener, signal: AbortSignal.any([signal, limit]) },
    );
    return result.kind === 'stopped' ? result.nodes : [];
  }

  /** Lets the cluster go on when this process has ended. */
  async keep(): Promise<void> {
    await this.holder.input(Buffer.alloc(0));
  }

  /** Ends whatever still runs, as if its power went, and removes all that it left. Throws when that can't be. */
  async end(): Promise<void> {
    try {
      if (isSupervised(this.places))
        await this.request(
          { type: 'stop', now: true, milliseconds: 0 },
          { signal: AbortSignal.timeout(ANSWER_MILLISECONDS) },
        );
    } catch (error) {
      // The supervisor does not answer, or has ended meanwhile: the nodes end with it.
      if (!(error instanceof DiagnosticError)) throw error;
    } finally {
      this.holder.close();
      await remove(this.places);
    }
  }

  private async request(
    request: Request,
    options: { listener?: ClusterListener; signal: AbortSignal },
  ): Promise<Result> {
    const connection = await ClusterConnection.open(this.places);
    if (connection === undefined) throw hostError('the cluster has ended meanwhile');
    return connection.request(request, options);
  }
}

/** Removes a cluster's folder once its supervisor has ended, which is killed when it does not. */
async function remove(places: ClusterPlaces): Promise<void> {
  const until = performance.now() + END_MILLISECONDS;
  while (isSupervised(places) && performance.now() < until) await sleep(POLL_MILLISECONDS);
  if (isSupervised(places)) {
    const pid = supervisorState(places)?.pid;
    if (pid !== undefined) killSupervisor(pid);
    while (isSupervised(places) && performance.now() < until + END_MILLISECONDS)
      await sleep(POLL_MILLISECONDS);
  }
  if (isSupervised(places))
    throw hostError(`the cluster ${places.name} does not end`, `Its folder stays: ${places.folder}`);
  await clearLeftovers(places);
  removeAll(places.folder);
}

function killSupervisor(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended just now.
  }
}

/** Removes the folders of test clusters whose process was killed. */
async function removeAbandoned(): Promise<void> {
  for (const name of knownClusters()) {
    let places: ClusterPlaces;
    let owner: string;
    try {
      places = placesOf(name);
      owner = readFileSync(join(places.folder, OWNER), 'latin1');
    } catch {
      continue;
    }
    const identity = identityIn(owner);
    const isOwned = identity !== undefined && mayBeAlive(identity, join(places.folder, OWNER));
    // One that was kept runs on without its owner.
    if (isOwned || isSupervised(places)) continue;
    await clearLeftovers(places);
    removeAll(places.folder);
  }
}
