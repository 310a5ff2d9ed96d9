import { type FSWatcher, lstatSync, mkdirSync, readdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeAll } from '../cache/scratch.js';

/** How often it is looked for requests, in milliseconds, should the host not tell of them. */
const POLL_MILLISECONDS = 250;

/** What a fencer asks of the cluster. */
export interface FencedCluster {
  /** Whether a node's processes run. */
  isAlive(node: number): boolean;
  /** Ends a node, and returns when none of its processes is left; false when one is. */
  fence(node: number, asker: number): Promise<boolean>;
  /** Those up know that `node` is dead: what it had is theirs. */
  isBuried(node: number): void;
}

/**
 * Ends nodes for other nodes: who hears nothing of a node any more may only replay its journal when it is sure that it
 * writes nothing. Each node has a folder of its own that it sees through hostfs: it makes `req.N`, and gets `ack.N` once no
 * process of node N is left (pipelines/ramdisk, the fence agent).
 *
 * As the folder tells who asks, of two nodes that lost sight of each other only one is ended: when the first request is
 * granted, the second one's asker is dead, and its wish with it.
 */
export class Fencer {
  private readonly watchers = new Map<number, FSWatcher>();
  private timer: NodeJS.Timeout | undefined;
  private isLooking = false;
  private lookAgain = false;

  constructor(
    private readonly folder: string,
    private readonly cluster: FencedCluster,
  ) {}

  /** Makes the folder of a node that is to be started, without what its predecessor left there. */
  open(node: number): string {
    this.close(node);
    const folder = this.folderOf(node);
    removeAll(folder);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const watcher = watch(folder, () => void this.look());
    watcher.on('error', () => {});
    this.watchers.set(node, watcher);
    this.timer ??= setInterval(() => void this.look(), POLL_MILLISECONDS);
    return folder;
  }

  /** The node has ended: it asks for nothing any more. */
  close(node: number): void {
    this.watchers.get(node)?.close();
    this.watchers.delete(node);
    if (this.watchers.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  stop(): void {
    for (const node of [...this.watchers.keys()]) this.close(node);
  }

  private folderOf(node: number): string {
    return join(this.folder, `${node}`);
  }

  /** One request after the other. */
  private async look(): Promise<void> {
    this.lookAgain = true;
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      while (this.lookAgain) {
        this.lookAgain = false;
        for (const asker of [...this.watchers.keys()])
          for (const node of this.requestsOf(asker)) await this.answer(asker, node);
      }
    } finally {
      this.isLooking = false;
    }
  }

  private requestsOf(asker: number): number[] {
    try {
      return readdirSync(this.folderOf(asker)).flatMap((name) => {
        const number = /^req\.([1-9]\d{0,2})$/.exec(name)?.[1];
        // An empty one is still being made: to take it away would make that fail.
        return number === undefined || isEmpty(join(this.folderOf(asker), name)) ? [] : [Number(number)];
      });
    } catch {
      return [];
    }
  }

  private async answer(asker: number, node: number): Promise<void> {
    // A node that is dead by now, or asks for its own end, gets no answer.
    const isHeard = this.cluster.isAlive(asker) && asker !== node;
    const isGone = isHeard && (await this.cluster.fence(node, asker));
    const folder = this.folderOf(asker);
    try {
      rmSync(join(folder, `req.${node}`), { recursive: true, force: true });
      if (!isGone) return;
      const answer = join(folder, `ack.${node}`);
      // Not through a link that the guest may have put there.
      rmSync(answer, { recursive: true, force: true });
      writeFileSync(answer, 'ended\n', { flag: 'wx' });
      this.cluster.isBuried(node);
    } catch {
      // The folder went with its node.
    }
  }
}

function isEmpty(path: string): boolean {
  return (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0;
}
