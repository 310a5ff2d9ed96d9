import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterNode } from './node.js';

/** In a node's folder on the host: it must not join the others yet, and not even look for them (pipelines/ramdisk, /init). */
const HOLD = 'hold';
const HOLD_SEARCH = 'hold-search';
/** Two that come to a cluster at the same time can make corosync lose its token, which takes two seconds. */
const APART_MILLISECONDS = 200;

/** Has the node of a folder wait when it starts, until it may look for the others, and then until it may join them. */
export function hold(hostFolder: string): void {
  for (const name of [HOLD, HOLD_SEARCH]) writeFileSync(join(hostFolder, name), '');
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

function release(hostFolder: string, name: string): void {
  rmSync(join(hostFolder, name), { force: true });
}
