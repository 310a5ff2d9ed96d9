import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterNode } from './node.js';

/** Files in a node's folder on the host, by what /init of the ramdisk must not do while they are there. */
const HOLDS = {
  /** Look for other nodes. */
  look: 'hold',
  /** Start its lock manager; two minutes at most. */
  lock: 'hold-locks',
} as const;

/** How long a node may take to become a member before the next one is let in. */
const TURN_MILLISECONDS = 5000;

/** Nodes that were started together. */
export interface Start {
  /** The one that forms the cluster; undefined when there is one. */
  readonly founder: ClusterNode | undefined;
  /** In the order in which they are let in. */
  readonly joining: readonly ClusterNode[];
  /** A node's folder on the host. */
  readonly folderOf: (node: ClusterNode) => string;
  readonly milliseconds: number;
  readonly signal: AbortSignal;
}

/** Has a node that joins wait until `joinInTurn` lets it go on: alone, or with others that join at the same time. */
export function hold(hostFolder: string, isAlone: boolean): void {
  for (const name of isAlone ? [HOLDS.look] : [HOLDS.look, HOLDS.lock])
    writeFileSync(join(hostFolder, name), '');
}

/**
 * Lets nodes join, when the founder has its locks. When they do so decides how long it takes, and nothing else:
 *
 * - Each looks for the cluster when the one before is a member. Where one comes while corosync takes another in, it can lose its
 *   token, and finds out after 1.7 s, and later with more nodes.
 * - Their lock managers start when all are members. Each that comes keeps those who start waiting: corosync asks dlm_controld to
 *   try again, which it does after a second, and DLM begins anew with what it calls recovery (0.15 s).
 *
 * Throws a DiagnosticError when the founder fails before, and there is nothing that the others could join. What goes wrong
 * with the others is told by who waits until they are ready.
 */
export async function joinInTurn({ founder, joining, folderOf, milliseconds, signal }: Start): Promise<void> {
  const release = (node: ClusterNode, name: string): void =>
    rmSync(join(folderOf(node), name), { force: true });
  await founder?.reaches('in-lockspace', milliseconds, signal);
  for (const node of joining) {
    if (signal.aborted) return;
    node.mayJoin();
    release(node, HOLDS.look);
    const joined = node.reaches('joined', milliseconds, signal).catch(() => {});
    await Promise.race([joined, sleep(TURN_MILLISECONDS, undefined, { ref: false })]);
  }
  for (const node of joining) release(node, HOLDS.lock);
}
