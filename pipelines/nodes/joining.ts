import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterNode } from './node.js';

/** In a node's folder on the host: it must not join the others yet, and not even look for them (pipelines/ramdisk, /init). */
const HOLD = 'hold';
const HOLD_SEARCH = 'hold-search';
/** … its lock manager should wait for the others that are on their way, for three seconds at most. */
const HOLD_LOCKS = 'hold-locks';
/** Two that come to a cluster at the same time can make corosync lose its token, which takes two seconds. */
const APART_MILLISECONDS = 200;

/** How long the others wait from when the first has joined; less than the three seconds that /init waits. */
const TOGETHER_MILLISECONDS = 2000;

/**
 * Has the node of a folder wait when it starts, until it may look for the others, and then until it may join them; and where
 * several join together also until its lock manager may start.
 */
export function hold(hostFolder: string, isTogether: boolean): void {
  for (const name of [HOLD, HOLD_SEARCH, ...(isTogether ? [HOLD_LOCKS] : [])])
    writeFileSync(join(hostFolder, name), '');
}

/** Lets nodes look for others, one a moment after the other. `folderOf` is a node's folder on the host. */
export async function letLook(
  nodes: readonly ClusterNode[],
  folderOf: (node: ClusterNode) => string,
): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    if (index > 0) await sleep(APART_MILLISECONDS);
    release(folderOf(node), HOLD_SEARCH);
  }
}

/** Lets a node join: there is a cluster. */
export function letJoin(node: ClusterNode, hostFolder: string): void {
  node.mayJoin();
  release(hostFolder, HOLD);
}

/**
 * Lets the lock managers of nodes that join start when all are members of the cluster. Each that comes keeps those who start
 * waiting: corosync asks dlm_controld to try again, which it does after a second, and DLM begins anew with what it calls
 * recovery (0.3 s). So they better come together.
 */
export async function letLock(
  nodes: readonly ClusterNode[],
  folderOf: (node: ClusterNode) => string,
  { milliseconds, signal }: { readonly milliseconds: number; readonly signal: AbortSignal },
): Promise<void> {
  const joined = nodes.map((node) => node.reaches('joined', milliseconds, signal));
  const all = Promise.allSettled(joined);
  // What goes wrong with a node is told by who waits until it is ready.
  await Promise.any(joined).catch(() => {});
  await Promise.race([all, sleep(TOGETHER_MILLISECONDS, undefined, { ref: false })]);
  for (const node of nodes) release(folderOf(node), HOLD_LOCKS);
}

function release(hostFolder: string, name: string): void {
  rmSync(join(hostFolder, name), { force: true });
}
